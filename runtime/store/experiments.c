/* Experiment records: create, update, find. */
#include "store/experiments.h"

#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

#define COLUMN_NAMES                                                                                              \
  "id, number, name, status, created_at, started_at, completed_at, verdict, summary, total_items, description, " \
  "metadata, tags, accepted_at, variant, suite, command_line, dataset_id, dataset_name, dataset_version, "       \
  "dataset_digest, target_type, target_id, target_version, scorers, metrics, slices, options, params, "          \
  "selection, git, host, seed"

static const char SQL_NEXT_NUMBER[] = "SELECT COALESCE(MAX(number), 0) + 1 FROM experiments";
static const char SQL_CREATE[] =
    "INSERT INTO experiments (" COLUMN_NAMES ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
    "?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33) "
    "ON CONFLICT DO NOTHING";
static const char SQL_UPDATE[] =
    "UPDATE experiments SET status = CASE WHEN ?2 = 1 THEN ?3 ELSE status END, "
    "created_at = CASE WHEN ?4 = 1 THEN ?5 ELSE created_at END, "
    "started_at = CASE WHEN ?6 = 1 THEN ?7 ELSE started_at END, "
    "completed_at = CASE WHEN ?8 = 1 THEN ?9 ELSE completed_at END, "
    "verdict = CASE WHEN ?10 = 1 THEN ?11 ELSE verdict END, "
    "summary = CASE WHEN ?12 = 1 THEN ?13 ELSE summary END, "
    "total_items = CASE WHEN ?14 = 1 THEN ?15 ELSE total_items END, "
    "description = CASE WHEN ?16 = 1 THEN ?17 ELSE description END, "
    "metadata = CASE WHEN ?18 = 1 THEN ?19 ELSE metadata END, "
    "tags = CASE WHEN ?20 = 1 THEN ?21 ELSE tags END, "
    "accepted_at = CASE WHEN ?22 = 1 THEN ?23 ELSE accepted_at END WHERE id = ?1";
static const char SQL_BY_ID[] = "SELECT " COLUMN_NAMES " FROM experiments WHERE id = ?1";
static const char SQL_BY_NUMBER[] = "SELECT " COLUMN_NAMES " FROM experiments WHERE number = ?1";
/* '~' sorts after every character of an id */
static const char SQL_BY_PREFIX[] =
    "SELECT " COLUMN_NAMES " FROM experiments WHERE id >= ?1 AND id < ?1 || '~' ORDER BY number DESC";
static const char SQL_LIST[] =
    "SELECT " COLUMN_NAMES
    " FROM experiments WHERE (CAST(?1 AS TEXT) IS NULL OR name = ?1) "
    "AND (CAST(?2 AS TEXT) IS NULL OR COALESCE(variant, '') = ?2) "
    "AND (CAST(?3 AS TEXT) IS NULL OR dataset_id = ?3) ORDER BY number DESC";

static const char SQL_ACCEPTED[] =
    "SELECT " COLUMN_NAMES
    " FROM experiments WHERE name = ?1 AND COALESCE(variant, '') = ?2 AND accepted_at IS NOT NULL "
    "ORDER BY accepted_at DESC, number DESC";

static const char SQL_RUNNING[] = "SELECT number FROM experiments WHERE status = 'running' ORDER BY number";
/* The columns of v_experiments in schema.sql; between the two parts come the numbers. */
static const char VIEW[] = " number, id, name, variant, CASE WHEN number IN (";
static const char VIEW_END[] =
    ") THEN 'interrupted' ELSE status END AS status, verdict, dataset_name, dataset_version, target_id, target_type, "
    "total_items, ok_count, failed_count, skipped_count, passed_count, mean_latency_ms, suite, params, tags, metadata, "
    "git, host, seed, summary, created_at, started_at, completed_at FROM @stored";

