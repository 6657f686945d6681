/* Several trials of one item become one value: statistics are taken over items, never over trials. */
#ifndef EVA_DATA_REDUCE_H
#define EVA_DATA_REDUCE_H

#include <stddef.h>
#include <stdint.h>

typedef enum eva_reducer {
  EVA_REDUCE_MEAN,
  EVA_REDUCE_MEDIAN,
  EVA_REDUCE_MODE,     /* the most frequent value; of several the one seen first */
  EVA_REDUCE_MAX,
  EVA_REDUCE_AT_LEAST, /* 1 when k trials passed */
  EVA_REDUCE_PASS_AT,  /* the chance that at least one of k trials passes */
  EVA_REDUCE_PASS_K    /* the chance that all of k trials pass */
} eva_reducer;

/* How the trials of an experiment are reduced. */
typedef struct eva_reduction {
  int trials; /* of each item; 1: nothing is reduced */
  eva_reducer reducer;
  int k;       /* of the last three */
  int applies; /* the scorer is for every item: one whose trials all failed did not pass */
} eva_reduction;

/* What is known of the trials of one item so far. */
typedef struct eva_fold {
  eva_reduction reduction;
  double *values; /* the scores, in the order of trials */
  size_t count, room;
  int64_t seen;   /* trials that have a result */
  int64_t failed; /* of these: the target failed */
  int64_t judged; /* trials that say whether they passed */
  int64_t passed;
} eva_fold;

/* 1 and *reducer for a name such as "pass_at"; 0 for a name that is none. */
int eva_reducer_find(const char *name, eva_reducer *reducer);
/* True for at_least, pass_at and pass_k: they count passes, and a failed trial is one that did not pass. */
int eva_reducer_counts(eva_reducer reducer);

void eva_fold_clear(eva_fold *fold);
void eva_fold_free(eva_fold *fold);
/* A trial with a result. `passed` is 1, 0 or -1 for unknown. */
void eva_fold_trial(eva_fold *fold, int failed, int passed);
void eva_fold_score(eva_fold *fold, double score);
/* 1 and *value, or 0 where the trials have none: no score, or fewer trials than k. */
int eva_fold_value(eva_fold *fold, double *value);
/* Whether the item passed: 1, 0, or -1 where nothing says so. mean, pass_k: all trials; median, mode: most; max,
 * pass_at: any; at_least: k of them. */
int eva_fold_passed(const eva_fold *fold);

#endif
