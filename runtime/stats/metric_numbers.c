/* Measures over numbers: correlations, errors, calibration and AUC. */
#include <math.h>
#include <string.h>

#include "stats/metric_private.h"

static double correlation(const double *x, const double *y, const double *weights, size_t n) {
  eva_sum sum_x = {0, 0};
  eva_sum sum_y = {0, 0};
  double total = 0;
  for (size_t i = 0; i < n; i++) {
    double weight = eva_metric_weight_of(weights, i);
    eva_sum_add(&sum_x, weight * x[i]);
    eva_sum_add(&sum_y, weight * y[i]);
    total += weight;
  }
  if (!(total >= 2)) return NAN;
  double mean_x = eva_sum_total(&sum_x) / total;
  double mean_y = eva_sum_total(&sum_y) / total;
  eva_sum xx = {0, 0};
  eva_sum yy = {0, 0};
  eva_sum xy = {0, 0};
  for (size_t i = 0; i < n; i++) {
    double weight = eva_metric_weight_of(weights, i);
    if (weight == 0) continue;
    eva_sum_add(&xx, weight * (x[i] - mean_x) * (x[i] - mean_x));
    eva_sum_add(&yy, weight * (y[i] - mean_y) * (y[i] - mean_y));
    eva_sum_add(&xy, weight * (x[i] - mean_x) * (y[i] - mean_y));
  }
  double product = sqrt(eva_sum_total(&xx)) * sqrt(eva_sum_total(&yy));
  if (!(product > 0)) return NAN;
  double r = eva_sum_total(&xy) / product;
  return r > 1 ? 1 : r < -1 ? -1 : r; /* beyond by rounding only */
}

/* The middle of the ranks of equal values, by row; order is that of the values. */
static void midranks(const double *values, const size_t *order, const double *weights, size_t n, double *ranks) {
  double below = 0;
  for (size_t first = 0; first < n;) {
    size_t end = first;
    double weight = 0;
    while (end < n && values[order[end]] == values[order[first]]) {
      weight += eva_metric_weight_of(weights, order[end++]);
    }
    for (size_t i = first; i < end; i++) ranks[order[i]] = below + (weight + 1) / 2;
    below += weight;
    first = end;
  }
}

static double spearman(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  double *ranks_x = metric->scratch;
  double *ranks_y = metric->scratch + data->n;
  midranks(data->x, metric->order_x, weights, data->n, ranks_x);
  midranks(data->y, metric->order_y, weights, data->n, ranks_y);
  return correlation(ranks_x, ranks_y, weights, data->n);
}

/* A Fenwick tree (Fenwick 1994): weights by rank, and sums of the ranks up to one. */
static void tree_add(double *tree, size_t size, size_t rank, double weight) {
  for (; rank <= size; rank += rank & (~rank + 1)) tree[rank] += weight;
}

static double tree_sum(const double *tree, size_t rank) {
  double sum = 0;
  for (; rank > 0; rank -= rank & (~rank + 1)) sum += tree[rank];
  return sum;
}

static double pairs_of(double weight) { return weight * (weight - 1) / 2; }

static double kendall(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  size_t ranks = metric->ranks_y;
  double *tree = metric->scratch;
  double *of_rank = metric->scratch + ranks + 1; /* how often each y occurs */
  memset(metric->scratch, 0, 2 * (ranks + 1) * sizeof *metric->scratch);
  double total = 0;
  double score = 0; /* concordant less discordant pairs */
  double ties_x = 0;
  for (size_t first = 0; first < data->n;) {
    size_t end = first;
    double group = 0;
    while (end < data->n && data->x[metric->order_x[end]] == data->x[metric->order_x[first]]) {
      size_t row = metric->order_x[end++];
      double weight = eva_metric_weight_of(weights, row);
      uint32_t rank = metric->rank_y[row];
      score += weight * (tree_sum(tree, rank - 1) - (total - tree_sum(tree, rank)));
      group += weight;
    }
    for (size_t i = first; i < end; i++) {
      size_t row = metric->order_x[i];
      double weight = eva_metric_weight_of(weights, row);
      tree_add(tree, ranks, metric->rank_y[row], weight);
      of_rank[metric->rank_y[row]] += weight;
    }
    total += group;
    ties_x += pairs_of(group);
    first = end;
  }
  double ties_y = 0;
  for (size_t rank = 1; rank <= ranks; rank++) ties_y += pairs_of(of_rank[rank]);
  double all = pairs_of(total);
  double product = sqrt(all - ties_x) * sqrt(all - ties_y);
  if (!(product > 0)) return NAN;
  double tau = score / product;
  return tau > 1 ? 1 : tau < -1 ? -1 : tau;
}

static double mean_error(const eva_metric_data *data, const double *weights, int squared) {
  eva_sum sum = {0, 0};
  double total = 0;
  for (size_t row = 0; row < data->n; row++) {
    double weight = eva_metric_weight_of(weights, row);
    double error = fabs(data->x[row] - data->y[row]);
    eva_sum_add(&sum, weight * (squared ? error * error : error));
    total += weight;
  }
  if (!(total > 0)) return NAN;
  double mean = eva_sum_total(&sum) / total;
  return squared ? sqrt(mean) : mean;
}

static double calibration_error(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  size_t bins = metric->options.bins;
  double *predicted = metric->scratch;
  double *truth = metric->scratch + bins;
  memset(metric->scratch, 0, 3 * bins * sizeof *metric->scratch);
  double total = 0;
  for (size_t row = 0; row < data->n; row++) {
    double weight = eva_metric_weight_of(weights, row);
    double position = ceil(data->x[row] * (double)bins) - 1;
    size_t bin = position > 0 ? (size_t)position : 0;
    bin = bin < bins ? bin : bins - 1;
    predicted[bin] += weight * data->x[row];
    truth[bin] += weight * data->y[row];
    total += weight;
  }
  double sum = 0;
  for (size_t bin = 0; bin < bins; bin++) sum += fabs(predicted[bin] - truth[bin]);
  return total > 0 ? sum / total : NAN;
}

static double auc(const eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  double positives = 0;
  double negatives = 0;
  double wins = 0;
  for (size_t first = 0; first < data->n;) {
    size_t end = first;
    double positive = 0;
    double negative = 0;
    while (end < data->n && data->x[metric->order_x[end]] == data->x[metric->order_x[first]]) {
      size_t row = metric->order_x[end++];
      *(data->y[row] > 0.5 ? &positive : &negative) += eva_metric_weight_of(weights, row);
    }
    wins += positive * (negatives + negative / 2);
    positives += positive;
    negatives += negative;
    first = end;
  }
  return positives > 0 && negatives > 0 ? wins / (positives * negatives) : NAN;
}

double eva_metric_of_numbers(eva_metric *metric, const double *weights) {
  const eva_metric_data *data = &metric->data;
  switch (metric->options.kind) {
    case EVA_METRIC_PEARSON: return correlation(data->x, data->y, weights, data->n);
    case EVA_METRIC_SPEARMAN: return spearman(metric, weights);
    case EVA_METRIC_KENDALL: return kendall(metric, weights);
    case EVA_METRIC_MAE: return mean_error(data, weights, 0);
    case EVA_METRIC_RMSE: return mean_error(data, weights, 1);
    case EVA_METRIC_CALIBRATION_ERROR: return calibration_error(metric, weights);
    case EVA_METRIC_AUC: return auc(metric, weights);
    default: return NAN;
  }
}
