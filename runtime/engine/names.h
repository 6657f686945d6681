/* A map from names to pointers: limits and hosts are looked up with every request. Names are never taken out. */
#ifndef EVA_ENGINE_NAMES_H
#define EVA_ENGINE_NAMES_H

#include <stdint.h>

#include "base/buf.h"

typedef struct eva_name {
  struct eva_name *next;
  uint64_t hash;
  void *value;
  size_t len;
  char text[];
} eva_name;

/* Zero it to start. */
typedef struct eva_names {
  eva_name **buckets;
  size_t bucket_count, count;
} eva_names;

/* Where the value of a name is kept, NULL at first; the place stays where it is. */
void **eva_names_place(eva_names *names, eva_text name);
void eva_names_free(eva_names *names); /* the values are the caller's */

#endif
