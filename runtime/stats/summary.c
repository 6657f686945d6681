/* Sums, means, intervals, percentiles, histograms and cluster-robust errors of one list of numbers. */
#include "stats/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"

void eva_sum_add(eva_sum *sum, double value) {
  double next = sum->total + value;
  if (fabs(sum->total) >= fabs(value)) {
    sum->lost += (sum->total - next) + value;
  } else {
    sum->lost += (value - next) + sum->total;
  }
  sum->total = next;
}

double eva_sum_total(const eva_sum *sum) {
  return sum->total + sum->lost;
}

double eva_mean(const double *values, size_t n) {
  eva_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) {
    eva_sum_add(&sum, values[i]);
  }
  double mean = n == 0 ? NAN : eva_sum_total(&sum) / (double)n;
  if (n == 0 || isfinite(mean)) return mean;
  sum = (eva_sum){0, 0}; /* the sum alone is beyond all doubles */
  for (size_t i = 0; i < n; i++) {
    eva_sum_add(&sum, values[i] / (double)n);
  }
  return eva_sum_total(&sum);
}

double eva_variance(const double *values, size_t n) {
  if (n < 2) {
    return NAN;
  }
  double mean = eva_mean(values, n);
  eva_sum squares = {0, 0};
  for (size_t i = 0; i < n; i++) {
    double deviation = values[i] - mean;
    eva_sum_add(&squares, deviation * deviation);
  }
  /* Equal values have no spread, even where their mean is not exactly one of them. */
  for (size_t i = 1; i < n; i++) {
    if (values[i] != values[0]) {
      return eva_sum_total(&squares) / (double)(n - 1);
    }
  }
  return 0;
}

double eva_standard_error(const double *values, size_t n) {
  return sqrt(eva_variance(values, n) / (double)n);
}

eva_interval eva_t_interval(double mean, double standard_error, double df, double confidence) {
  if (!isfinite(standard_error) || !(df > 0) || !(confidence > 0 && confidence < 1)) {
    return (eva_interval){NAN, NAN};
  }
  double half = standard_error == 0 ? 0 : eva_t_quantile(0.5 + confidence / 2, df) * standard_error;
  return (eva_interval){mean - half, mean + half};
}

/* Puts the k-th smallest value at k, no greater ones before and no smaller ones after it (Hoare 1961, "Find"). The
 * pivot is random, so no order of the input is slow; equal values are split evenly. */
static void select_kth(double *values, size_t n, size_t k) {
  eva_random random = eva_random_of(n);
  ptrdiff_t target = (ptrdiff_t)k;
  ptrdiff_t low = 0;
  ptrdiff_t high = (ptrdiff_t)n - 1;
  while (low < high) {
    double pivot = values[low + (ptrdiff_t)eva_random_below(&random, (size_t)(high - low) + 1)];
    ptrdiff_t i = low;
    ptrdiff_t j = high;
    do {
      while (values[i] < pivot) {
        i++;
      }
      while (values[j] > pivot) {
        j--;
      }
      if (i <= j) {
        double swapped = values[i];
        values[i++] = values[j];
        values[j--] = swapped;
      }
    } while (i <= j);
    /* low .. j are <= pivot, i .. high are >= pivot, what lies between is the pivot. */
    if (j < target) {
      low = i;
    }
    if (i > target) {
      high = j;
    }
  }
}

double eva_percentile(double *values, size_t n, double q) {
  if (n == 0 || !(q >= 0 && q <= 100)) {
    return NAN;
  }
  double position = (double)(n - 1) * (q / 100);
  size_t k = (size_t)position;
  select_kth(values, n, k);
  double value = values[k];
  if (k + 1 >= n || position <= (double)k) {
    return value;
  }
  double next = values[k + 1];
  for (size_t i = k + 2; i < n; i++) {
    next = values[i] < next ? values[i] : next;
  }
  return value + (position - (double)k) * (next - value);
}

