/* Libraries that are opened when they are first needed, as linking them would cost every start of the program several
 * milliseconds: their functions are called through tables. */
#ifndef EVA_IO_LIBRARY_H
#define EVA_IO_LIBRARY_H

#include <stddef.h>

#include "base/error.h"

typedef struct eva_library_symbol {
  const char *name;
  void *function; /* where the pointer to the function goes */
} eva_library_symbol;

typedef struct eva_library {
  const char *const *names; /* file names to try, the usual one first; ended by NULL */
  const char *purpose;      /* "HTTP" */
  const char *package;      /* Debian's name of it */
  const char *version;      /* what has all the functions, for the message when some are missing */
} eva_library;

/* Opens it and finds all symbols (ended by a NULL name); it stays open until the process ends, as its code may run.
 * EVA_E_NOT_FOUND where there is none, EVA_E_IO where functions are missing. */
eva_code eva_library_open(const eva_library *library, const eva_library_symbol *symbols, eva_error *error);

#endif
