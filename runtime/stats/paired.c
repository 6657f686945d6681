/* Paired comparison: t interval, McNemar, sign flips, verdict. */
#include "stats/paired.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "stats/power.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"

/* Sums and bounds that differ by less than this, relative to what was added, differ by rounding only. */
static const double ROUNDING = 1e-12;
static const double POWER = 0.8;

eva_paired_options eva_paired_defaults(void) {
  return (eva_paired_options){.higher_is_better = 1, .margin = 0, .alpha = 0.05, .confidence = 0.95, .seed = 1};
}

/* Counts, among all signs of values[i ..], the sums that reach the limit; `sum` is that of the values before i. */
static size_t count_flips(const double *values, size_t n, size_t i, double sum, double limit) {
  if (i == n) {
    return fabs(sum) >= limit;
  }
  return count_flips(values, n, i + 1, sum + values[i], limit) + count_flips(values, n, i + 1, sum - values[i], limit);
}

static size_t draw_flips(const double *values, size_t n, double limit, uint64_t seed) {
  static const double SIGNS[] = {-1, 1};
  eva_random random = eva_random_of(seed);
  size_t hits = 0;
  for (int draw = 0; draw < EVA_FLIP_DRAWS; draw++) {
    double sum = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++, bits >>= 1) {
      if (i % 64 == 0) {
        bits = eva_random_next(&random);
      }
      sum += values[i] * SIGNS[bits & 1]; /* no branch: half of them would be mispredicted */
    }
    hits += fabs(sum) >= limit;
  }
  return hits;
}

double eva_sign_flip(const double *differences, size_t n, uint64_t seed) {
  if (n == 0) {
    return NAN;
  }
  double *values = eva_alloc(n * sizeof *values);
  size_t count = 0;
  double sum = 0;
  double size = 0;
  for (size_t i = 0; i < n; i++) {
    if (differences[i] != 0) {
      values[count++] = differences[i];
      sum += differences[i];
      size += fabs(differences[i]);
    }
  }
  double limit = fabs(sum) - ROUNDING * size;
  double p = 1;
  if (!isfinite(size)) {
    p = NAN;
  } else if (count > EVA_FLIP_EXACT_MAX) {
    p = (double)(draw_flips(values, count, limit, seed) + 1) / (EVA_FLIP_DRAWS + 1);
  } else if (count > 0) {
    /* Flipping everything gives the same |sum|, so one sign may be fixed. */
    p = (double)count_flips(values, count, 1, values[0], limit) / ldexp(1, (int)count - 1);
  }
  free(values);
  return p;
}

eva_verdict eva_paired_verdict(size_t n, eva_interval ci, double p_value, const eva_paired_options *options) {
  if (n == 0) {
    return EVA_VERDICT_INCOMPARABLE;
  }
  if (!isfinite(ci.low) || !isfinite(ci.high) || isnan(p_value)) {
    return EVA_VERDICT_INCONCLUSIVE;
  }
  double adverse = options->higher_is_better ? ci.low : -ci.high; /* towards worse, as a gain */
  double favourable = options->higher_is_better ? ci.high : -ci.low;
  if (p_value < options->alpha && adverse > 0) {
    return EVA_VERDICT_IMPROVED;
  }
  if (p_value < options->alpha && favourable < 0) {
    return EVA_VERDICT_REGRESSED;
  }
  double slack = ROUNDING * (1 + options->margin);
  return adverse >= -options->margin - (options->margin > 0 ? slack : 0) ? EVA_VERDICT_NO_WORSE
                                                                         : EVA_VERDICT_INCONCLUSIVE;
}

const char *eva_verdict_name(eva_verdict verdict) {
  switch (verdict) {
  case EVA_VERDICT_INCONCLUSIVE: return "inconclusive";
  case EVA_VERDICT_NO_WORSE: return "no_worse";
  case EVA_VERDICT_IMPROVED: return "improved";
  case EVA_VERDICT_REGRESSED: return "regressed";
  case EVA_VERDICT_INCOMPARABLE: break;
  }
  return "incomparable";
}

const char *eva_paired_test_name(eva_paired_test test) {
  switch (test) {
  case EVA_TEST_MCNEMAR: return "mcnemar";
  case EVA_TEST_PERMUTATION: return "permutation";
  case EVA_TEST_T: return "t";
  case EVA_TEST_BOOTSTRAP: return "bootstrap";
  case EVA_TEST_NONE: break;
  }
  return NULL;
}

