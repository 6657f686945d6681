/* Finds the files that are built in; their table is made by scripts/dev/embed.lua. */
#include "lua/embedded.h"

#include <string.h>

const eva_embedded_file *eva_embedded_find(const char *path) {
  for (const eva_embedded_file *file = eva_embedded_files; file->path; file++) {
    if (strcmp(file->path, path) == 0) return file;
  }
  return NULL;
}
