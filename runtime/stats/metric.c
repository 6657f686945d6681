/* Metrics: what is computed once, and which measure is asked for. */
#include "stats/metric_private.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"

static const char *const names[EVA_METRIC_KINDS] = {
    "accuracy", "precision", "recall", "f1",   "kappa",             "alpha", "pearson",
    "spearman", "kendall",   "mae",    "rmse", "calibration_error", "auc",
};

const char *eva_metric_name(eva_metric_kind kind) { return names[kind]; }

int eva_metric_higher_is_better(eva_metric_kind kind) {
  return kind != EVA_METRIC_MAE && kind != EVA_METRIC_RMSE && kind != EVA_METRIC_CALIBRATION_ERROR;
}

double eva_metric_weight_of(const double *weights, size_t row) { return weights ? weights[row] : 1; }

typedef struct sort_entry {
  double value;
  size_t row;
} sort_entry;

static int compare_entries(const void *left, const void *right) {
  const sort_entry *a = left;
  const sort_entry *b = right;
  if (a->value != b->value) return a->value < b->value ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

size_t *eva_metric_order(const double *values, size_t n) {
  sort_entry *entries = eva_alloc((n + 1) * sizeof *entries);
  for (size_t row = 0; row < n; row++) entries[row] = (sort_entry){values[row], row};
  qsort(entries, n, sizeof *entries, compare_entries);
  size_t *order = eva_alloc((n + 1) * sizeof *order);
  for (size_t i = 0; i < n; i++) order[i] = entries[i].row;
  free(entries);
  return order;
}

static void rank_truths(eva_metric *metric) {
  const double *y = metric->data.y;
  metric->rank_y = eva_alloc((metric->data.n + 1) * sizeof *metric->rank_y);
  for (size_t i = 0; i < metric->data.n; i++) {
    size_t row = metric->order_y[i];
    if (i == 0 || y[row] != y[metric->order_y[i - 1]]) metric->ranks_y++;
    metric->rank_y[row] = (uint32_t)metric->ranks_y;
  }
}

static size_t scratch_size(const eva_metric *metric) {
  switch (metric->options.kind) {
    case EVA_METRIC_PRECISION:
    case EVA_METRIC_RECALL:
    case EVA_METRIC_F1:
    case EVA_METRIC_KAPPA: return 3 * metric->data.label_count;
    case EVA_METRIC_ALPHA: return 2 * metric->data.label_count;
    case EVA_METRIC_SPEARMAN: return 2 * metric->data.n;
    case EVA_METRIC_KENDALL: return 2 * (metric->ranks_y + 1);
    case EVA_METRIC_CALIBRATION_ERROR: return 3 * metric->options.bins;
    default: return 0;
  }
}

eva_metric *eva_metric_new(const eva_metric_options *options, const eva_metric_data *data) {
  eva_metric *metric = eva_alloc_zeroed(1, sizeof *metric);
  metric->options = *options;
  metric->data = *data;
  if (metric->options.bins == 0) metric->options.bins = 10;
  eva_metric_kind kind = options->kind;
  if (kind == EVA_METRIC_SPEARMAN || kind == EVA_METRIC_KENDALL || kind == EVA_METRIC_AUC) {
    metric->order_x = eva_metric_order(data->x, data->n);
  }
  if (kind == EVA_METRIC_SPEARMAN || kind == EVA_METRIC_KENDALL) {
    metric->order_y = eva_metric_order(data->y, data->n);
    rank_truths(metric);
  }
  metric->scratch = eva_alloc((scratch_size(metric) + 1) * sizeof *metric->scratch);
  return metric;
}

void eva_metric_free(eva_metric *metric) {
  if (!metric) return;
  free(metric->order_x);
  free(metric->order_y);
  free(metric->rank_y);
  free(metric->scratch);
  free(metric);
}

double eva_metric_value(eva_metric *metric, const double *weights) {
  if (metric->data.n == 0) return NAN;
  double value;
  switch (metric->options.kind) {
    case EVA_METRIC_ACCURACY:
    case EVA_METRIC_PRECISION:
    case EVA_METRIC_RECALL:
    case EVA_METRIC_F1:
    case EVA_METRIC_KAPPA: value = eva_metric_of_labels(metric, weights); break;
    case EVA_METRIC_ALPHA: value = eva_metric_alpha(metric, weights); break;
    default: value = eva_metric_of_numbers(metric, weights); break;
  }
  return isfinite(value) ? value : NAN;
}

int eva_metric_per_row(const eva_metric *metric, double *values) {
  const eva_metric_data *data = &metric->data;
  eva_metric_kind kind = metric->options.kind;
  int is_micro = metric->options.average == EVA_AVERAGE_MICRO &&
                 (kind == EVA_METRIC_PRECISION || kind == EVA_METRIC_RECALL || kind == EVA_METRIC_F1);
  if (kind == EVA_METRIC_ACCURACY || is_micro) {
    for (size_t row = 0; row < data->n; row++) values[row] = data->labels[2 * row] == data->labels[2 * row + 1];
    return 1;
  }
  if (kind == EVA_METRIC_MAE) {
    for (size_t row = 0; row < data->n; row++) values[row] = fabs(data->x[row] - data->y[row]);
    return 1;
  }
  return 0;
}
