/* A chained hash table; see names.h. */
#include "engine/names.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 64 }; /* a power of two, as all sizes */

static uint64_t hash_of(eva_text name) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t index = 0; index < name.len; index++) hash = (hash ^ (unsigned char)name.data[index]) * 1099511628211u;
  return hash;
}

static void grow(eva_names *names) {
  size_t wider = names->bucket_count ? names->bucket_count * 2 : BUCKETS_FIRST;
  eva_name **buckets = eva_alloc_zeroed(wider, sizeof(eva_name *));
  for (size_t index = 0; index < names->bucket_count; index++) {
    while (names->buckets[index]) {
      eva_name *moved = names->buckets[index];
      names->buckets[index] = moved->next;
      moved->next = buckets[moved->hash & (wider - 1)];
      buckets[moved->hash & (wider - 1)] = moved;
    }
  }
  free(names->buckets);
  names->buckets = buckets;
  names->bucket_count = wider;
}

void **eva_names_place(eva_names *names, eva_text name) {
  uint64_t hash = hash_of(name);
  if (names->count >= names->bucket_count) grow(names);
  eva_name **bucket = &names->buckets[hash & (names->bucket_count - 1)];
  for (eva_name *known = *bucket; known; known = known->next) {
    if (known->hash == hash && known->len == name.len && memcmp(known->text, name.data, name.len) == 0) {
      return &known->value;
    }
  }
  eva_name *made = eva_alloc(sizeof *made + name.len + 1);
  *made = (eva_name){.next = *bucket, .hash = hash, .len = name.len};
  memcpy(made->text, name.data, name.len);
  made->text[name.len] = 0;
  *bucket = made;
  names->count++;
  return &made->value;
}

void eva_names_free(eva_names *names) {
  for (size_t index = 0; index < names->bucket_count; index++) {
    while (names->buckets[index]) {
      eva_name *freed = names->buckets[index];
      names->buckets[index] = freed->next;
      free(freed);
    }
  }
  free(names->buckets);
  *names = (eva_names){0};
}
