/* What people say of results: rows of reviewers, reviews and scores. */
#include "store/reviews.h"

#include <string.h>

#include "base/clock.h"
#include "store/score_sets.h"
#include "store/store_private.h"

static const char SQL_REVIEWER_PUT[] =
    "INSERT INTO reviewers (experiment_id, name, options, created_at) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (experiment_id, name) DO UPDATE SET options = excluded.options";
static const char SQL_REVIEWERS[] =
    "SELECT name, options, created_at FROM reviewers WHERE experiment_id = ?1 ORDER BY name";
static const char SQL_REVIEW_PUT[] =
    "INSERT INTO reviews (experiment_id, position, item_id, trial, state, tags, updated_at, updated_by) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (experiment_id, position) DO UPDATE SET "
    "state = excluded.state, tags = excluded.tags, updated_at = excluded.updated_at, updated_by = excluded.updated_by";
static const char SQL_REVIEW_REMOVE[] = "DELETE FROM reviews WHERE experiment_id = ?1 AND position = ?2";
static const char SQL_REVIEWS[] =
    "SELECT position, item_id, trial, state, tags, updated_at, updated_by FROM reviews WHERE experiment_id = ?1 "
    "ORDER BY position";
static const char SQL_ANSWER_PUT[] =
    "INSERT INTO scores (experiment_id, position, item_id, trial, scorer_id, status, score, label, passed, reason, "
    "scored_at, step_id, score_set, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', '', 'human') "
    "ON CONFLICT (experiment_id, position, scorer_id, step_id, score_set) DO UPDATE SET status = excluded.status, "
    "score = excluded.score, label = excluded.label, passed = excluded.passed, reason = excluded.reason, "
    "scored_at = excluded.scored_at WHERE scores.source = 'human'";
static const char SQL_ANSWER_REMOVE[] =
    "DELETE FROM scores WHERE experiment_id = ?1 AND position = ?2 AND scorer_id = ?3 AND step_id = '' AND "
    "score_set = '' AND source = 'human'";
static const char SQL_ANSWERS[] =
    "SELECT position, item_id, trial, scorer_id, status, score, label, passed, reason, scored_at FROM scores "
    "WHERE experiment_id = ?1 AND scorer_id = ?3 AND step_id = ?4 AND score_set = ?2 ORDER BY position";

const eva_column eva_reviewer_columns[EVA_REVIEWER_COLUMN_COUNT] = {
    {"name", 't'}, {"options", 't'}, {"created_at", 't'}};
enum { REVIEW_UPDATED_AT = 5, ANSWER_SCORER = 3, ANSWER_SCORED_AT = 9 };
const eva_column eva_review_columns[EVA_REVIEW_COLUMN_COUNT] = {
    {"position", 'i'}, {"item_id", 't'},    {"trial", 'i'},     {"state", 't'},
    {"tags", 't'},     {"updated_at", 't'}, {"updated_by", 't'}};
const eva_column eva_answer_columns[EVA_ANSWER_COLUMN_COUNT] = {
    {"position", 'i'}, {"item_id", 't'}, {"trial", 'i'},  {"scorer_id", 't'}, {"status", 't'},
    {"score", 'd'},    {"label", 't'},   {"passed", 'b'}, {"reason", 't'},    {"scored_at", 't'}};

static eva_code prepare_for(eva_store *store, const char *sql, const char *id, eva_statement **rows,
                            eva_error *error) {
  eva_code code = eva_store_prepare(store, sql, rows, error);
  if (!code) eva_bind_text(*rows, 1, eva_scored_run_of(id).experiment);
  return code;
}

/* Runs a write of ?1 experiment and `count` values from ?2 on; *changed: rows. */
static eva_code write_row(eva_store *store, const char *sql, const char *id, const eva_value *values, int count,
                          int64_t *changed, eva_error *error) {
  int own = 0;
  eva_statement *statement = NULL;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = prepare_for(store, sql, id, &statement, error);
  if (!code) {
    for (int index = 0; index < count; index++) eva_bind_value(statement, index + 2, &values[index]);
    code = eva_run(statement, error);
  }
  *changed = code ? 0 : eva_changes(store->db);
  return eva_store_leave(store, own, code, error);
}

