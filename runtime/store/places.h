/* Where each item of a sync came from, in little memory: "tickets.jsonl:1", "tickets.jsonl:2" ... is one run. */
#ifndef EVA_STORE_PLACES_H
#define EVA_STORE_PLACES_H

#include <stdint.h>

#include "base/buf.h"

typedef struct eva_place_run {
  int64_t first; /* the first item of the run, counted from 1 */
  int64_t count;
  int64_t number; /* the number at the end of the first place; -1: none, every place is the same */
  char *prefix;   /* what stands before the number */
} eva_place_run;

typedef struct eva_places {
  eva_place_run *runs;
  size_t count, room;
} eva_places; /* zero it to start */

enum { EVA_PLACE_RUNS_MAX = 20000 }; /* later places are forgotten: they only serve messages */

/* Items are added in order: 1, 2, 3 ... */
void eva_places_add(eva_places *places, int64_t item, eva_text where);
/* Appends the item's place to `out`; nothing when it is not known. */
void eva_places_find(const eva_places *places, int64_t item, eva_buf *out);
void eva_places_free(eva_places *places);

#endif
