/* Opens libmicrohttpd with dlopen; see server_library.h. */
#include "io/server_library.h"

#include <dlfcn.h>
#include <string.h>

static eva_mhd_table table;
static int is_loaded;

const eva_mhd_table *eva_mhd(void) { return &table; }

/* ISO C has no cast from an object to a function pointer; POSIX says that their bytes are the same. */
static int find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static int find_all(void *library) {
  int found = 1;
#define FIND(name) found = find(library, "MHD_" #name, &table.name) && found;
  EVA_MHD_FUNCTIONS(FIND)
#undef FIND
  return found;
}

eva_code eva_mhd_load(eva_error *error) {
  if (is_loaded) return EVA_OK;
  void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL,
                         "a server needs the library libmicrohttpd.so.12, which cannot be opened (Debian package "
                         "libmicrohttpd12)");
  }
  if (!find_all(library)) {
    dlclose(library);
    return eva_error_set(error, EVA_E_IO, NULL, "the library libmicrohttpd.so.12 is not usable: functions are missing");
  }
  is_loaded = 1; /* and stays: its code runs until the process ends */
  return EVA_OK;
}
