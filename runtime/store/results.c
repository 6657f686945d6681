/* Reading results, scores and counts of one experiment. */
#include "store/results.h"

#include "store/store_private.h"

static const char SQL_LIST[] =
    "SELECT r.position, r.item_id, r.item_version, r.trial, r.status, r.passed, i.input, i.ground_truth, r.output, "
    "r.error, r.started_at, r.completed_at, r.latency_ms, r.retry_count, r.usage, r.steps, r.trajectory, "
    "COALESCE(r.context, i.context), i.metadata, i.tags, r.metadata, r.output_repaired, r.interrupted_by "
    "FROM results r LEFT JOIN selections s ON s.experiment_id = r.experiment_id AND s.position = r.position "
    "LEFT JOIN items i ON i.item_key = s.item_key WHERE r.experiment_id = ?1 AND r.position > ?2 "
    "AND (CAST(?3 AS TEXT) IS NULL OR r.item_id = ?3) AND (CAST(?4 AS BIGINT) < 0 OR CAST(?4 AS BIGINT) = "
    "CASE WHEN r.status NOT IN ('ok', 'skipped') OR r.passed = 0 THEN 1 ELSE 0 END) ORDER BY r.position LIMIT ?5";
static const char SQL_SCORES[] =
    "SELECT scorer_id, scorer_name, step_id, status, score, label, passed, reason, error, metadata, latency_ms "
    "FROM scores WHERE experiment_id = ?1 AND position = ?2 AND score_set = '' ORDER BY scorer_id, step_id";
static const char SQL_COUNTS[] =
    "SELECT status, passed, COUNT(*) FROM results WHERE experiment_id = ?1 GROUP BY status, passed";
static const char SQL_VALUES[] =
    "SELECT status, score, label, passed FROM scores WHERE experiment_id = ?1 AND scorer_id = ?2 AND step_id = ?3 AND "
    "score_set = '' ORDER BY position";
/* A failed target that left no score counts as a failed trial; a target that was fine and left none has no say. */
static const char SQL_TRIAL_VALUES[] =
    "SELECT r.item_id, CASE WHEN r.status = 'ok' THEN 0 ELSE 1 END, CASE WHEN c.status IS NULL THEN 0 ELSE 1 END, "
    "c.status, c.score, c.label, c.passed FROM results r LEFT JOIN scores c ON c.experiment_id = r.experiment_id AND "
    "c.position = r.position AND c.scorer_id = ?2 AND c.step_id = ?3 AND c.score_set = '' "
    "WHERE r.experiment_id = ?1 AND r.status <> 'skipped' ORDER BY r.position";
static const char SQL_TRIALS[] =
    "SELECT item_id, status, passed FROM results WHERE experiment_id = ?1 ORDER BY position";
static const char SQL_KEYS[] =
    "SELECT scorer_id, step_id, MAX(scorer_name), SUM(CASE WHEN status = 'ok' THEN 1 ELSE 0 END), "
    "SUM(CASE WHEN status = 'unscored' THEN 1 ELSE 0 END), SUM(CASE WHEN status = 'error' THEN 1 ELSE 0 END) "
    "FROM scores WHERE experiment_id = ?1 AND score_set = '' GROUP BY scorer_id, step_id ORDER BY scorer_id, step_id";
static const char SQL_LATENCIES[] =
    "SELECT latency_ms FROM results WHERE experiment_id = ?1 AND latency_ms IS NOT NULL AND status <> 'skipped' "
    "ORDER BY position";
static const char SQL_USAGES[] = "SELECT usage FROM results WHERE experiment_id = ?1 AND usage IS NOT NULL";

const eva_column eva_result_columns[EVA_RESULT_COLUMN_COUNT] = {
    {"position", 'i'},        {"item_id", 't'},         {"item_version", 'i'}, {"trial", 'i'},
    {"status", 't'},          {"passed", 'b'},          {"input", 't'},        {"ground_truth", 't'},
    {"output", 't'},          {"error", 't'},           {"started_at", 't'},   {"completed_at", 't'},
    {"latency_ms", 'd'},      {"retry_count", 'i'},     {"usage", 't'},        {"steps", 't'},
    {"trajectory", 't'},      {"context", 't'},         {"metadata", 't'},     {"tags", 't'},
    {"target_metadata", 't'}, {"output_repaired", 'b'}, {"interrupted_by", 'i'},
};
const eva_column eva_score_columns[EVA_SCORE_COLUMN_COUNT] = {
    {"scorer_id", 't'}, {"scorer_name", 't'}, {"step_id", 't'}, {"status", 't'},   {"score", 'd'},      {"label", 't'},
    {"passed", 'b'},    {"reason", 't'},      {"error", 't'},   {"metadata", 't'}, {"latency_ms", 'd'},
};

static eva_code prepare_for(eva_store *store, const char *sql, const char *experiment_id, eva_statement **rows,
                            eva_error *error) {
  eva_code code = eva_store_prepare(store, sql, rows, error);
  if (!code) eva_bind_string(*rows, 1, experiment_id);
  return code;
}

eva_code eva_result_list(eva_store *store, const char *experiment_id, const eva_result_query *query,
                         eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, SQL_LIST, experiment_id, rows, error);
  if (code) return code;
  eva_bind_int(*rows, 2, query->after);
  eva_bind_text(*rows, 3, query->item_id);
  eva_bind_int(*rows, 4, query->failed);
  eva_bind_int(*rows, 5, query->limit > 0 ? query->limit : INT64_MAX);
  return EVA_OK;
}

eva_code eva_score_list(eva_store *store, const char *experiment_id, int64_t position, eva_statement **rows,
                        eva_error *error) {
  eva_code code = prepare_for(store, SQL_SCORES, experiment_id, rows, error);
  if (!code) eva_bind_int(*rows, 2, position);
  return code;
}

eva_code eva_result_counts(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_COUNTS, experiment_id, rows, error);
}

eva_code eva_score_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, SQL_VALUES, experiment_id, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 2, scorer_id);
  eva_bind_text(*rows, 3, step_id.data ? step_id : EVA_TEXT_LITERAL(""));
  return EVA_OK;
}

eva_code eva_trial_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, SQL_TRIAL_VALUES, experiment_id, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 2, scorer_id);
  eva_bind_text(*rows, 3, step_id.data ? step_id : EVA_TEXT_LITERAL(""));
  return EVA_OK;
}

eva_code eva_trial_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_TRIALS, experiment_id, rows, error);
}

int eva_trial_passed(const eva_fold *fold, eva_statement *row, int status, int score, int passed) {
  if (!eva_column_is_null(row, passed)) return eva_column_int(row, passed) != 0;
  if (!eva_reducer_counts(fold->reduction.reducer)) return -1;
  if (!eva_text_equal(eva_column_text(row, status), EVA_TEXT_LITERAL("ok"))) return 0;
  return !eva_column_is_null(row, score) && eva_column_double(row, score) >= 1;
}

eva_code eva_score_keys(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_KEYS, experiment_id, rows, error);
}

eva_code eva_latency_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_LATENCIES, experiment_id, rows, error);
}

eva_code eva_usage_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_USAGES, experiment_id, rows, error);
}