/* The p of the paired t test over df + 1 pairs or clusters. Without any spread between them t says nothing;
 * then p is that of flipping their signs: two of the 2^(df + 1) flips are as far from 0, so that two clusters
 * that happen to agree are no proof. */
static double t_test(double delta, double standard_error, double df) {
  if (isnan(standard_error) || !(df > 0)) {
    return NAN;
  }
  if (standard_error == 0) {
    return delta == 0 ? 1 : fmax(exp2(-df), DBL_MIN);
  }
  return eva_t_two_sided(delta / standard_error, df);
}

static void choose_test(eva_paired *result, const double *differences, int binary, double df,
                        const eva_paired_options *options) {
  size_t nonzero = result->improved + result->regressed;
  if (result->clusters == 0 && binary) {
    result->test = EVA_TEST_MCNEMAR;
    result->p_value = eva_mcnemar(result->improved, result->regressed);
  } else if (result->clusters == 0 && (nonzero <= EVA_FLIP_EXACT_MAX || result->n <= EVA_FLIP_PAIRS_MAX)) {
    result->test = EVA_TEST_PERMUTATION;
    result->p_value = eva_sign_flip(differences, result->n, options->seed);
  } else {
    result->test = EVA_TEST_T;
    result->p_value = t_test(result->delta, result->standard_error, df);
  }
}

eva_paired eva_compare_paired(const double *baseline, const double *candidate, size_t n, const uint32_t *cluster,
                              const eva_paired_options *options) {
  eva_paired result = {.n = n, .baseline_mean = NAN, .candidate_mean = NAN, .delta = NAN, .standard_error = NAN};
  result.ci = (eva_interval){NAN, NAN};
  result.p_value = result.effect_size = result.mde = NAN;
  if (n == 0) {
    return result; /* verdict 0: incomparable */
  }
  double *differences = eva_alloc(n * sizeof *differences);
  for (size_t i = 0; i < n; i++) {
    differences[i] = candidate[i] - baseline[i];
    result.same += differences[i] == 0;
    result.improved += options->higher_is_better ? differences[i] > 0 : differences[i] < 0;
  }
  result.regressed = n - result.same - result.improved;
  result.baseline_mean = eva_mean(baseline, n);
  result.candidate_mean = eva_mean(candidate, n);
  result.delta = eva_mean(differences, n);
  double variance = eva_variance(differences, n);
  double df = (double)n - 1;
  result.standard_error = sqrt(variance / (double)n);
  if (cluster != NULL) {
    eva_cluster_error errors = eva_cluster_errors(differences, cluster, n);
    result.clusters = errors.clusters;
    result.standard_error = errors.cr1;
    df = (double)errors.clusters - 1;
  }
  if (result.standard_error <= ROUNDING * fabs(result.delta)) { /* but for rounding there is no spread; NAN stays */
    result.standard_error = 0;
  }
  result.ci = eva_t_interval(result.delta, result.standard_error, df, options->confidence);
  double least = ROUNDING * fabs(result.delta);
  result.effect_size = variance > least * least ? result.delta / sqrt(variance) : NAN;
  result.mde = eva_detectable_difference(result.standard_error, options->alpha, POWER);
  choose_test(&result, differences, eva_is_binary(baseline, n) && eva_is_binary(candidate, n), df, options);
  free(differences);
  result.verdict = eva_paired_verdict(n, result.ci, result.p_value, options);
  return result;
}

typedef struct change {
  double size;
  size_t position;
} change;

static int compare_changes(const void *left, const void *right) {
  const change *a = left;
  const change *b = right;
  if (a->size != b->size) {
    return a->size > b->size ? -1 : 1;
  }
  return a->position < b->position ? -1 : a->position > b->position;
}

size_t eva_paired_changes(const double *baseline, const double *candidate, size_t n, size_t *positions) {
  change *list = eva_alloc((n + 1) * sizeof *list);
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    if (candidate[i] != baseline[i]) {
      list[count++] = (change){fabs(candidate[i] - baseline[i]), i};
    }
  }
  qsort(list, count, sizeof *list, compare_changes);
  for (size_t i = 0; i < count; i++) {
    positions[i] = list[i].position;
  }
  free(list);
  return count;
}
