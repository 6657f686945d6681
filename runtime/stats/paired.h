/* Comparing two lists of paired values: interval, test, effect size and verdict. */
#ifndef EVA_STATS_PAIRED_H
#define EVA_STATS_PAIRED_H

#include <stddef.h>
#include <stdint.h>

#include "stats/summary.h"

enum {
  EVA_FLIP_EXACT_MAX = 16,    /* nonzero differences up to which all 2^k sign flips are counted */
  EVA_FLIP_PAIRS_MAX = 1000,  /* pairs up to which flips are drawn; beyond it the t test is as good */
  EVA_FLIP_DRAWS = 10000
};

typedef enum eva_paired_test {
  EVA_TEST_NONE,
  EVA_TEST_MCNEMAR,
  EVA_TEST_PERMUTATION,
  EVA_TEST_T,
  EVA_TEST_BOOTSTRAP /* of metrics, see metric.h */
} eva_paired_test;

typedef enum eva_verdict {
  EVA_VERDICT_INCOMPARABLE, /* no pairs */
  EVA_VERDICT_INCONCLUSIVE,
  EVA_VERDICT_NO_WORSE,
  EVA_VERDICT_IMPROVED,
  EVA_VERDICT_REGRESSED
} eva_verdict;

typedef struct eva_paired_options {
  int higher_is_better;
  double margin;     /* how much worse still counts as no worse; >= 0 */
  double alpha;      /* 0.05 */
  double confidence; /* of the interval, 0.95 */
  uint64_t seed;     /* of the drawn flips */
  size_t differing;  /* of metrics: rows, or clusters of them, in which the two runs differ; 0: not known */
} eva_paired_options;

typedef struct eva_paired {
  size_t n;
  double baseline_mean, candidate_mean, delta; /* delta = mean of candidate - baseline; NaN without pairs */
  double standard_error;                       /* of delta; NaN for one pair */
  eva_interval ci;                             /* paired t interval (of CR1 when clustered) */
  eva_paired_test test;
  double p_value;
  double effect_size; /* Cohen's d_z = delta / standard deviation of the differences (Cohen 1988); NaN without spread */
  double mde;         /* smallest difference found with power 0.8 */
  size_t improved, regressed, same; /* pairs, in the direction that is better */
  size_t clusters;                  /* 0: not clustered */
  eva_verdict verdict;
} eva_paired;

eva_paired_options eva_paired_defaults(void);

/* Compares baseline[i] with candidate[i]. `cluster` NULL: independent pairs. The test is exact McNemar when every value
 * is 0 or 1, else the sign-flip permutation test, else (many pairs, or clusters) the paired t test. */
eva_paired eva_compare_paired(const double *baseline, const double *candidate, size_t n, const uint32_t *cluster,
                              const eva_paired_options *options);

/* The verdict alone, for a p-value adjusted afterwards: improved and regressed need p < alpha and an interval that
 * excludes 0; else no_worse when the adverse bound is inside the margin; else inconclusive. */
eva_verdict eva_paired_verdict(size_t n, eva_interval ci, double p_value, const eva_paired_options *options);
const char *eva_verdict_name(eva_verdict verdict);
const char *eva_paired_test_name(eva_paired_test test); /* NULL for none */

/* Two-sided sign-flip permutation p of the mean of `differences` (Fisher 1935, The Design of Experiments, section 21):
 * the share of flips whose |sum| reaches the observed one (within rounding). Up to EVA_FLIP_EXACT_MAX nonzero values
 * all flips are counted; above, (hits + 1) / (draws + 1) of seeded draws (Phipson and Smyth 2010). NaN for n = 0. */
double eva_sign_flip(const double *differences, size_t n, uint64_t seed);

/* The pairs that differ, by position from 0, the largest difference first and equal ones in order. Fills
 * positions[0 .. n-1] as far as there are any and returns their number. */
size_t eva_paired_changes(const double *baseline, const double *candidate, size_t n, size_t *positions);

#endif
