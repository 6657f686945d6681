/* What a run reads and writes in the store, item by item: the hot path of the engine.
 *
 * Jobs come in selection order; results, attempts and scores are single prepared inserts that the caller groups in
 * transactions (eva_store_begin, eva_store_commit in store.h). All texts are JSON in storage form unless said
 * otherwise; none is SQL NULL. Nothing here allocates per row. */
#ifndef EVA_STORE_RUNS_H
#define EVA_STORE_RUNS_H

#include "store/items.h"
#include "store/store.h"

/* What a job of a score set carries of the stored result, besides the output: that is the item's `output` then, and
 * `context` is what the target returned, where it did. */
typedef enum eva_job_result {
  EVA_JOB_RESULT_ERROR,
  EVA_JOB_RESULT_USAGE,
  EVA_JOB_RESULT_STEPS,
  EVA_JOB_RESULT_TRAJECTORY,
  EVA_JOB_RESULT_LATENCY, /* a number as text */
  EVA_JOB_RESULT_COUNT
} eva_job_result;

/* One (item, trial) of an experiment's selection with the item as it was pinned. Texts live until the callback ends. */
typedef struct eva_job {
  int64_t position; /* 1, 2, 3 ... in item order, trials of an item next to each other */
  eva_text item_id;
  int64_t item_version; /* the version in which this state of the item appeared */
  int trial;            /* from 1 */
  eva_text fields[EVA_ITEM_FIELD_COUNT];
  int has_result; /* a job of a score set: `result` is filled */
  eva_text result[EVA_JOB_RESULT_COUNT];
} eva_job;

typedef void (*eva_job_callback)(void *context, const eva_job *job);

/* Which jobs of a selection run. Functions that take an experiment's id here take "ID@SET", too (store/score_sets.h):
 * then all are those with a stored result, jobs carry it, and only their scores are stored, in that set. */
typedef enum eva_job_set {
  EVA_JOBS_ALL,
  EVA_JOBS_MISSING, /* those without a result of the same item, item version and trial, or whose worker was killed by
                       SIGKILL while they ran (resume) */
  EVA_JOBS_FAILED,  /* those whose target or a scorer failed (retry) */
  EVA_JOBS_UNSCORED,         /* of a set: those whose target was fine and that have no score of the set */
  EVA_JOBS_UNSCORED_ANY      /* the same whether the target was fine or not (but not the skipped) */
} eva_job_set;

/* Calls `each` for up to `limit` jobs after `after_position` (0 to start), in order. The callback must not use the
 * store. */
eva_code eva_jobs_page(eva_store *store, const char *experiment_id, int64_t after_position, int limit, eva_job_set set,
                       eva_job_callback each, void *context, eva_error *error);
/* Calls `each` for the position of every job of the set, in order; the same rule for the callback. Jobs whose item has
 * been removed from the store are in no set. */
eva_code eva_jobs_positions(eva_store *store, const char *experiment_id, eva_job_set set,
                            void (*each)(void *context, int64_t position), void *context, eva_error *error);

typedef struct eva_result_row {
  const char *experiment_id;
  int64_t position; /* of the job */
  eva_text item_id;
  int64_t item_version;
  int trial;
  const char *status; /* ok error timeout limited skipped */
  int passed;         /* 1, 0, or -1 for none */
  eva_text output, error, usage, steps, trajectory, context, metadata;
  int output_repaired;
  int64_t started_at_ms, completed_at_ms; /* wall clock; 0 is stored as null */
  double latency_ms;                      /* negative is stored as null */
  int retry_count;
  int interrupted_by; /* times it ran again through no fault of its own */
  int cache_hits, cache_misses; /* of its requests that took part in the cache; both 0 are stored as null */
} eva_result_row;

typedef struct eva_score_row {
  const char *experiment_id;
  eva_text item_id;
  int trial;
  eva_text scorer_id, scorer_name; /* plain text */
  eva_text step_id;                /* plain text; none is '' */
  int has_score;
  double score;
  eva_text label, reason; /* plain text */
  eva_text error;
  eva_text status; /* ok unscored error */
  eva_text metadata;
  int passed; /* 1, 0, or -1 for none */
  double latency_ms;
  int64_t position; /* of the job; 0: that of the last result added, which must be of the same item and trial, else it
                     * is looked up */
} eva_score_row;

typedef struct eva_attempt_row {
  const char *experiment_id;
  eva_text item_id;
  int trial;
  int attempt; /* from 1 */
  const char *status;
  eva_text error;
  int64_t started_at_ms;
  double latency_ms;
} eva_attempt_row;

/* A second result for the same job is EVA_E_EXISTS and changes nothing. */
eva_code eva_result_add(eva_store *store, const eva_result_row *row, eva_error *error);
/* The same in the place of the result that the job may have: that one becomes an attempt, its scores go, and
 * retry_count becomes the number of attempts. The caller's transaction makes it one change. */
eva_code eva_result_replace(eva_store *store, const eva_result_row *row, eva_error *error);
/* A second score with the same key is EVA_E_EXISTS and changes nothing. */
eva_code eva_score_add(eva_store *store, const eva_score_row *row, eva_error *error);
eva_code eva_attempt_add(eva_store *store, const eva_attempt_row *row, eva_error *error);
/* The same with the next free number: what an interrupted run has tried is kept. */
eva_code eva_attempt_append(eva_store *store, const eva_attempt_row *row, eva_error *error);

#endif
