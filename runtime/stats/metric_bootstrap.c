/* Intervals and comparisons of metrics by the bootstrap. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stats/metric_private.h"
#include "stats/power.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"

static const double POWER = 0.8;

/* The rows that are drawn together. */
typedef struct resampler {
  eva_random random;
  const uint32_t *cluster; /* NULL: each row by itself */
  size_t n, units;
  double *weights; /* by row */
  double *counts;  /* by cluster */
} resampler;

static size_t count_clusters(const uint32_t *cluster, size_t n) {
  uint32_t highest = 0;
  for (size_t row = 0; row < n; row++) highest = cluster[row] > highest ? cluster[row] : highest;
  return (size_t)highest + 1;
}

static resampler resampler_of(const uint32_t *cluster, size_t n, uint64_t seed) {
  size_t units = cluster ? count_clusters(cluster, n) : n;
  return (resampler){.random = eva_random_of(seed), .cluster = cluster, .n = n, .units = units,
                     .weights = eva_alloc((n + 1) * sizeof(double)),
                     .counts = cluster ? eva_alloc((units + 1) * sizeof(double)) : NULL};
}

static void free_resampler(resampler *draws) {
  free(draws->weights);
  free(draws->counts);
}

static void draw(resampler *draws) {
  double *counts = draws->cluster ? draws->counts : draws->weights;
  memset(counts, 0, draws->units * sizeof *counts);
  for (size_t i = 0; i < draws->units; i++) counts[eva_random_below(&draws->random, draws->units)]++;
  if (!draws->cluster) return;
  for (size_t row = 0; row < draws->n; row++) draws->weights[row] = counts[draws->cluster[row]];
}

static size_t draws_for(size_t n) {
  size_t count = EVA_METRIC_ROWS_DRAWN / (n ? n : 1);
  return count > EVA_METRIC_DRAWS ? EVA_METRIC_DRAWS : count < EVA_METRIC_DRAWS_MIN ? EVA_METRIC_DRAWS_MIN : count;
}

static int has_spread(const double *values, size_t n) {
  static const double ROUNDING = 1e-12;
  for (size_t i = 1; i < n; i++) {
    if (fabs(values[i] - values[0]) > ROUNDING * (1 + fabs(values[0]))) return 1;
  }
  return 0;
}

static int is_share(eva_metric_kind kind) {
  return kind == EVA_METRIC_PRECISION || kind == EVA_METRIC_RECALL || kind == EVA_METRIC_F1;
}

static double clamp(const eva_metric *metric, double bound) {
  eva_metric_kind kind = metric->options.kind;
  double low = is_share(kind) || kind == EVA_METRIC_AUC || !eva_metric_higher_is_better(kind) ? 0
               : kind == EVA_METRIC_ALPHA || kind == EVA_METRIC_KAPPA                         ? -INFINITY
                                                                                              : -1;
  double high = kind == EVA_METRIC_MAE || kind == EVA_METRIC_RMSE ? INFINITY : 1;
  return bound < low ? low : bound > high ? high : bound;
}

/* The interval of what the draws gave; reorders them. Where many rows leave few draws their percentiles are rough and
 * the normal approximation is good. */
static eva_interval interval_of(double *values, size_t count, double value, double error, double confidence) {
  if (count < EVA_METRIC_DRAWS / 2) {
    double half = eva_normal_quantile(0.5 + confidence / 2) * error;
    return (eva_interval){value - half, value + half};
  }
  double tail = 50 * (1 - confidence);
  eva_interval interval = {eva_percentile(values, count, tail), 0};
  interval.high = eva_percentile(values, count, 100 - tail);
  return interval;
}

static void bootstrap_summary(eva_metric *metric, const uint32_t *cluster, double confidence, uint64_t seed,
                              eva_metric_summary *summary) {
  size_t draws = draws_for(metric->data.n);
  resampler sampler = resampler_of(cluster, metric->data.n, seed);
  double *values = eva_alloc(draws * sizeof *values);
  size_t count = 0;
  for (size_t i = 0; i < draws && sampler.units > 1; i++) {
    draw(&sampler);
    double value = eva_metric_value(metric, sampler.weights);
    if (isfinite(value)) values[count++] = value;
  }
  summary->draws = draws;
  if (has_spread(values, count) && 2 * count > draws) {
    summary->standard_error = sqrt(eva_variance(values, count));
    eva_interval ci = interval_of(values, count, summary->value, summary->standard_error, confidence);
    summary->ci = (eva_interval){clamp(metric, ci.low), clamp(metric, ci.high)};
  } else if (is_share(metric->options.kind) && (summary->value == 0 || summary->value == 1)) {
    summary->ci = eva_wilson(summary->value == 1 ? sampler.units : 0, sampler.units, confidence);
  }
  free(values);
  free_resampler(&sampler);
}