static eva_value text_value(eva_text text) {
  return text.data ? (eva_value){.type = 't', .text = text} : (eva_value){.type = 'n'};
}

static void give_now(eva_store *store, eva_value *value, char out[EVA_TIME_TEXT_SIZE]) {
  if (!value->type) *value = text_value(eva_store_time(store, eva_clock_wall_ms(), out));
}

eva_code eva_reviewer_put(eva_store *store, const char *experiment_id, eva_text name, eva_text options,
                          eva_error *error) {
  char now[EVA_TIME_TEXT_SIZE];
  int64_t changed = 0;
  eva_value values[] = {text_value(name), text_value(options), {0}};
  give_now(store, &values[2], now);
  return write_row(store, SQL_REVIEWER_PUT, experiment_id, values, 3, &changed, error);
}

eva_code eva_reviewer_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_REVIEWERS, experiment_id, rows, error);
}

eva_code eva_review_put(eva_store *store, const char *experiment_id, const eva_value given[EVA_REVIEW_COLUMN_COUNT],
                        eva_error *error) {
  eva_value values[EVA_REVIEW_COLUMN_COUNT];
  char now[EVA_TIME_TEXT_SIZE];
  int64_t changed = 0;
  memcpy(values, given, sizeof values);
  give_now(store, &values[REVIEW_UPDATED_AT], now);
  return write_row(store, SQL_REVIEW_PUT, experiment_id, values, EVA_REVIEW_COLUMN_COUNT, &changed, error);
}

eva_code eva_review_remove(eva_store *store, const char *experiment_id, int64_t position, eva_error *error) {
  int64_t changed = 0;
  eva_value value = {.type = 'i', .integer = position};
  return write_row(store, SQL_REVIEW_REMOVE, experiment_id, &value, 1, &changed, error);
}

eva_code eva_review_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_REVIEWS, experiment_id, rows, error);
}

eva_code eva_answer_put(eva_store *store, const char *experiment_id, const eva_value given[EVA_ANSWER_COLUMN_COUNT],
                        eva_error *error) {
  eva_value values[EVA_ANSWER_COLUMN_COUNT];
  char now[EVA_TIME_TEXT_SIZE];
  int64_t changed = 0;
  memcpy(values, given, sizeof values);
  eva_text scorer = values[ANSWER_SCORER].type == 't' ? values[ANSWER_SCORER].text : EVA_TEXT_NONE;
  if (!scorer.data || !eva_is_human_scorer(scorer)) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "what a person says is stored as human/NAME, not as \"%.*s\"",
                         (int)scorer.len, scorer.data ? scorer.data : "");
  }
  give_now(store, &values[ANSWER_SCORED_AT], now);
  eva_code code = write_row(store, SQL_ANSWER_PUT, experiment_id, values, EVA_ANSWER_COLUMN_COUNT, &changed, error);
  if (code || changed == 1) return code;
  return eva_error_set(error, EVA_E_STATE, NULL, "\"%.*s\" is a scorer of the run; its score is left as it is",
                       (int)scorer.len, scorer.data);
}

eva_code eva_answer_remove(eva_store *store, const char *experiment_id, int64_t position, eva_text scorer_id,
                           eva_error *error) {
  int64_t changed = 0;
  eva_value values[] = {{.type = 'i', .integer = position}, text_value(scorer_id)};
  return write_row(store, SQL_ANSWER_REMOVE, experiment_id, values, 2, &changed, error);
}

eva_code eva_answer_list(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                         eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, SQL_ANSWERS, experiment_id, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 2, eva_set_of_scorer(eva_scored_run_of(experiment_id).set, scorer_id));
  eva_bind_text(*rows, 3, scorer_id);
  eva_bind_text(*rows, 4, step_id.data ? step_id : EVA_TEXT_LITERAL(""));
  return EVA_OK;
}
