/* What people say of results: who reviews an experiment, how far each result is, and their scores.
 *
 * A person's score is a row of `scores` with scorer human/NAME and source 'human', in the run's own score set. */
#ifndef EVA_STORE_REVIEWS_H
#define EVA_STORE_REVIEWS_H

#include "store/store.h"

enum { EVA_REVIEWER_COLUMN_COUNT = 3, EVA_REVIEW_COLUMN_COUNT = 7, EVA_ANSWER_COLUMN_COUNT = 10 };
extern const eva_column eva_reviewer_columns[EVA_REVIEWER_COLUMN_COUNT]; /* name, options (JSON), created_at */
/* position, item_id, trial, state (needs_review reviewed complete), tags (JSON list), updated_at, updated_by */
extern const eva_column eva_review_columns[EVA_REVIEW_COLUMN_COUNT];
/* position, item_id, trial, scorer_id, status, score, label, passed, reason, scored_at */
extern const eva_column eva_answer_columns[EVA_ANSWER_COLUMN_COUNT];

/* Adds a reviewer, or changes what they choose from. */
eva_code eva_reviewer_put(eva_store *store, const char *experiment_id, eva_text name, eva_text options,
                          eva_error *error);
/* By name; columns are eva_reviewer_columns. */
eva_code eva_reviewer_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);

/* Sets where people are with one result; updated_at not given is now. */
eva_code eva_review_put(eva_store *store, const char *experiment_id, const eva_value values[EVA_REVIEW_COLUMN_COUNT],
                        eva_error *error);
eva_code eva_review_remove(eva_store *store, const char *experiment_id, int64_t position, eva_error *error);
/* In item order; columns are eva_review_columns. */
eva_code eva_review_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error);

/* Stores what a person says of one result, in the place of what they said before; scored_at not given is now.
 * EVA_E_ARGUMENT when the scorer is none of a person; EVA_E_STATE when a machine's score is in that place. */
eva_code eva_answer_put(eva_store *store, const char *experiment_id, const eva_value values[EVA_ANSWER_COLUMN_COUNT],
                        eva_error *error);
eva_code eva_answer_remove(eva_store *store, const char *experiment_id, int64_t position, eva_text scorer_id,
                           eva_error *error);
/* The scores of one scorer, a person's or a machine's ("ID@SET"), in item order; columns are eva_answer_columns. */
eva_code eva_answer_list(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                         eva_statement **rows, eva_error *error);

#endif
