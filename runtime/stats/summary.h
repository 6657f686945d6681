/* Describing one list of numbers: sums, means, intervals, percentiles, histograms, cluster-robust errors.
 *
 * Values are finite doubles; callers refuse others. What cannot be computed (a spread of one value) is NaN, which the
 * bindings turn into nil. */
#ifndef EVA_STATS_SUMMARY_H
#define EVA_STATS_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

/* A compensated sum (Neumaier 1974): the rounding error of each addition is kept and added at the end. */
typedef struct eva_sum {
  double total;
  double lost; /* what rounding took from total */
} eva_sum;

void eva_sum_add(eva_sum *sum, double value);
double eva_sum_total(const eva_sum *sum);

typedef struct eva_interval {
  double low, high; /* both NaN when there is none */
} eva_interval;

double eva_mean(const double *values, size_t n);     /* NaN for n = 0 */
double eva_variance(const double *values, size_t n); /* ddof 1, two passes; NaN for n < 2 */
double eva_standard_error(const double *values, size_t n); /* sqrt(variance / n) */

/* mean -/+ t(1 - (1 - confidence)/2, df) * standard_error (Student 1908). df <= 0 or a NaN error gives no interval. */
eva_interval eva_t_interval(double mean, double standard_error, double df, double confidence);

/* The percentile q (0 .. 100) by linear interpolation between order statistics: type 7 of Hyndman and Fan 1996.
 * Reorders values. NaN for n = 0 or q outside the range. */
double eva_percentile(double *values, size_t n, double q);

/* Errors of a mean over rows that come in clusters; cluster[i] is any number that names the cluster of row i.
 * cr0 = sqrt(sum over clusters of (sum of deviations)^2) / n, cr1 = cr0 * sqrt(C / (C - 1)) (Liang and Zeger 1986;
 * the form inspect_ai uses); miller adds the off-diagonal terms to the naive variance (Miller 2024, arXiv 2411.00640).
 * df = C - 1. cr1 is NaN with fewer than two clusters. */
typedef struct eva_cluster_error {
  size_t clusters;
  double naive, miller, cr0, cr1;
} eva_cluster_error;

eva_cluster_error eva_cluster_errors(const double *values, const uint32_t *cluster, size_t n);

/* sqrt(sum((n_i - 1) s_i^2 n_i) / (N - k) / N): the standard error of a mean pooled over k groups as lm-eval does. */
double eva_pooled_standard_error(const double *errors, const size_t *sizes, size_t groups);

enum { EVA_HISTOGRAM_BINS = 10 };

/* Equal bins over [0, 1] when every value lies there, else over [min, max]; the last bin is closed. When all values
 * are equal and outside [0, 1] there is one bin. */
typedef struct eva_histogram {
  double low, high;
  size_t bins;
  size_t counts[EVA_HISTOGRAM_BINS];
} eva_histogram;

typedef struct eva_summary {
  size_t n;
  double mean, standard_error, min, max, p50; /* NaN where there are too few values */
  eva_interval ci; /* Wilson's for binary values, else the t interval; of CR1 with C - 1 df when clustered, unless all
                      values are 0 or all are 1: then Wilson's over clusters */
  int binary;      /* every value is 0 or 1 (and there is one) */
  size_t clusters; /* 0: not clustered */
  eva_histogram histogram;
} eva_summary;

/* `cluster` NULL: independent values. */
eva_summary eva_summarize(const double *values, size_t n, const uint32_t *cluster, double confidence);

int eva_is_binary(const double *values, size_t n); /* 0 for n = 0 */

#endif
