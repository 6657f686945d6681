/* Score sets: their records, and which scores "ID@SET" means. */
#include "store/score_sets.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

static const char HUMAN[] = "human/";

static const char SQL_CREATE[] =
    "INSERT INTO score_sets (experiment_id, name, status, scorers, suite, total, command_line, git, host, created_at, "
    "completed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
static const char SQL_UPDATE[] =
    "UPDATE score_sets SET status = ?3, total = ?4, completed_at = ?5 WHERE experiment_id = ?1 AND name = ?2";
static const char SQL_LIST[] =
    "SELECT t.name, t.status, t.scorers, t.suite, t.total, t.command_line, t.git, t.host, t.created_at, "
    "t.completed_at, (SELECT COUNT(*) FROM results r WHERE r.experiment_id = t.experiment_id AND EXISTS (SELECT 1 "
    "FROM scores c WHERE c.experiment_id = r.experiment_id AND c.position = r.position AND c.score_set = t.name)) "
    "FROM score_sets t WHERE t.experiment_id = ?1 ORDER BY t.created_at, t.name";

enum { NAME, STATUS, SCORERS, SUITE, TOTAL, COMMAND_LINE, GIT, HOST, CREATED_AT, COMPLETED_AT, SCORED };
const eva_column eva_score_set_columns[EVA_SCORE_SET_COLUMN_COUNT] = {
    [NAME] = {"name", 't'},
    [STATUS] = {"status", 't'},
    [SCORERS] = {"scorers", 't'},
    [SUITE] = {"suite", 't'},
    [TOTAL] = {"total", 'i'},
    [COMMAND_LINE] = {"command_line", 't'},
    [GIT] = {"git", 't'},
    [HOST] = {"host", 't'},
    [CREATED_AT] = {"created_at", 't'},
    [COMPLETED_AT] = {"completed_at", 't'},
    [SCORED] = {"scored", 'i'},
};

eva_scored_run eva_scored_run_of(const char *id) {
  const char *at = strchr(id, '@');
  if (!at) return (eva_scored_run){eva_text_of(id), EVA_TEXT_LITERAL("")};
  return (eva_scored_run){{id, (size_t)(at - id)}, eva_text_of(at + 1)};
}

int eva_is_human_scorer(eva_text scorer_id) {
  return scorer_id.len > sizeof HUMAN - 1 && memcmp(scorer_id.data, HUMAN, sizeof HUMAN - 1) == 0;
}

eva_text eva_set_of_scorer(eva_text set, eva_text scorer_id) {
  return eva_is_human_scorer(scorer_id) ? EVA_TEXT_LITERAL("") : set;
}

eva_code eva_score_set_create(eva_store *store, const char *experiment_id,
                              const eva_value given[EVA_SCORE_SET_COLUMN_COUNT], eva_error *error) {
  eva_value values[EVA_SCORE_SET_COLUMN_COUNT];
  char now[EVA_TIME_TEXT_SIZE];
  memcpy(values, given, sizeof values);
  if (values[NAME].type != 't' || values[NAME].text.len == 0) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "a score set needs a name");
  }
  if (!values[STATUS].type) values[STATUS] = (eva_value){.type = 't', .text = EVA_TEXT_LITERAL("running")};
  if (!values[CREATED_AT].type) {
    values[CREATED_AT] = (eva_value){.type = 't', .text = eva_store_time(store, eva_clock_wall_ms(), now)};
  }
  int own = 0;
  eva_statement *insert = NULL;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = eva_store_prepare(store, SQL_CREATE, &insert, error);
  if (!code) {
    eva_bind_string(insert, 1, experiment_id);
    for (int column = NAME; column < SCORED; column++) eva_bind_value(insert, column + 2, &values[column]);
    code = eva_run(insert, error);
  }
  if (!code && eva_changes(store->db) == 0) {
    code = eva_error_set(error, EVA_E_EXISTS, NULL, "the experiment has a score set \"%.*s\" already",
                         (int)values[NAME].text.len, values[NAME].text.data);
  }
  return eva_store_leave(store, own, code, error);
}

eva_code eva_score_set_update(eva_store *store, const char *experiment_id, eva_text name, eva_text status,
                              int64_t total, eva_text completed_at, eva_error *error) {
  int own = 0;
  eva_statement *update = NULL;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = eva_store_prepare(store, SQL_UPDATE, &update, error);
  if (!code) {
    eva_bind_string(update, 1, experiment_id);
    eva_bind_text(update, 2, name);
    eva_bind_text(update, 3, status);
    eva_bind_int(update, 4, total);
    eva_bind_text(update, 5, completed_at);
    code = eva_run(update, error);
  }
  if (!code && eva_changes(store->db) == 0) {
    code = eva_error_set(error, EVA_E_NOT_FOUND, NULL, "the experiment has no score set \"%.*s\"", (int)name.len,
                         name.data);
  }
  return eva_store_leave(store, own, code, error);
}

eva_code eva_score_set_list(eva_store *store, const char *experiment_id, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_LIST, rows, error);
  if (!code) eva_bind_text(*rows, 1, eva_scored_run_of(experiment_id).experiment);
  return code;
}
