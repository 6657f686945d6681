/* Experiments and their results in Lua. */
#include <stdlib.h>
#include <string.h>

#include "lua/call.h"
#include "lua/lib_store.h"
#include "store/experiments.h"
#include "store/results.h"
#include "store/runs.h"

/* Experiments */

static void push_experiment(lua_State *L, eva_store *store, eva_statement *row) {
  eva_lua_push_columns(L, row, eva_experiment_columns, EVA_EXPERIMENT_COLUMN_COUNT);
  eva_text status = eva_experiment_status(store, eva_column_text(row, EVA_EXPERIMENT_STATUS),
                                          eva_column_int(row, EVA_EXPERIMENT_NUMBER));
  eva_push_text(L, status);
  lua_setfield(L, -2, "status");
}

/* experiment_create{name=, ...} -> {id, number} */
static int l_experiment_create(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT];
  eva_lua_read_columns(L, 2, "experiment_create", eva_experiment_columns, EVA_EXPERIMENT_COLUMN_COUNT, values);
  char id[EVA_UUID_TEXT_SIZE];
  int64_t number = 0;
  eva_error error;
  if (eva_experiment_create(store, values, id, &number, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, id);
  lua_setfield(L, -2, "id");
  lua_pushinteger(L, number);
  lua_setfield(L, -2, "number");
  return 1;
}

/* experiment_update(id, {status, verdict, summary, completed_at, total_items, description, metadata, tags,
 * accepted_at}) */
static int l_experiment_update(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT];
  eva_lua_read_columns(L, 3, "experiment_update", eva_experiment_columns, EVA_EXPERIMENT_COLUMN_COUNT, values);
  for (int column = 0; column < EVA_EXPERIMENT_COLUMN_COUNT; column++) {
    int allowed = column >= EVA_EXPERIMENT_STATUS && column <= EVA_EXPERIMENT_ACCEPTED_AT;
    if (values[column].type && !allowed) {
      return luaL_error(L, "experiment_update: '%s' cannot be changed", eva_experiment_columns[column].name);
    }
  }
  eva_error error;
  return eva_lua_push_outcome(L, eva_experiment_update(store, id, values, &error), &error);
}

static int push_experiment_or_none(lua_State *L, eva_store *store, eva_statement *rows, const char *what) {
  eva_error error;
  eva_code code = eva_step_one(rows, &error);
  if (code == EVA_E_NOT_FOUND) eva_error_set(&error, code, NULL, "there is no experiment %s", what);
  if (code) return eva_push_error(L, &error);
  push_experiment(L, store, rows);
  eva_reset(rows);
  return 1;
}

