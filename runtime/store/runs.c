/* The hot path of a run: jobs out, results, scores and attempts in. */
#include "store/runs.h"

#include <string.h>

#include "store/score_sets.h"
#include "store/store_private.h"

#define JOB_COLUMNS                                                                                              \
  "s.position, s.item_id, s.item_version, s.trial, i.input, i.ground_truth, i.context, i.expected_trajectory, "  \
  "i.steps, i.output, i.metadata, i.tags, i.scorers, i.expect, i.tool_mocks, i.source "                          \
  "FROM selections s JOIN items i ON i.item_key = s.item_key WHERE s.experiment_id = ?1 AND s.position > ?2 "

static const char SQL_JOBS[] = "SELECT " JOB_COLUMNS "ORDER BY s.position LIMIT ?3";
/* A worker that somebody killed (a person, the kernel for want of memory) says nothing about its items. */
#define IS_MISSING                                                                                                \
  "AND NOT EXISTS (SELECT 1 FROM results r WHERE r.experiment_id = s.experiment_id AND r.position = s.position "   \
  "AND r.item_id = s.item_id AND r.item_version = s.item_version AND r.trial = s.trial AND "                       \
  "(r.error IS NULL OR r.error NOT LIKE '{\"code\":\"worker_crashed\",%died of signal SIGKILL%')) "
#define IS_FAILED                                                                                                 \
  "AND EXISTS (SELECT 1 FROM results r WHERE r.experiment_id = s.experiment_id AND r.position = s.position AND "   \
  "(r.status <> 'ok' OR EXISTS (SELECT 1 FROM scores c WHERE c.experiment_id = r.experiment_id AND "               \
  "c.position = r.position AND c.score_set = '' AND c.status = 'error'))) "
#define POSITIONS                                                                                                 \
  "SELECT s.position FROM selections s JOIN items i ON i.item_key = s.item_key WHERE s.experiment_id = ?1 "

static const char SQL_JOBS_MISSING[] = "SELECT " JOB_COLUMNS IS_MISSING "ORDER BY s.position LIMIT ?3";
static const char SQL_JOBS_FAILED[] = "SELECT " JOB_COLUMNS IS_FAILED "ORDER BY s.position LIMIT ?3";
static const char SQL_POSITIONS[] = POSITIONS "ORDER BY s.position";
static const char SQL_POSITIONS_MISSING[] = POSITIONS IS_MISSING "ORDER BY s.position";
static const char SQL_POSITIONS_FAILED[] = POSITIONS IS_FAILED "ORDER BY s.position";
/* Jobs of a score set: items with a stored result. ?4 (?2 of the positions) is the set. */
#define SET_JOB_COLUMNS                                                                                            \
  "s.position, s.item_id, s.item_version, s.trial, i.input, i.ground_truth, COALESCE(r.context, i.context), "      \
  "i.expected_trajectory, i.steps, r.output, i.metadata, i.tags, i.scorers, i.expect, i.tool_mocks, i.source, "    \
  "r.error, r.usage, r.steps, r.trajectory, r.latency_ms "
#define SET_JOBS                                                                                                   \
  "FROM selections s JOIN items i ON i.item_key = s.item_key JOIN results r ON r.experiment_id = s.experiment_id "  \
  "AND r.position = s.position WHERE s.experiment_id = ?1 "
#define WAS_FINE "AND r.status = 'ok' "
#define HAS_RUN "AND r.status <> 'skipped' "
#define IS_UNSCORED(SET)                                                                                           \
  "AND NOT EXISTS (SELECT 1 FROM scores c WHERE c.experiment_id = s.experiment_id AND c.position = s.position AND " \
  "c.score_set = " SET ") "
#define SET_PAGE(CONDITION)                                                                                        \
  "SELECT " SET_JOB_COLUMNS SET_JOBS "AND s.position > ?2 " CONDITION "ORDER BY s.position LIMIT ?3"
static const char SQL_SET_JOBS[] = SET_PAGE("");
static const char SQL_SET_JOBS_UNSCORED[] = SET_PAGE(WAS_FINE IS_UNSCORED("?4"));
static const char SQL_SET_JOBS_UNSCORED_ANY[] = SET_PAGE(HAS_RUN IS_UNSCORED("?4"));
static const char SQL_SET_POSITIONS[] = "SELECT s.position " SET_JOBS "ORDER BY s.position";
static const char SQL_SET_POSITIONS_UNSCORED[] =
    "SELECT s.position " SET_JOBS WAS_FINE IS_UNSCORED("?2") "ORDER BY s.position";
