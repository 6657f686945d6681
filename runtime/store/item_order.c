/* The longest ascending run (patience sorting) and the numbers between neighbours. */
#include "store/item_order.h"

#include <stdlib.h>

#include "base/buf.h"

void eva_order_keep(eva_order_entry *entries, size_t count) {
  size_t *tails = eva_alloc((count + 1) * sizeof *tails);       /* the last entry of the best run of each length */
  size_t *previous = eva_alloc((count + 1) * sizeof *previous); /* the entry before it in that run, plus 1 */
  size_t length = 0;
  for (size_t index = 0; index < count; index++) {
    entries[index].kept = 0;
    if (!entries[index].had_position) continue;
    size_t low = 0, high = length;
    while (low < high) {
      size_t middle = low + (high - low) / 2;
      if (entries[tails[middle]].position < entries[index].position) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    previous[index] = low > 0 ? tails[low - 1] + 1 : 0;
    tails[low] = index;
    if (low == length) length++;
  }
  for (size_t next = length > 0 ? tails[length - 1] + 1 : 0; next > 0; next = previous[next - 1]) {
    entries[next - 1].kept = 1;
  }
  free(tails);
  free(previous);
}

/* The positions of the `run` entries between `low` and `high` (absent: INT64_MIN, INT64_MAX). Step 0: no room. */
static int64_t step_between(int64_t low, int64_t high, size_t run, int64_t gap, int64_t *first) {
  if (high == INT64_MAX) {
    *first = low == INT64_MIN ? gap : low + gap;
    return gap;
  }
  if (low == INT64_MIN) {
    *first = high - gap * (int64_t)run;
    return gap;
  }
  int64_t step = (high - low) / ((int64_t)run + 1);
  *first = low + step;
  return step;
}

static size_t run_length(const eva_order_entry *entries, size_t count, size_t start) {
  size_t end = start;
  while (end < count && !entries[end].kept) end++;
  return end - start;
}

int eva_order_place(eva_order_entry *entries, size_t count, int64_t after, int64_t gap) {
  for (int writing = 0; writing < 2; writing++) { /* look first, so that nothing changes when it does not fit */
    int64_t low = after, first = 0;
    for (size_t index = 0; index < count;) {
      size_t run = run_length(entries, count, index);
      if (run > 0) {
        int64_t high = index + run < count ? entries[index + run].position : INT64_MAX;
        int64_t step = step_between(low, high, run, gap, &first);
        if (step == 0) return 0;
        for (size_t at = 0; writing && at < run; at++) entries[index + at].position = first + step * (int64_t)at;
        index += run;
      }
      if (index < count) low = entries[index++].position;
    }
  }
  return 1;
}
