/* Cohen's kappa and Krippendorff's alpha. */
#include "stats/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "stats/summary.h"

double eva_kappa(const uint32_t *x, const uint32_t *y, size_t n, size_t label_count) {
  if (n == 0 || label_count == 0) {
    return NAN;
  }
  size_t *of_x = eva_alloc_zeroed(2 * label_count, sizeof *of_x);
  size_t *of_y = of_x + label_count;
  size_t same = 0;
  for (size_t i = 0; i < n; i++) {
    of_x[x[i]]++;
    of_y[y[i]]++;
    same += x[i] == y[i];
  }
  double count = (double)n;
  double observed = (double)same / count;
  double expected = 0;
  for (size_t label = 0; label < label_count; label++) {
    expected += ((double)of_x[label] / count) * ((double)of_y[label] / count);
  }
  free(of_x);
  return expected >= 1 ? NAN : (observed - expected) / (1 - expected);
}

double eva_krippendorff_nominal(const uint32_t *labels, const size_t *ends, size_t unit_count, size_t label_count) {
  if (label_count == 0) {
    return NAN;
  }
  size_t *in_all = eva_alloc_zeroed(2 * label_count, sizeof *in_all);
  size_t *in_unit = in_all + label_count;
  double pairable = 0;
  eva_sum disagreement = {0, 0};
  size_t start = 0;
  for (size_t unit = 0; unit < unit_count; start = ends[unit], unit++) {
    size_t ratings = ends[unit] - start;
    if (ratings < 2) {
      continue;
    }
    double size = (double)ratings;
    double equal = 0; /* ordered pairs of equal ratings, each rating with itself too */
    for (size_t i = start; i < ends[unit]; i++) {
      in_unit[labels[i]]++;
      in_all[labels[i]]++;
    }
    for (size_t i = start; i < ends[unit]; i++) {
      equal += (double)in_unit[labels[i]];
    }
    for (size_t i = start; i < ends[unit]; i++) {
      in_unit[labels[i]] = 0;
    }
    eva_sum_add(&disagreement, (size * size - equal) / (size - 1));
    pairable += size;
  }
  double expected = pairable * pairable;
  for (size_t label = 0; label < label_count; label++) {
    expected -= (double)in_all[label] * (double)in_all[label];
  }
  free(in_all);
  if (pairable < 2 || expected <= 0) {
    return NAN;
  }
  return 1 - (eva_sum_total(&disagreement) / pairable) / (expected / (pairable * (pairable - 1)));
}
