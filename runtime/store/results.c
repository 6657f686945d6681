/* Reading results, scores and counts of one experiment. */
#include "store/results.h"

#include "store/score_sets.h"
#include "store/store_private.h"

/* Whether a result passed: by the run's own scorers, or by those of the set that is parameter SET. */
#define OWN_PASSED "r.passed"
#define SET_PASSED(SET)                                                                                            \
  "CASE WHEN r.status <> 'ok' THEN r.passed ELSE (SELECT MIN(p.passed) FROM scores p WHERE p.experiment_id = "      \
  "r.experiment_id AND p.position = r.position AND p.score_set = " SET ") END"
/* The scores of the set ?2, and what people said. */
#define IN_SET "(score_set = ?2 OR (score_set = '' AND source = 'human'))"
/* [0] for the run's own scores, [1] for a set, which is the last parameter then. */
#define BOTH(MACRO, SET) {MACRO(OWN_PASSED), MACRO(SET_PASSED(SET))}

#define LIST(PASSED)                                                                                               \
  "SELECT r.position, r.item_id, r.item_version, r.trial, r.status, " PASSED ", i.input, i.ground_truth, r.output, " \
  "r.error, r.started_at, r.completed_at, r.latency_ms, r.retry_count, r.usage, r.steps, r.trajectory, "            \
  "COALESCE(r.context, i.context), i.metadata, i.tags, r.metadata, r.output_repaired, r.interrupted_by, "           \
  "r.cache_hits, r.cache_misses "                                                                                  \
  "FROM results r LEFT JOIN selections s ON s.experiment_id = r.experiment_id AND s.position = r.position "         \
  "LEFT JOIN items i ON i.item_key = s.item_key WHERE r.experiment_id = ?1 AND r.position > ?2 "                    \
  "AND (CAST(?3 AS TEXT) IS NULL OR r.item_id = ?3) AND (CAST(?4 AS BIGINT) < 0 OR CAST(?4 AS BIGINT) = "           \
  "CASE WHEN r.status NOT IN ('ok', 'skipped') OR " PASSED " = 0 THEN 1 ELSE 0 END) ORDER BY r.position LIMIT ?5"
static const char *const SQL_LIST[] = BOTH(LIST, "?6");
static const char SQL_SCORES[] =
    "SELECT scorer_id, scorer_name, step_id, status, score, label, passed, reason, error, metadata, latency_ms "
    "FROM scores WHERE experiment_id = ?1 AND position = ?3 AND " IN_SET " ORDER BY scorer_id, step_id";
static const char SQL_VALUES[] =
    "SELECT status, score, label, passed FROM scores WHERE experiment_id = ?1 AND scorer_id = ?3 AND step_id = ?4 AND "
    "score_set = ?2 ORDER BY position";
/* A failed target that left no score counts as a failed trial; a target that was fine and left none has no say. */
static const char SQL_TRIAL_VALUES[] =
    "SELECT r.item_id, CASE WHEN r.status = 'ok' THEN 0 ELSE 1 END, CASE WHEN c.status IS NULL THEN 0 ELSE 1 END, "
    "c.status, c.score, c.label, c.passed FROM results r LEFT JOIN scores c ON c.experiment_id = r.experiment_id AND "
    "c.position = r.position AND c.scorer_id = ?3 AND c.step_id = ?4 AND c.score_set = ?2 "
    "WHERE r.experiment_id = ?1 AND r.status <> 'skipped' ORDER BY r.position";
#define TRIAL_LIST(PASSED)                                                                                         \
  "SELECT r.item_id, r.status, " PASSED " FROM results r WHERE r.experiment_id = ?1 ORDER BY r.position"
static const char *const SQL_TRIALS[] = BOTH(TRIAL_LIST, "?2");
static const char SQL_KEYS[] =
    "SELECT scorer_id, step_id, scorer_name, status, score, label, passed FROM scores WHERE experiment_id = ?1 "
    "AND " IN_SET " ORDER BY position";
static const char SQL_LATENCIES[] =
    "SELECT latency_ms, item_id FROM results WHERE experiment_id = ?1 AND latency_ms IS NOT NULL "
    "AND status <> 'skipped' ORDER BY position";
static const char SQL_CACHE_COUNTS[] =
    "SELECT SUM(cache_hits), SUM(cache_misses) FROM results WHERE experiment_id = ?1 AND cache_hits IS NOT NULL";
static const char SQL_USAGES[] =
    "SELECT usage, item_id FROM results WHERE experiment_id = ?1 AND usage IS NOT NULL";