/* experiment(id) -> record */
static int l_experiment(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_text id = eva_check_text(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_experiment_select(store, id, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_experiment_or_none(L, store, rows, id.data);
}

static int l_experiment_by_number(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  int64_t number = luaL_checkinteger(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_experiment_select_number(store, number, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_experiment_or_none(L, store, rows, lua_pushfstring(L, "%I", (LUAI_UACINT)number));
}

/* Pushes the records of the statement, at most `limit`, only those that show `status` (none: all). */
static int push_experiments(lua_State *L, eva_store *store, eva_statement *rows, eva_text status, int64_t limit) {
  eva_error error;
  lua_newtable(L);
  for (lua_Integer count = 0; count < limit;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) return 1;
    eva_text shown = eva_experiment_status(store, eva_column_text(rows, EVA_EXPERIMENT_STATUS),
                                           eva_column_int(rows, EVA_EXPERIMENT_NUMBER));
    if (status.data && !eva_text_equal(shown, status)) continue;
    push_experiment(L, store, rows);
    lua_rawseti(L, -2, ++count);
  }
  eva_reset(rows);
  return 1;
}

/* experiments{name=, variant=, status=, dataset_id=, limit=} -> records, newest first */
static int l_experiments(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  eva_text status = eva_lua_text_field(L, 2, "status");
  int64_t limit = eva_lua_integer_field(L, 2, "limit", INT64_MAX);
  eva_code code =
      eva_experiment_list(store, eva_lua_text_field(L, 2, "name"), eva_lua_text_field(L, 2, "variant"),
                          eva_lua_text_field(L, 2, "dataset_id"), &rows, &error);
  return code ? eva_push_error(L, &error) : push_experiments(L, store, rows, status, limit);
}

/* experiments_by_prefix(text) -> records whose id starts so, newest first */
static int l_experiments_by_prefix(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  eva_code code = eva_experiment_select_prefix(store, eva_check_text(L, 2), &rows, &error);
  return code ? eva_push_error(L, &error) : push_experiments(L, store, rows, EVA_TEXT_NONE, INT64_MAX);
}

/* experiment_accepted(name[, variant]) -> the record that was accepted last, or nil */
static int l_experiment_accepted(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  eva_code code = eva_experiment_select_accepted(store, eva_check_text(L, 2), eva_optional_text(L, 3), &rows, &error);
  if (!code) code = eva_step_one(rows, &error);
  if (code == EVA_E_NOT_FOUND) return 0;
  if (code) return eva_push_error(L, &error);
  push_experiment(L, store, rows);
  eva_reset(rows);
  return 1;
}

/* show_interrupted() -> true: v_experiments of this connection says `interrupted` where it is */
static int l_show_interrupted(lua_State *L) {
  eva_error error;
  return eva_lua_push_outcome(L, eva_experiments_show_interrupted(eva_lua_check_store(L, 1), &error), &error);
}

/* selection_fill(experiment_id, dataset_id, version, {ids=, limit=, trials=}) -> number of jobs */
static int l_selection_fill(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *experiment = luaL_checkstring(L, 2), *dataset = luaL_checkstring(L, 3);
  int64_t version = luaL_checkinteger(L, 4), count = 0;
  int64_t limit = eva_lua_integer_field(L, 5, "limit", 0);
  int trials = (int)eva_lua_integer_field(L, 5, "trials", 1);
  eva_error error;
  eva_code code = EVA_OK;
  if (lua_istable(L, 5) && lua_getfield(L, 5, "ids") == LUA_TTABLE) {
    int list = lua_gettop(L);
    size_t id_count = (size_t)lua_rawlen(L, list);
    eva_text *ids = lua_newuserdatauv(L, (id_count + 1) * sizeof *ids, 0);
    for (size_t index = 0; index < id_count; index++) {
      lua_rawgeti(L, list, (lua_Integer)index + 1);
      ids[index] = eva_check_text(L, -1);
      lua_pop(L, 1);
    }
    code = eva_selection_fill_ids(store, experiment, dataset, version, ids, id_count, limit, trials, &count, &error);
  } else {
    code = eva_selection_fill(store, experiment, dataset, version, limit, trials, &count, &error);
  }
  if (code) return eva_push_error(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

static void count_position(void *context, int64_t position) {
  (void)position;
  ++*(int64_t *)context;
}

/* job_count(experiment_id, "all"|"missing"|"failed"|"unscored"|"unscored_any") -> number of (item, trial) pairs of the selection */
static int l_job_count(lua_State *L) {
  static const char *const sets[] = {"all", "missing", "failed", "unscored", "unscored_any", NULL};
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_job_set set = (eva_job_set)luaL_checkoption(L, 3, "all", sets);
  int64_t count = 0;
  eva_error error;
  if (eva_jobs_positions(store, id, set, count_position, &count, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

/* Results */

/* status_counts(experiment_id) -> {ok=, error=, timeout=, limited=, skipped=, passed=, not_passed=, total=} */
static int l_status_counts(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  static const char *const names[] = {"ok", "error", "timeout", "limited", "skipped", "passed", "not_passed", "total"};
  enum { STATUSES = 5, PASSED = 5, NOT_PASSED, TOTAL, NAMES };
  enum { STATUS_COLUMN = 1, PASSED_COLUMN };
  int64_t counts[NAMES] = {0};
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_trial_list(store, luaL_checkstring(L, 2), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    eva_text status = eva_column_text(rows, STATUS_COLUMN);
    for (int index = 0; index < STATUSES; index++) {
      if (!eva_text_equal(status, eva_text_of(names[index]))) continue;
      counts[index]++;
      break;
    }
    if (!eva_column_is_null(rows, PASSED_COLUMN)) counts[eva_column_int(rows, PASSED_COLUMN) ? PASSED : NOT_PASSED]++;
    counts[TOTAL]++;
  }
  lua_createtable(L, 0, NAMES);
  for (int index = 0; index < NAMES; index++) {
    lua_pushinteger(L, counts[index]);
    lua_setfield(L, -2, names[index]);
  }
  return 1;
}

/* cache_counts(experiment_id) -> {hits, misses} of the requests that took part in the cache | nil where none did */
static int l_cache_counts(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_statement *row = NULL;
  eva_error error;
  int found = 0;
  eva_code code = eva_cache_counts(store, luaL_checkstring(L, 2), &row, &error);
  if (!code) code = eva_step(row, &found, &error);
  if (code) return eva_push_error(L, &error);
  int is_none = eva_column_is_null(row, 0);
  int64_t hits = eva_column_int(row, 0), misses = eva_column_int(row, 1);
  eva_reset(row);
  if (is_none) return 0;
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, hits);
  lua_setfield(L, -2, "hits");
  lua_pushinteger(L, misses);
  lua_setfield(L, -2, "misses");
  return 1;
}

/* results(experiment_id, {after=, limit=, item_id=, failed=}) -> list in item order, each with `scores` */
static int l_results(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_result_query query = {.after = eva_lua_integer_field(L, 3, "after", 0),
                            .limit = eva_lua_integer_field(L, 3, "limit", 0),
                            .item_id = eva_lua_text_field(L, 3, "item_id"),
                            .failed = eva_lua_boolean_field(L, 3, "failed")};
  eva_error error;
  eva_statement *rows = NULL, *scores = NULL;
  if (eva_result_list(store, id, &query, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_newtable(L);
  for (lua_Integer index = 1;; index++) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) return 1;
    eva_lua_push_columns(L, rows, eva_result_columns, EVA_RESULT_COLUMN_COUNT);
    if (eva_score_list(store, id, eva_column_int(rows, 0), &scores, &error) != EVA_OK) return eva_push_error(L, &error);
    int pushed = eva_lua_push_rows(L, scores, eva_score_columns, EVA_SCORE_COLUMN_COUNT);
    if (pushed != 1) {
      eva_reset(rows);
      return pushed;
    }
    lua_setfield(L, -2, "scores");
    lua_rawseti(L, -2, index);
  }
}

const luaL_Reg eva_lua_experiment_methods[] = {
    {"experiment_create", l_experiment_create},
    {"experiment_update", l_experiment_update},
    {"experiment_finish", l_experiment_update},
    {"experiment", l_experiment},
    {"experiment_accepted", l_experiment_accepted},
    {"experiment_by_number", l_experiment_by_number},
    {"experiments", l_experiments},
    {"experiments_by_prefix", l_experiments_by_prefix},
    {"show_interrupted", l_show_interrupted},
    {"selection_fill", l_selection_fill},
    {"job_count", l_job_count},
    {"status_counts", l_status_counts},
    {"results", l_results},
    {"cache_counts", l_cache_counts},
    {NULL, NULL},
};
