/* Opens libcurl with dlopen; see http_library.h. */
#include "io/http_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static const char *const NAMES[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.4.dylib"};

static eva_curl_table table;
static int is_loaded;

const eva_curl_table *eva_curl(void) { return &table; }

/* ISO C has no cast from an object to a function pointer; POSIX says that their bytes are the same. */
static int find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static int find_all(void *library) {
  int found = 1;
#define FIND(name) found = find(library, "curl_" #name, &table.name) && found;
  EVA_CURL_FUNCTIONS(FIND)
#undef FIND
  return found;
}

eva_code eva_curl_load(eva_error *error) {
  if (is_loaded) return EVA_OK;
  void *library = NULL;
  for (size_t i = 0; !library && i < sizeof NAMES / sizeof *NAMES; i++) library = dlopen(NAMES[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL,
                         "HTTP needs the library %s, which cannot be opened (Debian package libcurl4)", NAMES[0]);
  }
  if (!find_all(library) || table.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    dlclose(library);
    return eva_error_set(error, EVA_E_IO, NULL, "the library %s is not usable: version 7.85 or later is needed", NAMES[0]);
  }
  is_loaded = 1; /* and stays: its code runs until the process ends */
  return EVA_OK;
}
