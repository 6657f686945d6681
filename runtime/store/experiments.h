/* Experiments: their records, and the selection of what each runs. */
#ifndef EVA_STORE_EXPERIMENTS_H
#define EVA_STORE_EXPERIMENTS_H

#include "base/id.h"
#include "store/store.h"

/* The columns of `experiments`, in the order of eva_experiment_columns. */
enum {
  EVA_EXPERIMENT_ID,
  EVA_EXPERIMENT_NUMBER,
  EVA_EXPERIMENT_NAME,
  EVA_EXPERIMENT_STATUS,
  EVA_EXPERIMENT_CREATED_AT,
  EVA_EXPERIMENT_STARTED_AT,
  EVA_EXPERIMENT_COMPLETED_AT,
  EVA_EXPERIMENT_VERDICT,
  EVA_EXPERIMENT_SUMMARY,
  EVA_EXPERIMENT_TOTAL_ITEMS,
  EVA_EXPERIMENT_DESCRIPTION,
  EVA_EXPERIMENT_METADATA,
  EVA_EXPERIMENT_TAGS,
  EVA_EXPERIMENT_ACCEPTED_AT,
  EVA_EXPERIMENT_VARIANT,
  EVA_EXPERIMENT_SUITE,
  EVA_EXPERIMENT_COMMAND_LINE,
  EVA_EXPERIMENT_DATASET_ID,
  EVA_EXPERIMENT_DATASET_NAME,
  EVA_EXPERIMENT_DATASET_VERSION,
  EVA_EXPERIMENT_DATASET_DIGEST,
  EVA_EXPERIMENT_TARGET_TYPE,
  EVA_EXPERIMENT_TARGET_ID,
  EVA_EXPERIMENT_TARGET_VERSION,
  EVA_EXPERIMENT_SCORERS,
  EVA_EXPERIMENT_METRICS,
  EVA_EXPERIMENT_SLICES,
  EVA_EXPERIMENT_OPTIONS,
  EVA_EXPERIMENT_PARAMS,
  EVA_EXPERIMENT_SELECTION,
  EVA_EXPERIMENT_GIT,
  EVA_EXPERIMENT_HOST,
  EVA_EXPERIMENT_SEED,
  EVA_EXPERIMENT_COLUMN_COUNT
};
extern const eva_column eva_experiment_columns[EVA_EXPERIMENT_COLUMN_COUNT];

/* Makes an experiment from the given values. Not given: id becomes a new UUIDv7, status "running", created_at and
 * started_at now; `number` is always the next of this store. `name` is required. EVA_E_EXISTS when the id is taken. */
eva_code eva_experiment_create(eva_store *store, const eva_value values[EVA_EXPERIMENT_COLUMN_COUNT],
                               char id[EVA_UUID_TEXT_SIZE], int64_t *number, eva_error *error);
/* Changes the given ones of the columns from EVA_EXPERIMENT_STATUS to EVA_EXPERIMENT_ACCEPTED_AT; type 'n' clears.
 * EVA_E_NOT_FOUND names the id. */
eva_code eva_experiment_update(eva_store *store, const char *id, const eva_value values[EVA_EXPERIMENT_COLUMN_COUNT],
                               eva_error *error);

/* The status to show: "interrupted" for one that should be running but that no process runs. */
eva_text eva_experiment_status(eva_store *store, eva_text stored, int64_t number);

/* Each returns a statement to step; its columns are eva_experiment_columns. `id` may be "ID@SET": the run of a set. */
eva_code eva_experiment_select(eva_store *store, eva_text id, eva_statement **rows, eva_error *error);
eva_code eva_experiment_select_number(eva_store *store, int64_t number, eva_statement **rows, eva_error *error);
eva_code eva_experiment_select_prefix(eva_store *store, eva_text prefix, eva_statement **rows, eva_error *error);
/* Newest first; a filter that is EVA_TEXT_NONE is none. `variant` "" finds those without a variant. */
eva_code eva_experiment_list(eva_store *store, eva_text name, eva_text variant, eva_text dataset_id,
                             eva_statement **rows, eva_error *error);

/* The accepted runs of that name and variant (EVA_TEXT_NONE or "": those without one), the last accepted first. */
eva_code eva_experiment_select_accepted(eva_store *store, eva_text name, eva_text variant, eva_statement **rows,
                                        eva_error *error);

/* From here on the view v_experiments of this connection says `interrupted` of the runs that no process runs any more:
 * only the locks beside the file tell. Nothing is written to the store. */
eva_code eva_experiments_show_interrupted(eva_store *store, eva_error *error);

/* Stores what the experiment runs: the items of `version` in order (at most `limit`; 0: all), each `trials` times.
 * Fills *count with the number of jobs. EVA_E_NOT_FOUND for a version that does not exist. */
eva_code eva_selection_fill(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                            int64_t limit, int trials, int64_t *count, eva_error *error);
/* The same for given items, in the order of the dataset. An id that the version does not have is EVA_E_NOT_FOUND,
 * naming up to 20 such ids. A repeated id counts once. `limit` (0: none) keeps the first items. */
eva_code eva_selection_fill_ids(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                                const eva_text *ids, size_t id_count, int64_t limit, int trials, int64_t *count,
                                eva_error *error);

#endif
