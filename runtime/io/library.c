/* Opens shared libraries by dlopen; see library.h. */
#include "io/library.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no cast from an object to a function pointer; POSIX says that their bytes are the same. */
static int find(void *handle, const eva_library_symbol *symbol) {
  void *found = dlsym(handle, symbol->name);
  memcpy(symbol->function, &found, sizeof found);
  return found != NULL;
}

eva_code eva_library_open(const eva_library *library, const eva_library_symbol *symbols, eva_error *error) {
  void *handle = NULL;
  for (const char *const *name = library->names; !handle && *name; name++) handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL,
                         "%s needs the library %s, which cannot be opened (Debian package %s)", library->purpose,
                         library->names[0], library->package);
  }
  for (const eva_library_symbol *symbol = symbols; symbol->name; symbol++) {
    if (find(handle, symbol)) continue;
    eva_error_set(error, EVA_E_IO, NULL, "the library %s is not usable: it has no %s; %s is needed", library->names[0],
                  symbol->name, library->version);
    dlclose(handle);
    return EVA_E_IO;
  }
  return EVA_OK;
}