const eva_column eva_experiment_columns[EVA_EXPERIMENT_COLUMN_COUNT] = {
    [EVA_EXPERIMENT_ID] = {"id", 't'},
    [EVA_EXPERIMENT_NUMBER] = {"number", 'i'},
    [EVA_EXPERIMENT_NAME] = {"name", 't'},
    [EVA_EXPERIMENT_STATUS] = {"status", 't'},
    [EVA_EXPERIMENT_CREATED_AT] = {"created_at", 't'},
    [EVA_EXPERIMENT_STARTED_AT] = {"started_at", 't'},
    [EVA_EXPERIMENT_COMPLETED_AT] = {"completed_at", 't'},
    [EVA_EXPERIMENT_VERDICT] = {"verdict", 't'},
    [EVA_EXPERIMENT_SUMMARY] = {"summary", 't'},
    [EVA_EXPERIMENT_TOTAL_ITEMS] = {"total_items", 'i'},
    [EVA_EXPERIMENT_DESCRIPTION] = {"description", 't'},
    [EVA_EXPERIMENT_METADATA] = {"metadata", 't'},
    [EVA_EXPERIMENT_TAGS] = {"tags", 't'},
    [EVA_EXPERIMENT_ACCEPTED_AT] = {"accepted_at", 't'},
    [EVA_EXPERIMENT_VARIANT] = {"variant", 't'},
    [EVA_EXPERIMENT_SUITE] = {"suite", 't'},
    [EVA_EXPERIMENT_COMMAND_LINE] = {"command_line", 't'},
    [EVA_EXPERIMENT_DATASET_ID] = {"dataset_id", 't'},
    [EVA_EXPERIMENT_DATASET_NAME] = {"dataset_name", 't'},
    [EVA_EXPERIMENT_DATASET_VERSION] = {"dataset_version", 'i'},
    [EVA_EXPERIMENT_DATASET_DIGEST] = {"dataset_digest", 't'},
    [EVA_EXPERIMENT_TARGET_TYPE] = {"target_type", 't'},
    [EVA_EXPERIMENT_TARGET_ID] = {"target_id", 't'},
    [EVA_EXPERIMENT_TARGET_VERSION] = {"target_version", 't'},
    [EVA_EXPERIMENT_SCORERS] = {"scorers", 't'},
    [EVA_EXPERIMENT_METRICS] = {"metrics", 't'},
    [EVA_EXPERIMENT_SLICES] = {"slices", 't'},
    [EVA_EXPERIMENT_OPTIONS] = {"options", 't'},
    [EVA_EXPERIMENT_PARAMS] = {"params", 't'},
    [EVA_EXPERIMENT_SELECTION] = {"selection", 't'},
    [EVA_EXPERIMENT_GIT] = {"git", 't'},
    [EVA_EXPERIMENT_HOST] = {"host", 't'},
    [EVA_EXPERIMENT_SEED] = {"seed", 'i'},
};

static eva_code next_number(eva_store *store, int64_t *number, eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(store, SQL_NEXT_NUMBER, &select, error);
  if (!code) code = eva_step_one(select, error);
  if (code) return code;
  *number = eva_column_int(select, 0);
  eva_reset(select);
  return EVA_OK;
}

static void give_default(eva_value *value, const char *text) {
  if (!value->type) *value = (eva_value){.type = 't', .text = eva_text_of(text)};
}

static eva_code insert_experiment(eva_store *store, eva_value values[EVA_EXPERIMENT_COLUMN_COUNT], int64_t *number,
                                  eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = next_number(store, number, error);
  if (!code) code = eva_store_prepare(store, SQL_CREATE, &insert, error);
  if (code) return code;
  values[EVA_EXPERIMENT_NUMBER] = (eva_value){.type = 'i', .integer = *number};
  for (int column = 0; column < EVA_EXPERIMENT_COLUMN_COUNT; column++) {
    eva_bind_value(insert, column + 1, &values[column]);
  }
  code = eva_run(insert, error);
  if (code || eva_changes(store->db) == 1) return code;
  return eva_error_set(error, EVA_E_EXISTS, NULL, "there is an experiment with the id %.*s already",
                       (int)values[EVA_EXPERIMENT_ID].text.len, values[EVA_EXPERIMENT_ID].text.data);
}

eva_code eva_experiment_create(eva_store *store, const eva_value given[EVA_EXPERIMENT_COLUMN_COUNT],
                               char id[EVA_UUID_TEXT_SIZE], int64_t *number, eva_error *error) {
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT];
  memcpy(values, given, sizeof values);
  if (values[EVA_EXPERIMENT_NAME].type != 't' || values[EVA_EXPERIMENT_NAME].text.len == 0) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "an experiment needs a name");
  }
  eva_value *own_id = &values[EVA_EXPERIMENT_ID];
  if (own_id->type == 't' && (own_id->text.len == 0 || own_id->text.len >= EVA_UUID_TEXT_SIZE)) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "an experiment's id has 1 to %d characters",
                         EVA_UUID_TEXT_SIZE - 1);
  }
  if (own_id->type == 't' && memchr(own_id->text.data, '@', own_id->text.len)) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "an experiment's id cannot contain @, which names score sets");
  }
  if (own_id->type == 't') {
    memcpy(id, own_id->text.data, own_id->text.len);
    id[own_id->text.len] = '\0';
  } else {
    eva_uuid7(id);
    *own_id = (eva_value){.type = 't', .text = eva_text_of(id)};
  }
  char now[EVA_TIME_TEXT_SIZE];
  eva_store_time(store, eva_clock_wall_ms(), now);
  give_default(&values[EVA_EXPERIMENT_STATUS], "running");
  give_default(&values[EVA_EXPERIMENT_CREATED_AT], now);
  give_default(&values[EVA_EXPERIMENT_STARTED_AT], now);
  int own = 0;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = insert_experiment(store, values, number, error);
  return eva_store_leave(store, own, code, error);
}

