/* Runs of places: a place continues the last run when it has the same prefix and the next number. */
#include "store/places.h"

#include <stdlib.h>
#include <string.h>

/* Splits off a decimal number of at most 15 digits at the end; -1 when there is none. */
static int64_t split_number(eva_text where, size_t *prefix_len) {
  size_t at = where.len;
  while (at > 0 && where.len - at < 15 && where.data[at - 1] >= '0' && where.data[at - 1] <= '9') at--;
  *prefix_len = at;
  if (at == where.len || (where.data[at] == '0' && where.len - at > 1)) { /* "007" would not come back as it was */
    *prefix_len = where.len;
    return -1;
  }
  int64_t number = 0;
  for (; at < where.len; at++) number = number * 10 + (where.data[at] - '0');
  return number;
}

static int continues(const eva_place_run *run, int64_t item, const char *prefix, size_t len, int64_t number) {
  if (run->first + run->count != item || strlen(run->prefix) != len || memcmp(run->prefix, prefix, len) != 0) return 0;
  return run->number < 0 ? number < 0 : number == run->number + run->count;
}

void eva_places_add(eva_places *places, int64_t item, eva_text where) {
  if (!where.data || where.len == 0) return;
  size_t len = 0;
  int64_t number = split_number(where, &len);
  if (places->count > 0 && continues(&places->runs[places->count - 1], item, where.data, len, number)) {
    places->runs[places->count - 1].count++;
    return;
  }
  if (places->count == EVA_PLACE_RUNS_MAX) return;
  if (places->count == places->room) {
    places->room = places->room ? 2 * places->room : 16;
    places->runs = eva_realloc(places->runs, places->room * sizeof *places->runs);
  }
  eva_place_run *run = &places->runs[places->count++];
  *run = (eva_place_run){item, 1, number, eva_alloc(len + 1)};
  memcpy(run->prefix, where.data, len);
  run->prefix[len] = '\0';
}

void eva_places_find(const eva_places *places, int64_t item, eva_buf *out) {
  for (size_t index = 0; index < places->count; index++) {
    const eva_place_run *run = &places->runs[index];
    if (item < run->first || item >= run->first + run->count) continue;
    eva_buf_add_string(out, run->prefix);
    if (run->number >= 0) eva_buf_printf(out, "%lld", (long long)(run->number + item - run->first));
    return;
  }
}

void eva_places_free(eva_places *places) {
  for (size_t index = 0; index < places->count; index++) free(places->runs[index].prefix);
  free(places->runs);
  *places = (eva_places){0};
}
