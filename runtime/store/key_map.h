/* A hash map from 64-bit numbers to 64-bit numbers: which item rows were seen, how often an id came. */
#ifndef EVA_STORE_KEY_MAP_H
#define EVA_STORE_KEY_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct eva_key_map {
  struct eva_key_slot {
    int64_t key;
    int64_t value; /* 0: the slot is free */
  } *slots;
  size_t room; /* a power of two, or 0 */
  size_t count;
} eva_key_map; /* zero it to start */

int64_t eva_key_map_get(const eva_key_map *map, int64_t key); /* 0 when absent */
void eva_key_map_set(eva_key_map *map, int64_t key, int64_t value); /* value is not 0 */
void eva_key_map_free(eva_key_map *map);
int64_t eva_text_hash(eva_text text); /* FNV-1a, for keys that are texts */

#endif
