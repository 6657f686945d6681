/* See reduce.h. */
#include "data/reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int eva_reducer_find(const char *name, eva_reducer *reducer) {
  static const char *const names[] = {"mean", "median", "mode", "max", "at_least", "pass_at", "pass_k"};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    if (strcmp(name, names[index]) != 0) continue;
    *reducer = (eva_reducer)index;
    return 1;
  }
  return 0;
}

int eva_reducer_counts(eva_reducer reducer) { return reducer >= EVA_REDUCE_AT_LEAST; }

void eva_fold_clear(eva_fold *fold) {
  fold->count = 0;
  fold->seen = fold->failed = fold->judged = fold->passed = 0;
}

void eva_fold_free(eva_fold *fold) {
  free(fold->values);
  fold->values = NULL;
  fold->count = fold->room = 0;
}

void eva_fold_trial(eva_fold *fold, int failed, int passed) {
  fold->seen++;
  fold->failed += failed != 0;
  /* A failed trial says that it did not pass only where passes are counted; elsewhere it is missing. */
  if (failed) passed = eva_reducer_counts(fold->reduction.reducer) ? 0 : -1;
  if (passed < 0) return;
  fold->judged++;
  fold->passed += passed != 0;
}

void eva_fold_score(eva_fold *fold, double score) {
  if (fold->count == fold->room) {
    fold->room = fold->room ? 2 * fold->room : 16;
    fold->values = eva_realloc(fold->values, fold->room * sizeof *fold->values);
  }
  fold->values[fold->count++] = score;
}

static double mean_of(const double *values, size_t count) {
  double sum = 0;
  for (size_t index = 0; index < count; index++) sum += values[index];
  if (isfinite(sum)) return sum / (double)count;
  sum = 0; /* the sum alone is beyond all doubles */
  for (size_t index = 0; index < count; index++) sum += values[index] / (double)count;
  return sum;
}

static int compare_doubles(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median_of(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare_doubles);
  return count % 2 ? values[count / 2] : mean_of(values + count / 2 - 1, 2);
}

static double mode_of(const double *values, size_t count) {
  double best = values[0];
  size_t best_times = 0;
  for (size_t index = 0; index < count; index++) {
    size_t times = 0;
    for (size_t other = index; other < count; other++) times += values[other] == values[index];
    if (times > best_times) best = values[index], best_times = times;
  }
  return best;
}

static double max_of(const double *values, size_t count) {
  double most = values[0];
  for (size_t index = 1; index < count; index++) if (values[index] > most) most = values[index];
  return most;
}

/* C(from, k) / C(all, k), as a product, so that nothing overflows. */
static double choice_ratio(int64_t from, int64_t all, int k) {
  double ratio = 1;
  if (from < k) return 0;
  for (int index = 0; index < k; index++) ratio *= (double)(from - index) / (double)(all - index);
  return ratio;
}

static int counted_value(const eva_fold *fold, double *value) {
  int k = fold->reduction.k;
  if (fold->judged < k || fold->judged == 0) return 0;
  if (fold->reduction.reducer == EVA_REDUCE_AT_LEAST) *value = fold->passed >= k;
  else if (fold->reduction.reducer == EVA_REDUCE_PASS_K) *value = choice_ratio(fold->passed, fold->judged, k);
  else *value = 1 - choice_ratio(fold->judged - fold->passed, fold->judged, k);
  return 1;
}

int eva_fold_value(eva_fold *fold, double *value) {
  if (eva_reducer_counts(fold->reduction.reducer)) return counted_value(fold, value);
  if (fold->count == 0) return 0;
  switch (fold->reduction.reducer) {
    case EVA_REDUCE_MEDIAN: *value = median_of(fold->values, fold->count); break;
    case EVA_REDUCE_MODE: *value = mode_of(fold->values, fold->count); break;
    case EVA_REDUCE_MAX: *value = max_of(fold->values, fold->count); break;
    default: *value = mean_of(fold->values, fold->count);
  }
  return 1;
}

int eva_fold_passed(const eva_fold *fold) {
  if (fold->judged == 0) return -1;
  switch (fold->reduction.reducer) {
    case EVA_REDUCE_AT_LEAST: return fold->passed >= fold->reduction.k;
    case EVA_REDUCE_MAX:
    case EVA_REDUCE_PASS_AT: return fold->passed > 0;
    case EVA_REDUCE_MEDIAN:
    case EVA_REDUCE_MODE: return 2 * fold->passed > fold->judged;
    default: return fold->passed == fold->judged;
  }
}