static const char SQL_SET_POSITIONS_UNSCORED_ANY[] =
    "SELECT s.position " SET_JOBS HAS_RUN IS_UNSCORED("?2") "ORDER BY s.position";

static const char SQL_RESULT_ADD[] =
    "INSERT INTO results (experiment_id, position, item_id, item_version, trial, status, passed, output, error, "
    "started_at, completed_at, latency_ms, retry_count, usage, steps, trajectory, context, metadata, output_repaired, "
    "interrupted_by, cache_hits, cache_misses) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
    "?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) ON CONFLICT DO NOTHING";
static const char SQL_SCORE_ADD[] =
    "INSERT INTO scores (experiment_id, position, scorer_id, step_id, score_set, item_id, trial, scorer_name, status, "
    "score, label, passed, reason, error, metadata, latency_ms) VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, ?7, ?8, ?9, ?10, "
    "?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING";
static const char SQL_SET_SCORE_ADD[] =
    "INSERT INTO scores (experiment_id, position, scorer_id, step_id, item_id, trial, scorer_name, status, score, "
    "label, passed, reason, error, metadata, latency_ms, score_set, scored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
    "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT DO NOTHING";
static const char SQL_ATTEMPT_ADD[] =
    "INSERT INTO attempts (experiment_id, item_id, trial, attempt, status, error, started_at, latency_ms) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
static const char SQL_ATTEMPT_APPEND[] =
    "INSERT INTO attempts (experiment_id, item_id, trial, attempt, status, error, started_at, latency_ms) "
    "SELECT ?1, ?2, ?3, COALESCE(MAX(attempt), 0) + 1, ?4, ?5, ?6, ?7 FROM attempts WHERE experiment_id = ?1 AND "
    "item_id = ?2 AND trial = ?3";
static const char SQL_RESULT_ARCHIVE[] =
    "INSERT INTO attempts (experiment_id, item_id, trial, attempt, status, error, started_at, latency_ms) "
    "SELECT r.experiment_id, r.item_id, r.trial, (SELECT COALESCE(MAX(a.attempt), 0) + 1 FROM attempts a WHERE "
    "a.experiment_id = r.experiment_id AND a.item_id = r.item_id AND a.trial = r.trial), r.status, r.error, "
    "r.started_at, r.latency_ms FROM results r WHERE r.experiment_id = ?1 AND r.position = ?2";
/* What people said of a result that is replaced is kept as the set "attempt N", with the number of its attempt. */
static const char SQL_HUMAN_SCORES_KEEP[] =
    "UPDATE scores SET score_set = 'attempt ' || (SELECT MAX(a.attempt) FROM attempts a WHERE a.experiment_id = "
    "scores.experiment_id AND a.item_id = scores.item_id AND a.trial = scores.trial) WHERE experiment_id = ?1 AND "
    "position = ?2 AND score_set = '' AND source = 'human'";
static const char SQL_REVIEW_REOPEN[] =
    "UPDATE reviews SET state = 'needs_review' WHERE experiment_id = ?1 AND position = ?2";
static const char SQL_SCORES_REMOVE[] =
    "DELETE FROM scores WHERE experiment_id = ?1 AND position = ?2 AND COALESCE(source, '') <> 'human'";
static const char SQL_RESULT_REMOVE[] = "DELETE FROM results WHERE experiment_id = ?1 AND position = ?2";
static const char SQL_ATTEMPT_COUNT[] =
    "SELECT COUNT(*) FROM attempts WHERE experiment_id = ?1 AND item_id = ?2 AND trial = ?3";
static const char SQL_POSITION_OF[] =
    "SELECT position FROM selections WHERE experiment_id = ?1 AND item_id = ?2 AND trial = ?3";