eva_code eva_experiment_update(eva_store *store, const char *id, const eva_value values[EVA_EXPERIMENT_COLUMN_COUNT],
                               eva_error *error) {
  int own = 0;
  eva_statement *update = NULL;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = eva_store_prepare(store, SQL_UPDATE, &update, error);
  if (!code) {
    eva_bind_string(update, 1, id);
    for (int column = EVA_EXPERIMENT_STATUS; column <= EVA_EXPERIMENT_ACCEPTED_AT; column++) {
      int position = 2 + 2 * (column - EVA_EXPERIMENT_STATUS);
      eva_bind_int(update, position, values[column].type != 0);
      eva_bind_value(update, position + 1, &values[column]);
    }
    code = eva_run(update, error);
    if (!code && eva_changes(store->db) == 0) {
      code = eva_error_set(error, EVA_E_NOT_FOUND, NULL, "there is no experiment with the id %s", id);
    }
  }
  return eva_store_leave(store, own, code, error);
}

eva_text eva_experiment_status(eva_store *store, eva_text stored, int64_t number) {
  if (!eva_text_equal(stored, EVA_TEXT_LITERAL("running"))) return stored;
  return eva_store_is_locked(store, number) ? stored : EVA_TEXT_LITERAL("interrupted");
}

eva_code eva_experiment_select(eva_store *store, eva_text id, eva_statement **rows, eva_error *error) {
  const char *at = id.data ? memchr(id.data, '@', id.len) : NULL; /* the run of a score set */
  if (at) id.len = (size_t)(at - id.data);
  eva_code code = eva_store_prepare(store, SQL_BY_ID, rows, error);
  if (!code) eva_bind_text(*rows, 1, id);
  return code;
}

eva_code eva_experiment_select_number(eva_store *store, int64_t number, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_BY_NUMBER, rows, error);
  if (!code) eva_bind_int(*rows, 1, number);
  return code;
}

eva_code eva_experiment_select_prefix(eva_store *store, eva_text prefix, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_BY_PREFIX, rows, error);
  if (!code) eva_bind_text(*rows, 1, prefix);
  return code;
}

eva_code eva_experiment_list(eva_store *store, eva_text name, eva_text variant, eva_text dataset_id,
                             eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_LIST, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 1, name);
  eva_bind_text(*rows, 2, variant);
  eva_bind_text(*rows, 3, dataset_id);
  return EVA_OK;
}

eva_code eva_experiment_select_accepted(eva_store *store, eva_text name, eva_text variant, eva_statement **rows,
                                        eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_ACCEPTED, rows, error);
  if (code) return code;
  eva_bind_text(*rows, 1, name);
  eva_bind_text(*rows, 2, variant.data ? variant : EVA_TEXT_LITERAL(""));
  return EVA_OK;
}

/* Appends the numbers of running experiments that no process holds, with commas between. */
static eva_code add_interrupted(eva_store *store, eva_buf *numbers, eva_error *error) {
  eva_statement *rows = NULL;
  eva_code code = eva_store_prepare(store, SQL_RUNNING, &rows, error);
  for (int row = 1; !code;) {
    code = eva_step(rows, &row, error);
    if (code || !row) break;
    int64_t number = eva_column_int(rows, 0);
    if (eva_store_is_locked(store, number)) continue;
    eva_buf_printf(numbers, "%s%lld", numbers->len ? ", " : "", (long long)number);
  }
  return code;
}

eva_code eva_experiments_show_interrupted(eva_store *store, eva_error *error) {
  eva_buf numbers = {0}, select = {0};
  eva_code code = add_interrupted(store, &numbers, error);
  if (!code && numbers.len > 0) {
    eva_buf_printf(&select, "SELECT%s%s%s", VIEW, numbers.data, VIEW_END);
    code = eva_db_overlay_view(store->db, "v_experiments", select.data, error);
  }
  eva_buf_free(&numbers);
  eva_buf_free(&select);
  return code;
}
