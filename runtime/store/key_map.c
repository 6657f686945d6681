/* The hash map of key_map.h: open addressing, at most two thirds full. */
#include "store/key_map.h"

#include <stdlib.h>

static struct eva_key_slot *find(const eva_key_map *map, int64_t key) {
  size_t at = (uint64_t)key * 0x9e3779b97f4a7c15ULL >> 20;
  for (;; at++) {
    struct eva_key_slot *slot = &map->slots[at & (map->room - 1)];
    if (slot->value == 0 || slot->key == key) return slot;
  }
}

int64_t eva_key_map_get(const eva_key_map *map, int64_t key) { return map->room ? find(map, key)->value : 0; }

static void grow(eva_key_map *map) {
  eva_key_map larger = {.room = map->room ? 2 * map->room : 64, .count = map->count};
  larger.slots = eva_alloc_zeroed(larger.room, sizeof *larger.slots);
  for (size_t at = 0; at < map->room; at++) {
    if (map->slots[at].value) *find(&larger, map->slots[at].key) = map->slots[at];
  }
  free(map->slots);
  *map = larger;
}

void eva_key_map_set(eva_key_map *map, int64_t key, int64_t value) {
  if (map->count * 3 >= map->room * 2) grow(map);
  struct eva_key_slot *slot = find(map, key);
  map->count += slot->value == 0;
  *slot = (struct eva_key_slot){key, value};
}

void eva_key_map_free(eva_key_map *map) {
  free(map->slots);
  *map = (eva_key_map){0};
}

int64_t eva_text_hash(eva_text text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (size_t at = 0; at < text.len; at++) hash = (hash ^ (unsigned char)text.data[at]) * 0x100000001b3ULL;
  return (int64_t)hash;
}