/* The statement for a set of jobs, its experiment bound, and the score set as parameter `at_set` where it has one. */
static eva_code prepare_jobs(eva_store *store, const char *const own[], const char *const of_set[], eva_job_set set,
                             const char *id, int at_set, eva_statement **rows, eva_error *error) {
  eva_scored_run run = eva_scored_run_of(id);
  const char *sql = run.set.len > 0 ? of_set[set] : own[set];
  if (!sql) return eva_error_set(error, EVA_E_ARGUMENT, NULL, "there are no such jobs of %s", id);
  eva_code code = eva_store_prepare(store, sql, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 1, run.experiment);
  if (set == EVA_JOBS_UNSCORED || set == EVA_JOBS_UNSCORED_ANY) eva_bind_text(*rows, at_set, run.set);
  return EVA_OK;
}

static void read_job(eva_statement *rows, int has_result, eva_job *job) {
  enum { FIELDS = 4 };
  *job = (eva_job){.position = eva_column_int(rows, 0),
                   .item_id = eva_column_text(rows, 1),
                   .item_version = eva_column_int(rows, 2),
                   .trial = (int)eva_column_int(rows, 3),
                   .has_result = has_result};
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) job->fields[field] = eva_column_text(rows, FIELDS + field);
  for (int part = 0; has_result && part < EVA_JOB_RESULT_COUNT; part++) {
    job->result[part] = eva_column_text(rows, FIELDS + EVA_ITEM_FIELD_COUNT + part);
  }
}

eva_code eva_jobs_page(eva_store *store, const char *experiment_id, int64_t after_position, int limit, eva_job_set set,
                       eva_job_callback each, void *context, eva_error *error) {
  static const char *const own[] = {SQL_JOBS, SQL_JOBS_MISSING, SQL_JOBS_FAILED, NULL, NULL};
  static const char *const of_set[] = {SQL_SET_JOBS, NULL, NULL, SQL_SET_JOBS_UNSCORED, SQL_SET_JOBS_UNSCORED_ANY};
  eva_statement *rows = NULL;
  eva_code code = prepare_jobs(store, own, of_set, set, experiment_id, 4, &rows, error);
  if (code) return code;
  int has_result = eva_scored_run_of(experiment_id).set.len > 0;
  eva_bind_int(rows, 2, after_position);
  eva_bind_int(rows, 3, limit);
  for (int row = 1;;) {
    code = eva_step(rows, &row, error);
    if (code || !row) return code;
    eva_job job;
    read_job(rows, has_result, &job);
    each(context, &job);
  }
}

eva_code eva_jobs_positions(eva_store *store, const char *experiment_id, eva_job_set set,
                            void (*each)(void *context, int64_t position), void *context, eva_error *error) {
  static const char *const own[] = {SQL_POSITIONS, SQL_POSITIONS_MISSING, SQL_POSITIONS_FAILED, NULL, NULL};
  static const char *const of_set[] = {SQL_SET_POSITIONS, NULL, NULL, SQL_SET_POSITIONS_UNSCORED,
                                       SQL_SET_POSITIONS_UNSCORED_ANY};
  eva_statement *rows = NULL;
  eva_code code = prepare_jobs(store, own, of_set, set, experiment_id, 2, &rows, error);
  if (code) return code;
  for (int row = 1;;) {
    code = eva_step(rows, &row, error);
    if (code || !row) return code;
    each(context, eva_column_int(rows, 0));
  }
}

/* Binding that says nothing where there is nothing: -1, 0 or a negative duration as SQL NULL. */
static void bind_passed(eva_statement *statement, int position, int passed) {
  if (passed < 0) {
    eva_bind_null(statement, position);
  } else {
    eva_bind_int(statement, position, passed != 0);
  }
}

static void bind_duration(eva_statement *statement, int position, double milliseconds) {
  if (milliseconds >= 0) {
    eva_bind_double(statement, position, milliseconds);
  } else {
    eva_bind_null(statement, position);
  }
}

static void bind_time(eva_store *store, eva_statement *statement, int position, int64_t wall_ms, char *out) {
  if (wall_ms == 0) {
    eva_bind_null(statement, position);
  } else {
    eva_bind_text(statement, position, eva_store_time(store, wall_ms, out));
  }
}

