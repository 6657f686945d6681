/* Holm and Benjamini-Hochberg adjusted p-values. */
#include "stats/multiplicity.h"

#include <stdlib.h>

#include "base/buf.h"

typedef struct ranked {
  double p;
  size_t position; /* in the caller's list */
} ranked;

static int compare_ranked(const void *left, const void *right) {
  const ranked *a = left;
  const ranked *b = right;
  if (a->p != b->p) {
    return a->p < b->p ? -1 : 1;
  }
  return a->position < b->position ? -1 : a->position > b->position;
}

static ranked *sorted_copy(const double *p, size_t n) {
  ranked *order = eva_alloc(n * sizeof *order);
  for (size_t i = 0; i < n; i++) {
    order[i] = (ranked){p[i], i};
  }
  qsort(order, n, sizeof *order, compare_ranked);
  return order;
}

void eva_holm(const double *p, size_t n, double *adjusted) {
  if (n == 0) {
    return;
  }
  ranked *order = sorted_copy(p, n);
  double running = 0;
  for (size_t i = 0; i < n; i++) {
    double value = (double)(n - i) * order[i].p;
    value = value > 1 ? 1 : value;
    running = value > running ? value : running;
    adjusted[order[i].position] = running;
  }
  free(order);
}

void eva_benjamini_hochberg(const double *p, size_t n, double *adjusted) {
  if (n == 0) {
    return;
  }
  ranked *order = sorted_copy(p, n);
  double running = 1;
  for (size_t i = n; i > 0; i--) {
    double value = order[i - 1].p * (double)n / (double)i;
    running = value < running ? value : running;
    adjusted[order[i - 1].position] = running;
  }
  free(order);
}
