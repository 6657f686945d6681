/* What the files of the metrics share. */
#ifndef EVA_STATS_METRIC_PRIVATE_H
#define EVA_STATS_METRIC_PRIVATE_H

#include "stats/metric.h"

struct eva_metric {
  eva_metric_options options;
  eva_metric_data data;
  size_t *order_x, *order_y; /* rows sorted by x and by y, where a measure needs them */
  uint32_t *rank_y;          /* dense rank of y, from 1 */
  size_t ranks_y;
  double *scratch; /* per label or per row, see the measures */
};

/* Sorted positions of values[0 .. n-1]; free it. */
size_t *eva_metric_order(const double *values, size_t n);

double eva_metric_weight_of(const double *weights, size_t row); /* 1 without weights */

double eva_metric_of_labels(eva_metric *metric, const double *weights);  /* accuracy, precision, recall, F1, kappa */
double eva_metric_alpha(eva_metric *metric, const double *weights);
double eva_metric_of_numbers(eva_metric *metric, const double *weights); /* the others */

#endif