static eva_code run_insert(eva_store *store, eva_statement *statement, const char *what, eva_text item_id, int trial,
                           eva_error *error) {
  eva_code code = eva_run(statement, error);
  if (code || eva_changes(store->db) == 1) return code;
  return eva_error_set(error, EVA_E_EXISTS, NULL, "item \"%.*s\", trial %d, already has this %s", (int)item_id.len,
                       item_id.data ? item_id.data : "", trial, what);
}

static void remember_job(eva_store *store, const eva_result_row *row) {
  store->last_position = 0;
  if (row->item_id.len > sizeof store->last_item) return;
  if (strlen(row->experiment_id) >= sizeof store->last_experiment) return;
  memcpy(store->last_experiment, row->experiment_id, strlen(row->experiment_id) + 1);
  memcpy(store->last_item, row->item_id.data, row->item_id.len);
  store->last_item_len = row->item_id.len;
  store->last_trial = row->trial;
  store->last_position = row->position;
}

static void bind_cache_counts(eva_statement *insert, int at, const eva_result_row *row) {
  if (row->cache_hits + row->cache_misses == 0) {
    eva_bind_null(insert, at);
    eva_bind_null(insert, at + 1);
    return;
  }
  eva_bind_int(insert, at, row->cache_hits);
  eva_bind_int(insert, at + 1, row->cache_misses);
}

eva_code eva_result_add(eva_store *store, const eva_result_row *row, eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = eva_store_prepare(store, SQL_RESULT_ADD, &insert, error);
  if (code) return code;
  char started[EVA_TIME_TEXT_SIZE], completed[EVA_TIME_TEXT_SIZE];
  eva_bind_string(insert, 1, row->experiment_id);
  eva_bind_int(insert, 2, row->position);
  eva_bind_text(insert, 3, row->item_id);
  eva_bind_int(insert, 4, row->item_version);
  eva_bind_int(insert, 5, row->trial);
  eva_bind_string(insert, 6, row->status);
  bind_passed(insert, 7, row->passed);
  eva_bind_text(insert, 8, row->output);
  eva_bind_text(insert, 9, row->error);
  bind_time(store, insert, 10, row->started_at_ms, started);
  bind_time(store, insert, 11, row->completed_at_ms, completed);
  bind_duration(insert, 12, row->latency_ms);
  eva_bind_int(insert, 13, row->retry_count);
  eva_bind_text(insert, 14, row->usage);
  eva_bind_text(insert, 15, row->steps);
  eva_bind_text(insert, 16, row->trajectory);
  eva_bind_text(insert, 17, row->context);
  eva_bind_text(insert, 18, row->metadata);
  eva_bind_int(insert, 19, row->output_repaired != 0);
  eva_bind_int(insert, 20, row->interrupted_by);
  bind_cache_counts(insert, 21, row);
  code = run_insert(store, insert, "result", row->item_id, row->trial, error);
  if (!code) remember_job(store, row);
  return code;
}

/* Runs a statement of ?1 experiment, ?2 position. */
static eva_code run_at(eva_store *store, const char *sql, const eva_result_row *row, eva_error *error) {
  eva_statement *statement = NULL;
  eva_code code = eva_store_prepare(store, sql, &statement, error);
  if (code) return code;
  eva_bind_string(statement, 1, row->experiment_id);
  eva_bind_int(statement, 2, row->position);
  return eva_run(statement, error);
}

static eva_code count_attempts(eva_store *store, const eva_result_row *row, int *count, eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(store, SQL_ATTEMPT_COUNT, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, row->experiment_id);
  eva_bind_text(select, 2, row->item_id);
  eva_bind_int(select, 3, row->trial);
  code = eva_step_one(select, error);
  if (code) return code;
  *count = (int)eva_column_int(select, 0);
  eva_reset(select);
  return EVA_OK;
}

eva_code eva_result_replace(eva_store *store, const eva_result_row *row, eva_error *error) {
  eva_result_row replacing = *row;
  eva_code code = run_at(store, SQL_RESULT_ARCHIVE, row, error);
  if (!code) code = run_at(store, SQL_HUMAN_SCORES_KEEP, row, error);
  if (!code) code = run_at(store, SQL_REVIEW_REOPEN, row, error);
  if (!code) code = run_at(store, SQL_SCORES_REMOVE, row, error);
  if (!code) code = run_at(store, SQL_RESULT_REMOVE, row, error);
  if (!code) code = count_attempts(store, row, &replacing.retry_count, error);
  return code ? code : eva_result_add(store, &replacing, error);
}

