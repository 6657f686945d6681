/* Reading what runs left: results with their items and scores, counts, values, and two runs paired item by item. */
#ifndef EVA_STORE_RESULTS_H
#define EVA_STORE_RESULTS_H

#include "data/reduce.h"
#include "store/store.h"

enum { EVA_RESULT_COLUMN_COUNT = 25, EVA_SCORE_COLUMN_COUNT = 11 };
/* position, item_id, item_version, trial, status, passed, input, ground_truth, output, error, started_at, completed_at,
 * latency_ms, retry_count, usage, steps, trajectory, context (the target's, else the item's), metadata and tags (of the
 * item), target_metadata, output_repaired, interrupted_by, cache_hits, cache_misses */
extern const eva_column eva_result_columns[EVA_RESULT_COLUMN_COUNT];
/* scorer_id, scorer_name, step_id, status, score, label, passed, reason, error, metadata, latency_ms */
extern const eva_column eva_score_columns[EVA_SCORE_COLUMN_COUNT];

typedef struct eva_result_query {
  int64_t after;    /* a position; 0 for the first */
  int64_t limit;    /* 0: no limit */
  eva_text item_id; /* none: all */
  int failed;       /* 1: only those that failed or did not pass (not the skipped); 0: only the others; -1: all */
} eva_result_query;

/* Each returns a statement to step. */
eva_code eva_result_list(eva_store *store, const char *experiment_id, const eva_result_query *query,
                         eva_statement **rows, eva_error *error);
eva_code eva_score_list(eva_store *store, const char *experiment_id, int64_t position, eva_statement **rows,
                        eva_error *error);
/* Columns: status, score, label, passed; in item order. */
eva_code eva_score_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error);
/* Of every result: item_id, whether the target failed, whether there is a score of this scorer, its status, score, label
 * and passed; in item order, the trials of an item next to each other. */
eva_code eva_trial_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error);
/* Of every result: item_id, status, passed; in item order, the trials of an item next to each other. */
eva_code eva_trial_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);
/* Whether one trial passed, as reducers count it: its own word, else a full score. 1, 0 or -1 for unknown. */
int eva_trial_passed(const eva_fold *fold, eva_statement *row, int status, int score, int passed);
/* Of every score, in item order: scorer_id, step_id, scorer_name, status, score, label, passed. */
eva_code eva_score_keys(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);
/* Column: latency_ms of everything that ran, in item order. */
eva_code eva_latency_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);

/* One row: requests that the cache answered, and those that it did not; null where none took part. */
eva_code eva_cache_counts(eva_store *store, const char *experiment_id, eva_statement **row, eva_error *error);
/* Column: usage (JSON text), of the results that have one. */
eva_code eva_usage_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);

/* One item of two runs. */
typedef enum eva_pair_side { EVA_PAIR_BOTH, EVA_PAIR_ONLY_BASELINE, EVA_PAIR_ONLY_CANDIDATE } eva_pair_side;
typedef enum eva_failure {
  EVA_FAILURE_NONE,
  EVA_FAILURE_NOT_PASSED,
  EVA_FAILURE_ERROR,
  EVA_FAILURE_TIMEOUT,
  EVA_FAILURE_LIMITED
} eva_failure;
typedef struct eva_pair {
  size_t id_start, id_len;               /* of the item id, in eva_pairs.ids */
  int64_t baseline_key, candidate_key;   /* the item's rows */
  int64_t position;                      /* of its first trial, in the candidate where that has it */
  double baseline, candidate;            /* scores, the trials reduced */
  int baseline_scored, candidate_scored; /* whether there is one */
  eva_failure baseline_failure, candidate_failure; /* not with a scorer */
  eva_pair_side side;
  int changed; /* input or ground truth differ between the two rows */
} eva_pair;

typedef struct eva_pairs {
  eva_pair *list; /* in the candidate's item order, what only the baseline has after it */
  size_t count, room;
  eva_buf ids;
} eva_pairs;

/* What is paired. With a scorer: the selected items with their scores. With scorer_id none: the items that have a
 * result (skipped is none), with their failures. */
typedef struct eva_pair_query {
  const char *ids[2]; /* baseline, candidate */
  eva_text scorer_id, step_id;
  eva_reduction reductions[2]; /* how the trials of an item become one; all zero: their mean */
} eva_pair_query;

/* Pairs two runs by item id, after reducing trials. Free with eva_pairs_free. */
eva_code eva_pairs_load(eva_store *store, const eva_pair_query *query, eva_pairs *pairs, eva_error *error);
void eva_pairs_free(eva_pairs *pairs);
eva_text eva_pair_id(const eva_pairs *pairs, const eva_pair *pair);

#endif
