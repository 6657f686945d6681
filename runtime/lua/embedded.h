/* The files that are built into the program (stdlib, scripts, schema), by their path in the source tree. */
#ifndef EVA_LUA_EMBEDDED_H
#define EVA_LUA_EMBEDDED_H

#include <stddef.h>

typedef struct eva_embedded_file {
  const char *path; /* "stdlib/evalua/strict.lua", "scripts/run.lua", "runtime/store/schema.sql" */
  const char *text; /* its bytes, followed by one NUL */
  size_t len;       /* without the NUL */
  const char *code; /* of Lua files: the same compiled, with its lines */
  size_t code_len;  /* 0: there is none */
} eva_embedded_file;

/* Ends with an entry whose path is NULL. */
extern const eva_embedded_file eva_embedded_files[];

/* The file with that path; NULL: none. */
const eva_embedded_file *eva_embedded_find(const char *path);

#endif
