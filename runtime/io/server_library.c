/* Opens libmicrohttpd; see server_library.h. */
#include "io/server_library.h"

#include "io/library.h"

static eva_mhd_table table;
static int is_loaded;

const eva_mhd_table *eva_mhd(void) { return &table; }

eva_code eva_mhd_load(eva_error *error) {
  static const char *const NAMES[] = {"libmicrohttpd.so.12", "libmicrohttpd.12.dylib", NULL};
  static const eva_library MHD_LIBRARY = {NAMES, "a server", "libmicrohttpd12", "version 0.9.71 or later"};
#define SYMBOL(name) {"MHD_" #name, &table.name},
  static const eva_library_symbol SYMBOLS[] = {EVA_MHD_FUNCTIONS(SYMBOL){NULL, NULL}};
#undef SYMBOL
  if (is_loaded) return EVA_OK;
  eva_code code = eva_library_open(&MHD_LIBRARY, SYMBOLS, error);
  if (code != EVA_OK) return code;
  is_loaded = 1;
  return EVA_OK;
}
