/* Measures over labels: accuracy, precision, recall, F1, Cohen's kappa and Krippendorff's alpha. */
#include <math.h>
#include <string.h>

#include "stats/metric_private.h"

/* How often each label was predicted, was the truth, and both. */
typedef struct label_counts {
  double *hits, *predicted, *truth; /* by label */
  double total;
} label_counts;

static label_counts count_labels(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  size_t labels = data->label_count;
  label_counts counts = {metric->scratch, metric->scratch + labels, metric->scratch + 2 * labels, 0};
  memset(metric->scratch, 0, 3 * labels * sizeof *metric->scratch);
  for (size_t row = 0; row < data->n; row++) {
    double weight = eva_metric_weight_of(weights, row);
    uint32_t predicted = data->labels[2 * row];
    uint32_t truth = data->labels[2 * row + 1];
    counts.predicted[predicted] += weight;
    counts.truth[truth] += weight;
    if (predicted == truth) counts.hits[truth] += weight;
    counts.total += weight;
  }
  return counts;
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

static double of_label(const label_counts *counts, size_t label, eva_metric_kind kind) {
  double hits = counts->hits[label];
  if (kind == EVA_METRIC_PRECISION) return ratio(hits, counts->predicted[label]);
  if (kind == EVA_METRIC_RECALL) return ratio(hits, counts->truth[label]);
  return ratio(2 * hits, counts->predicted[label] + counts->truth[label]);
}

static double averaged(eva_metric *metric, const double *weights) {
  label_counts counts = count_labels(metric, weights);
  const eva_metric_options *options = &metric->options;
  if (options->average == EVA_AVERAGE_LABEL) {
    return options->label < metric->data.label_count ? of_label(&counts, options->label, options->kind) : NAN;
  }
  eva_sum sum = {0, 0};
  double whole = 0;
  for (size_t label = 0; label < metric->data.label_count; label++) {
    if (counts.predicted[label] + counts.truth[label] == 0) continue;
    double share = options->average == EVA_AVERAGE_WEIGHTED ? counts.truth[label] : 1;
    double value = options->average == EVA_AVERAGE_MICRO ? counts.hits[label]
                                                         : share * of_label(&counts, label, options->kind);
    eva_sum_add(&sum, value);
    whole += options->average == EVA_AVERAGE_MICRO ? counts.truth[label] : share;
  }
  return whole > 0 ? eva_sum_total(&sum) / whole : NAN;
}

static double accuracy(const eva_metric *metric, const double *weights) {
  double hits = 0;
  double total = 0;
  for (size_t row = 0; row < metric->data.n; row++) {
    double weight = eva_metric_weight_of(weights, row);
    if (metric->data.labels[2 * row] == metric->data.labels[2 * row + 1]) hits += weight;
    total += weight;
  }
  return total > 0 ? hits / total : NAN;
}

static double disagreement(eva_label_weight weight, double distance) {
  if (weight == EVA_WEIGHT_NONE) return distance != 0;
  return weight == EVA_WEIGHT_LINEAR ? distance : distance * distance;
}

/* The mean disagreement of two labels drawn from the two margins, each by itself, from sums over single labels. */
static double expected_disagreement(const label_counts *counts, size_t labels, eva_label_weight weight) {
  double total = counts->total;
  double same = 0;
  double linear = 0;
  double mean_x = 0;
  double mean_y = 0;
  double square = 0;
  double below_x = 0;
  double below_y = 0;
  for (size_t label = 0; label < labels; label++) {
    double x = counts->predicted[label] / total;
    double y = counts->truth[label] / total;
    double position = (double)label;
    same += x * y;
    below_x += x;
    below_y += y;
    linear += below_x * (1 - below_y) + below_y * (1 - below_x); /* pairs that the step after this label parts */
    mean_x += position * x;
    mean_y += position * y;
    square += position * position * (x + y);
  }
  if (weight == EVA_WEIGHT_NONE) return 1 - same;
  return weight == EVA_WEIGHT_LINEAR ? linear : square - 2 * mean_x * mean_y;
}

static double kappa(eva_metric *metric, const double *weights) {
  static const double ROUNDING = 1e-12; /* sums of shares that differ by less are equal */
  label_counts counts = count_labels(metric, weights);
  if (!(counts.total > 0)) return NAN;
  eva_sum observed = {0, 0};
  for (size_t row = 0; row < metric->data.n; row++) {
    double distance = fabs((double)metric->data.labels[2 * row] - (double)metric->data.labels[2 * row + 1]);
    eva_sum_add(&observed, eva_metric_weight_of(weights, row) * disagreement(metric->options.weight, distance));
  }
  double expected = expected_disagreement(&counts, metric->data.label_count, metric->options.weight);
  if (expected <= ROUNDING) return NAN;
  double found = 1 - eva_sum_total(&observed) / counts.total / expected;
  return fabs(found) < ROUNDING ? 0 : found;
}

double eva_metric_of_labels(eva_metric *metric, const double *weights) {
  switch (metric->options.kind) {
    case EVA_METRIC_ACCURACY: return accuracy(metric, weights);
    case EVA_METRIC_KAPPA: return kappa(metric, weights);
    default: return averaged(metric, weights);
  }
}

/* Alpha -------------------------------------------------------------------------------------------------------------- */

static size_t ratings_of(const eva_metric_data *data, size_t row) {
  size_t count = 0;
  for (size_t rater = 0; rater < data->raters; rater++) count += data->labels[row * data->raters + rater] != EVA_NO_LABEL;
  return count;
}

/* What each label is worth: its own value, or at the ordinal level the middle of its ranks among all ratings. */
static void value_labels(const eva_metric *metric, const double *totals, double *values) {
  double below = 0;
  double mean = 0;
  double count = 0;
  for (size_t label = 0; label < metric->data.label_count; label++) {
    values[label] = metric->options.level == EVA_LEVEL_INTERVAL ? metric->data.label_values[label]
                                                                : below + totals[label] / 2;
    below += totals[label];
    mean += values[label] * totals[label];
    count += totals[label];
  }
  /* Around their mean the squares keep their digits. */
  for (size_t label = 0; label < metric->data.label_count; label++) values[label] -= mean / count;
}

/* The sum of the disagreements of all ordered pairs of one unit's ratings. */
static double unit_disagreement(const eva_metric *metric, size_t row, const double *values) {
  const eva_metric_data *data = &metric->data;
  const uint32_t *ratings = data->labels + row * data->raters;
  double sum = 0;
  for (size_t i = 0; i < data->raters; i++) {
    for (size_t j = i + 1; j < data->raters; j++) {
      if (ratings[i] == EVA_NO_LABEL || ratings[j] == EVA_NO_LABEL || ratings[i] == ratings[j]) continue;
      double distance = metric->options.level == EVA_LEVEL_NOMINAL ? 1 : values[ratings[i]] - values[ratings[j]];
      sum += 2 * distance * distance;
    }
  }
  return sum;
}

double eva_metric_alpha(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  double *totals = metric->scratch;
  double *values = metric->scratch + data->label_count;
  memset(metric->scratch, 0, 2 * data->label_count * sizeof *metric->scratch);
  double pairable = 0;
  for (size_t row = 0; row < data->n; row++) {
    size_t ratings = ratings_of(data, row);
    double weight = eva_metric_weight_of(weights, row);
    if (ratings < 2 || weight == 0) continue;
    pairable += weight * (double)ratings;
    for (size_t rater = 0; rater < data->raters; rater++) {
      uint32_t label = data->labels[row * data->raters + rater];
      if (label != EVA_NO_LABEL) totals[label] += weight;
    }
  }
  if (!(pairable >= 2)) return NAN;
  value_labels(metric, totals, values);
  eva_sum observed = {0, 0};
  for (size_t row = 0; row < data->n; row++) {
    size_t ratings = ratings_of(data, row);
    double weight = eva_metric_weight_of(weights, row);
    if (ratings < 2 || weight == 0) continue;
    eva_sum_add(&observed, weight * unit_disagreement(metric, row, values) / (double)(ratings - 1));
  }
  eva_sum squares = {0, 0};
  for (size_t label = 0; label < data->label_count; label++) {
    eva_sum_add(&squares, metric->options.level == EVA_LEVEL_NOMINAL ? totals[label] * totals[label]
                                                                     : totals[label] * values[label] * values[label]);
  }
  double expected = metric->options.level == EVA_LEVEL_NOMINAL ? pairable * pairable - eva_sum_total(&squares)
                                                               : 2 * pairable * eva_sum_total(&squares);
  if (!(expected > 0)) return NAN;
  return 1 - (eva_sum_total(&observed) / pairable) / (expected / (pairable * (pairable - 1)));
}