eva_metric_summary eva_metric_summarize(eva_metric *metric, const uint32_t *cluster, double confidence, uint64_t seed) {
  size_t n = metric->data.n;
  eva_metric_summary summary = {.value = eva_metric_value(metric, NULL), .standard_error = NAN, .n = n};
  summary.ci = (eva_interval){NAN, NAN};
  if (isnan(summary.value)) return summary;
  double *values = eva_alloc((n + 1) * sizeof *values);
  if (eva_metric_per_row(metric, values)) {
    eva_summary of_rows = eva_summarize(values, n, cluster, confidence);
    summary.standard_error = of_rows.standard_error;
    summary.ci = (eva_interval){clamp(metric, of_rows.ci.low), clamp(metric, of_rows.ci.high)};
  } else {
    bootstrap_summary(metric, cluster, confidence, seed, &summary);
  }
  free(values);
  return summary;
}

/* Two runs ----------------------------------------------------------------------------------------------------------- */

/* How far a row is from right; NaN where a row by itself is neither. */
static double row_loss(const eva_metric *metric, size_t row) {
  const eva_metric_data *data = &metric->data;
  switch (metric->options.kind) {
    case EVA_METRIC_ACCURACY:
    case EVA_METRIC_PRECISION:
    case EVA_METRIC_RECALL:
    case EVA_METRIC_F1: return data->labels[2 * row] != data->labels[2 * row + 1];
    case EVA_METRIC_MAE:
    case EVA_METRIC_RMSE: return fabs(data->x[row] - data->y[row]);
    default: return NAN;
  }
}

static void count_changes(const eva_metric *baseline, const eva_metric *candidate, eva_paired *result) {
  for (size_t row = 0; row < baseline->data.n; row++) {
    double before = row_loss(baseline, row);
    double after = row_loss(candidate, row);
    result->improved += after < before;
    result->regressed += after > before;
    result->same += after == before;
  }
}

/* Twice the share of draws on the other side of 0, each draw with the observed data counted among them. */
static double two_sided(const double *deltas, size_t count) {
  size_t below = 0;
  size_t above = 0;
  for (size_t i = 0; i < count; i++) {
    below += deltas[i] <= 0;
    above += deltas[i] >= 0;
  }
  double p = 2 * (double)((below < above ? below : above) + 1) / (double)(count + 1);
  return p < 1 ? p : 1;
}

/* Were the runs the same, each unit in which they differ could as well have differed the other way round: p is at least
 * that of all of them doing so together, 2 of 2^k ways. A bootstrap of few units knows nothing of that. */
static double least_p(size_t differing) { return differing > 0 && differing < 1000 ? exp2(1 - (double)differing) : 0; }

static void bootstrap_compare(eva_metric *baseline, eva_metric *candidate, const uint32_t *cluster,
                              const eva_paired_options *options, eva_paired *result) {
  size_t draws = draws_for(result->n);
  resampler sampler = resampler_of(cluster, result->n, options->seed);
  double *deltas = eva_alloc(draws * sizeof *deltas);
  size_t count = 0;
  for (size_t i = 0; i < draws && sampler.units > 1; i++) {
    draw(&sampler);
    double delta = eva_metric_value(candidate, sampler.weights) - eva_metric_value(baseline, sampler.weights);
    if (isfinite(delta)) deltas[count++] = delta;
  }
  if (2 * count > draws) {
    result->test = EVA_TEST_BOOTSTRAP;
    result->standard_error = sqrt(eva_variance(deltas, count));
    result->p_value = two_sided(deltas, count);
    /* Few draws: a normal interval and a p that agrees with it. */
    if (count < EVA_METRIC_DRAWS / 2 && result->standard_error > 0) {
      result->p_value = 2 * eva_normal_cdf(-fabs(result->delta) / result->standard_error);
    }
    result->p_value = fmax(result->p_value, least_p(options->differing));
    result->ci = interval_of(deltas, count, result->delta, result->standard_error, options->confidence);
    result->mde = eva_detectable_difference(result->standard_error, options->alpha, POWER);
    result->clusters = cluster ? sampler.units : 0;
  }
  free(deltas);
  free_resampler(&sampler);
}

eva_paired eva_metric_compare(eva_metric *baseline, eva_metric *candidate, const uint32_t *cluster,
                              const eva_paired_options *options) {
  size_t n = baseline->data.n;
  double *before = eva_alloc((2 * n + 1) * sizeof *before);
  eva_paired result = {.n = n};
  if (n > 0 && eva_metric_per_row(baseline, before) && eva_metric_per_row(candidate, before + n)) {
    result = eva_compare_paired(before, before + n, n, cluster, options);
  } else {
    result.baseline_mean = eva_metric_value(baseline, NULL);
    result.candidate_mean = eva_metric_value(candidate, NULL);
    result.delta = result.candidate_mean - result.baseline_mean;
    result.standard_error = result.p_value = result.effect_size = result.mde = NAN;
    result.ci = (eva_interval){NAN, NAN};
    count_changes(baseline, candidate, &result);
    if (isfinite(result.delta)) bootstrap_compare(baseline, candidate, cluster, options, &result);
    result.verdict = eva_paired_verdict(n, result.ci, result.p_value, options);
  }
  free(before);
  return result;
}