eva_cluster_error eva_cluster_errors(const double *values, const uint32_t *cluster, size_t n) {
  eva_cluster_error result = {0, eva_standard_error(values, n), NAN, NAN, NAN};
  if (n == 0) {
    return result;
  }
  uint32_t highest = 0;
  for (size_t i = 0; i < n; i++) {
    highest = cluster[i] > highest ? cluster[i] : highest;
  }
  double *sums = eva_alloc_zeroed((size_t)highest + 1, sizeof *sums);
  char *seen = eva_alloc_zeroed((size_t)highest + 1, 1);
  double mean = eva_mean(values, n);
  eva_sum own = {0, 0}; /* the squares of single deviations */
  for (size_t i = 0; i < n; i++) {
    double deviation = values[i] - mean;
    sums[cluster[i]] += deviation;
    result.clusters += !seen[cluster[i]];
    seen[cluster[i]] = 1;
    eva_sum_add(&own, deviation * deviation);
  }
  eva_sum squares = {0, 0};
  for (size_t c = 0; c <= highest; c++) {
    eva_sum_add(&squares, sums[c] * sums[c]);
  }
  free(sums);
  free(seen);
  double count = (double)n;
  double total = eva_sum_total(&squares);
  double off_diagonal = total - eva_sum_total(&own);
  result.cr0 = sqrt(total) / count;
  double miller = result.naive * result.naive + off_diagonal / (count * count);
  result.miller = miller < 0 ? 0 : sqrt(miller);
  if (result.clusters >= 2) {
    result.cr1 = result.cr0 * sqrt((double)result.clusters / (double)(result.clusters - 1));
  }
  return result;
}

double eva_pooled_standard_error(const double *errors, const size_t *sizes, size_t groups) {
  eva_sum sum = {0, 0};
  double total = 0;
  for (size_t i = 0; i < groups; i++) {
    eva_sum_add(&sum, (double)(sizes[i] - 1) * errors[i] * errors[i] * (double)sizes[i]);
    total += (double)sizes[i];
  }
  return sqrt(eva_sum_total(&sum) / (total - (double)groups) / total);
}

int eva_is_binary(const double *values, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (values[i] != 0 && values[i] != 1) {
      return 0;
    }
  }
  return n > 0;
}

static eva_histogram histogram_of(const double *values, size_t n, double min, double max) {
  eva_histogram histogram = {0, 1, EVA_HISTOGRAM_BINS, {0}};
  if (min < 0 || max > 1) {
    histogram.low = min;
    histogram.high = max;
  }
  double width = histogram.high - histogram.low;
  if (!(width > 0) || isinf(width)) {
    histogram.bins = 1;
  }
  for (size_t i = 0; i < n; i++) {
    size_t bin = 0;
    if (histogram.bins > 1) {
      bin = (size_t)((values[i] - histogram.low) / width * (double)histogram.bins);
      bin = bin < histogram.bins ? bin : histogram.bins - 1;
    }
    histogram.counts[bin]++;
  }
  return histogram;
}

static double median_of(const double *values, size_t n, int binary) {
  if (binary) { /* no copy of what may be a million zeros and ones */
    size_t ones = 0;
    for (size_t i = 0; i < n; i++) ones += values[i] == 1;
    return ones * 2 == n ? 0.5 : ones * 2 > n;
  }
  double *copy = eva_alloc(n * sizeof *copy);
  memcpy(copy, values, n * sizeof *copy);
  double median = eva_percentile(copy, n, 50);
  free(copy);
  return median;
}

eva_summary eva_summarize(const double *values, size_t n, const uint32_t *cluster, double confidence) {
  eva_summary summary = {.n = n, .mean = NAN, .standard_error = NAN, .min = NAN, .max = NAN, .p50 = NAN};
  summary.ci = (eva_interval){NAN, NAN};
  if (n == 0) {
    return summary;
  }
  summary.mean = eva_mean(values, n);
  summary.standard_error = eva_standard_error(values, n);
  summary.binary = eva_is_binary(values, n);
  summary.min = summary.max = values[0];
  size_t ones = 0;
  for (size_t i = 0; i < n; i++) {
    summary.min = values[i] < summary.min ? values[i] : summary.min;
    summary.max = values[i] > summary.max ? values[i] : summary.max;
    ones += values[i] == 1;
  }
  summary.p50 = median_of(values, n, summary.binary);
  summary.histogram = histogram_of(values, n, summary.min, summary.max);
  if (cluster != NULL) {
    eva_cluster_error errors = eva_cluster_errors(values, cluster, n);
    summary.clusters = errors.clusters;
    summary.standard_error = errors.cr1;
    summary.ci = eva_t_interval(summary.mean, errors.cr1, (double)errors.clusters - 1, confidence);
    if (summary.binary && (ones == 0 || ones == n)) { /* no spread to measure; each cluster is then one observation */
      summary.ci = eva_wilson(ones > 0 ? errors.clusters : 0, errors.clusters, confidence);
    }
  } else if (summary.binary) {
    summary.ci = eva_wilson(ones, n, confidence);
  } else {
    summary.ci = eva_t_interval(summary.mean, summary.standard_error, (double)n - 1, confidence);
  }
  return summary;
}