const eva_column eva_result_columns[EVA_RESULT_COLUMN_COUNT] = {
    {"position", 'i'},        {"item_id", 't'},         {"item_version", 'i'}, {"trial", 'i'},
    {"status", 't'},          {"passed", 'b'},          {"input", 't'},        {"ground_truth", 't'},
    {"output", 't'},          {"error", 't'},           {"started_at", 't'},   {"completed_at", 't'},
    {"latency_ms", 'd'},      {"retry_count", 'i'},     {"usage", 't'},        {"steps", 't'},
    {"trajectory", 't'},      {"context", 't'},         {"metadata", 't'},     {"tags", 't'},
    {"target_metadata", 't'}, {"output_repaired", 'b'}, {"interrupted_by", 'i'},
    {"cache_hits", 'i'},      {"cache_misses", 'i'},
};
const eva_column eva_score_columns[EVA_SCORE_COLUMN_COUNT] = {
    {"scorer_id", 't'}, {"scorer_name", 't'}, {"step_id", 't'}, {"status", 't'},   {"score", 'd'},      {"label", 't'},
    {"passed", 'b'},    {"reason", 't'},      {"error", 't'},   {"metadata", 't'}, {"latency_ms", 'd'},
};

/* Prepares a statement and binds ?1, the experiment of `id`. */
static eva_code prepare_for(eva_store *store, const char *sql, const char *id, eva_statement **rows,
                            eva_error *error) {
  eva_code code = eva_store_prepare(store, sql, rows, error);
  if (!code) eva_bind_text(*rows, 1, eva_scored_run_of(id).experiment);
  return code;
}

/* The same for statements that are other ones for score sets, whose name is then parameter `last`. */
static eva_code prepare_of(eva_store *store, const char *const sql[2], int last, const char *id, eva_statement **rows,
                           eva_error *error) {
  eva_scored_run run = eva_scored_run_of(id);
  eva_code code = prepare_for(store, sql[run.set.len > 0], id, rows, error);
  if (!code && run.set.len > 0) eva_bind_text(*rows, last, run.set);
  return code;
}

/* The scores of one scorer: ?2 set, ?3 scorer, ?4 step. */
static eva_code prepare_scorer(eva_store *store, const char *sql, const char *id, eva_text scorer_id, eva_text step_id,
                               eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, sql, id, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 2, eva_set_of_scorer(eva_scored_run_of(id).set, scorer_id));
  eva_bind_text(*rows, 3, scorer_id);
  eva_bind_text(*rows, 4, step_id.data ? step_id : EVA_TEXT_LITERAL(""));
  return EVA_OK;
}

eva_code eva_result_list(eva_store *store, const char *experiment_id, const eva_result_query *query,
                         eva_statement **rows, eva_error *error) {
  eva_code code = prepare_of(store, SQL_LIST, 6, experiment_id, rows, error);
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
  if (code) return code;
  eva_bind_text(*rows, 2, eva_scored_run_of(experiment_id).set);
  eva_bind_int(*rows, 3, position);
  return EVA_OK;
}

eva_code eva_score_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error) {
  return prepare_scorer(store, SQL_VALUES, experiment_id, scorer_id, step_id, rows, error);
}

eva_code eva_trial_values(eva_store *store, const char *experiment_id, eva_text scorer_id, eva_text step_id,
                          eva_statement **rows, eva_error *error) {
  return prepare_scorer(store, SQL_TRIAL_VALUES, experiment_id, scorer_id, step_id, rows, error);
}

eva_code eva_trial_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_of(store, SQL_TRIALS, 2, experiment_id, rows, error);
}

int eva_trial_passed(const eva_fold *fold, eva_statement *row, int status, int score, int passed) {
  if (!eva_column_is_null(row, passed)) return eva_column_int(row, passed) != 0;
  if (!eva_reducer_counts(fold->reduction.reducer)) return -1;
  if (!eva_text_equal(eva_column_text(row, status), EVA_TEXT_LITERAL("ok"))) return 0;
  if (eva_column_is_null(row, score)) return -1; /* a label alone says nothing of passing */
  return eva_column_double(row, score) >= 1;
}

eva_code eva_score_keys(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  eva_code code = prepare_for(store, SQL_KEYS, experiment_id, rows, error);
  if (!code) eva_bind_text(*rows, 2, eva_scored_run_of(experiment_id).set);
  return code;
}

eva_code eva_latency_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_LATENCIES, experiment_id, rows, error);
}

eva_code eva_cache_counts(eva_store *store, const char *experiment_id, eva_statement **row, eva_error *error) {
  return prepare_for(store, SQL_CACHE_COUNTS, experiment_id, row, error);
}

eva_code eva_usage_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  return prepare_for(store, SQL_USAGES, experiment_id, rows, error);
}
