/* Opens libcurl; see http_library.h. */
#include "io/http_library.h"

#include "io/library.h"

static eva_curl_table table;
static int is_loaded;

const eva_curl_table *eva_curl(void) { return &table; }

eva_code eva_curl_load(eva_error *error) {
  static const char *const NAMES[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib", NULL};
  static const eva_library CURL_LIBRARY = {NAMES, "HTTP", "libcurl4", "version 7.85 or later"};
#define SYMBOL(name) {"curl_" #name, &table.name},
  static const eva_library_symbol SYMBOLS[] = {EVA_CURL_FUNCTIONS(SYMBOL){NULL, NULL}};
#undef SYMBOL
  if (is_loaded) return EVA_OK;
  eva_code code = eva_library_open(&CURL_LIBRARY, SYMBOLS, error);
  if (code != EVA_OK) return code;
  if (table.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return eva_error_set(error, EVA_E_IO, NULL, "the library %s cannot be initialized", NAMES[0]);
  }
  is_loaded = 1;
  return EVA_OK;
}
