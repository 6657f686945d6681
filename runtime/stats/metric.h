/* Measures over all pairs of a prediction and the truth (accuracy, F1, kappa, correlations, ...), with intervals by the
 * bootstrap and a paired comparison of two runs.
 *
 * Every measure is a pure function of the data and of how often each row counts, so one bootstrap serves them all: a
 * draw is a list of weights. What does not exist (a correlation without spread) is NaN. */
#ifndef EVA_STATS_METRIC_H
#define EVA_STATS_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "stats/paired.h"
#include "stats/summary.h"

#define EVA_NO_LABEL UINT32_MAX /* a rating that a rater did not give */

typedef enum eva_metric_kind {
  EVA_METRIC_ACCURACY,
  EVA_METRIC_PRECISION,
  EVA_METRIC_RECALL,
  EVA_METRIC_F1,
  EVA_METRIC_KAPPA,
  EVA_METRIC_ALPHA,
  EVA_METRIC_PEARSON,
  EVA_METRIC_SPEARMAN,
  EVA_METRIC_KENDALL,
  EVA_METRIC_MAE,
  EVA_METRIC_RMSE,
  EVA_METRIC_CALIBRATION_ERROR,
  EVA_METRIC_AUC,
  EVA_METRIC_KINDS
} eva_metric_kind;

/* Of precision, recall and F1: over the labels that occur in the predictions or the truth, unweighted (macro), by how
 * often each is the truth (weighted), over all rows at once (micro, which is the accuracy), or of one label. */
typedef enum eva_average { EVA_AVERAGE_MACRO, EVA_AVERAGE_MICRO, EVA_AVERAGE_WEIGHTED, EVA_AVERAGE_LABEL } eva_average;

/* Of kappa: how much a disagreement of labels i and j counts: i != j, |i - j|, (i - j)^2. */
typedef enum eva_label_weight { EVA_WEIGHT_NONE, EVA_WEIGHT_LINEAR, EVA_WEIGHT_QUADRATIC } eva_label_weight;

/* Of alpha: what two ratings differ by. */
typedef enum eva_level { EVA_LEVEL_NOMINAL, EVA_LEVEL_ORDINAL, EVA_LEVEL_INTERVAL } eva_level;

typedef struct eva_metric_options {
  eva_metric_kind kind;
  eva_average average;
  uint32_t label; /* of EVA_AVERAGE_LABEL */
  eva_label_weight weight;
  eva_level level;
  size_t bins; /* of the calibration error; 0: 10 */
} eva_metric_options;

/* The rows. Kinds of labels read `labels`, row by row `raters` of them: prediction, truth (alpha: any number from 2 on,
 * EVA_NO_LABEL where there is none); numbers 0 .. label_count-1 in the order of the labels. The others read x (the
 * prediction) and y (the truth; of AUC and the calibration error 0 or 1). The data must live as long as the metric. */
typedef struct eva_metric_data {
  size_t n;
  const uint32_t *labels;
  size_t raters, label_count;
  const double *label_values; /* what each label is worth, for alpha of level interval */
  const double *x, *y;
} eva_metric_data;

typedef struct eva_metric eva_metric; /* the data with what is computed once, such as sorted orders */

eva_metric *eva_metric_new(const eva_metric_options *options, const eva_metric_data *data); /* free it with _free */
void eva_metric_free(eva_metric *metric); /* NULL is fine */

/* The measure; weights[i] (whole numbers) is how often row i counts, NULL: once each.
 *   precision = tp / predicted, recall = tp / true, F1 = 2 tp / (predicted + true), 0 where nothing is divided by 0
 *   kappa     = 1 - observed / expected disagreement (Cohen 1960, 1968)
 *   alpha     = the same over any number of raters (Krippendorff 2011, "Computing Krippendorff's alpha-reliability")
 *   spearman  = Pearson's r of midranks; kendall = tau-b (Kendall 1945; counted as Knight 1966 does, in n log n)
 *   calibration error = sum over equal bins of probability of |mean probability - share of 1s|, weighted by their rows
 *               (Guo et al. 2017, arXiv 1706.04599, equation 3; a bin is open below and closed above)
 *   auc       = the chance that a 1 has a higher prediction than a 0, ties half (Mann and Whitney 1947) */
double eva_metric_value(eva_metric *metric, const double *weights);

int eva_metric_higher_is_better(eva_metric_kind kind); /* 0: mae, rmse, calibration_error */
const char *eva_metric_name(eva_metric_kind kind);     /* "f1" */

/* The mean of something per row (accuracy, micro averages, mae): fills values[0 .. n-1] and returns 1; else 0. */
int eva_metric_per_row(const eva_metric *metric, double *values);

typedef struct eva_metric_summary {
  double value, standard_error;
  eva_interval ci;
  size_t n;     /* rows */
  size_t draws; /* of the bootstrap; 0 where the interval is that of a mean */
} eva_metric_summary;

/* The value with its interval. Means have that of eva_summarize; the others the percentile interval of a seeded
 * bootstrap over rows or clusters (Efron 1979), of large data the normal one of its standard error. A bootstrap without
 * any spread gives no interval, but shares (precision, recall, F1) that of Wilson for 0 or all of n. */
eva_metric_summary eva_metric_summarize(eva_metric *metric, const uint32_t *cluster, double confidence, uint64_t seed);

/* Compares the same rows in two runs. Means are compared by eva_compare_paired; the others by the paired bootstrap: each
 * draw weighs the rows of both runs alike, p is twice the share of draws on the other side of 0, and at least
 * 2^(1 - options->differing). `improved`, `regressed`
 * and `same` are counted where each row is right or wrong by itself (labels, mae, rmse), else 0. */
eva_paired eva_metric_compare(eva_metric *baseline, eva_metric *candidate, const uint32_t *cluster,
                              const eva_paired_options *options);

enum {
  EVA_METRIC_DRAWS = 2000,       /* of the bootstrap of small data */
  EVA_METRIC_DRAWS_MIN = 200,    /* of large data */
  EVA_METRIC_ROWS_DRAWN = 10000000 /* rows in all draws, which decides between the two */
};

#endif
