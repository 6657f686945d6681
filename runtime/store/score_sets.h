/* Score sets: scores that were given to the stored outputs of a run afterwards, beside its own.
 *
 * Functions that read scores take "ID" for the run's own scores and "ID@SET" for those of a set. What people said
 * (source 'human') belongs to the run and is read with every set. */
#ifndef EVA_STORE_SCORE_SETS_H
#define EVA_STORE_SCORE_SETS_H

#include "store/store.h"

/* A run and which of its scores are meant; `set` is "" for its own. Points into the text it was made from. */
typedef struct eva_scored_run {
  eva_text experiment;
  eva_text set;
} eva_scored_run;

eva_scored_run eva_scored_run_of(const char *id);
/* The set in which the scores of `scorer_id` are: what people say is always in the run's own. */
eva_text eva_set_of_scorer(eva_text set, eva_text scorer_id);
int eva_is_human_scorer(eva_text scorer_id); /* human/NAME */

enum { EVA_SCORE_SET_COLUMN_COUNT = 11 };
/* name, status, scorers, suite, total, command_line, git, host, created_at, completed_at, scored (results with a score
 * of the set; only when read) */
extern const eva_column eva_score_set_columns[EVA_SCORE_SET_COLUMN_COUNT];

/* Makes the set `name` of an experiment. EVA_E_EXISTS when there is one. */
eva_code eva_score_set_create(eva_store *store, const char *experiment_id,
                              const eva_value values[EVA_SCORE_SET_COLUMN_COUNT], eva_error *error);
/* Sets status (running complete incomplete), total and completed_at (none: null). EVA_E_NOT_FOUND names the set. */
eva_code eva_score_set_update(eva_store *store, const char *experiment_id, eva_text name, eva_text status,
                              int64_t total, eva_text completed_at, eva_error *error);
/* The sets of an experiment, oldest first; columns are eva_score_set_columns. */
eva_code eva_score_set_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);

#endif