static eva_code position_of(eva_store *store, const eva_score_row *row, int64_t *position, eva_error *error) {
  if (row->position > 0) {
    *position = row->position;
    return EVA_OK;
  }
  if (store->last_position > 0 && store->last_trial == row->trial && store->last_item_len == row->item_id.len &&
      memcmp(store->last_item, row->item_id.data, row->item_id.len) == 0 &&
      strcmp(store->last_experiment, row->experiment_id) == 0) {
    *position = store->last_position;
    return EVA_OK;
  }
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(store, SQL_POSITION_OF, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, row->experiment_id);
  eva_bind_text(select, 2, row->item_id);
  eva_bind_int(select, 3, row->trial);
  code = eva_step_one(select, error);
  if (code == EVA_E_NOT_FOUND) {
    return eva_error_set(error, code, NULL, "item \"%.*s\", trial %d, is not in the selection of this experiment",
                         (int)row->item_id.len, row->item_id.data ? row->item_id.data : "", row->trial);
  }
  if (code) return code;
  *position = eva_column_int(select, 0);
  eva_reset(select);
  return EVA_OK;
}

eva_code eva_score_add(eva_store *store, const eva_score_row *row, eva_error *error) {
  eva_statement *insert = NULL;
  int64_t position = 0;
  eva_scored_run run = eva_scored_run_of(row->experiment_id);
  char now[EVA_TIME_TEXT_SIZE];
  eva_code code = position_of(store, row, &position, error);
  if (!code) code = eva_store_prepare(store, run.set.len > 0 ? SQL_SET_SCORE_ADD : SQL_SCORE_ADD, &insert, error);
  if (code) return code;
  eva_bind_text(insert, 1, run.experiment);
  eva_bind_int(insert, 2, position);
  eva_bind_text(insert, 3, row->scorer_id);
  eva_bind_text(insert, 4, row->step_id.data ? row->step_id : EVA_TEXT_LITERAL(""));
  eva_bind_text(insert, 5, row->item_id);
  eva_bind_int(insert, 6, row->trial);
  eva_bind_text(insert, 7, row->scorer_name);
  eva_bind_text(insert, 8, row->status);
  if (row->has_score) {
    eva_bind_double(insert, 9, row->score);
  } else {
    eva_bind_null(insert, 9);
  }
  eva_bind_text(insert, 10, row->label);
  bind_passed(insert, 11, row->passed);
  eva_bind_text(insert, 12, row->reason);
  eva_bind_text(insert, 13, row->error);
  eva_bind_text(insert, 14, row->metadata);
  bind_duration(insert, 15, row->latency_ms);
  if (run.set.len > 0) {
    eva_bind_text(insert, 16, run.set);
    eva_bind_text(insert, 17, eva_store_time(store, eva_clock_wall_ms(), now));
  }
  return run_insert(store, insert, "score", row->item_id, row->trial, error);
}

static eva_code insert_attempt(eva_store *store, const char *sql, const eva_attempt_row *row, eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = eva_store_prepare(store, sql, &insert, error);
  if (code) return code;
  char started[EVA_TIME_TEXT_SIZE];
  eva_bind_string(insert, 1, row->experiment_id);
  eva_bind_text(insert, 2, row->item_id);
  eva_bind_int(insert, 3, row->trial);
  int at = 4;
  if (sql == SQL_ATTEMPT_ADD) eva_bind_int(insert, at++, row->attempt);
  eva_bind_string(insert, at, row->status);
  eva_bind_text(insert, at + 1, row->error);
  bind_time(store, insert, at + 2, row->started_at_ms, started);
  bind_duration(insert, at + 3, row->latency_ms);
  return run_insert(store, insert, "attempt", row->item_id, row->trial, error);
}

eva_code eva_attempt_add(eva_store *store, const eva_attempt_row *row, eva_error *error) {
  return insert_attempt(store, SQL_ATTEMPT_ADD, row, error);
}

eva_code eva_attempt_append(eva_store *store, const eva_attempt_row *row, eva_error *error) {
  return insert_attempt(store, SQL_ATTEMPT_APPEND, row, error);
}
