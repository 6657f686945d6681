/* Score sets, and what people say of results: the store's methods for `evalua score` and `evalua review`. */
#include "lua/call.h"
#include "lua/lib_store.h"
#include "store/reviews.h"
#include "store/score_sets.h"

/* The columns of one table that methods write rows of, or list. */
typedef struct table_columns {
  const eva_column *columns;
  int count;
} table_columns;

static const table_columns SCORE_SET = {eva_score_set_columns, EVA_SCORE_SET_COLUMN_COUNT};
static const table_columns REVIEWER = {eva_reviewer_columns, EVA_REVIEWER_COLUMN_COUNT};
static const table_columns REVIEW = {eva_review_columns, EVA_REVIEW_COLUMN_COUNT};
static const table_columns ANSWER = {eva_answer_columns, EVA_ANSWER_COLUMN_COUNT};

enum { COLUMNS_MAX = 16 }; /* of these tables */
_Static_assert((int)EVA_SCORE_SET_COLUMN_COUNT <= (int)COLUMNS_MAX, "a score set has room");
_Static_assert((int)EVA_REVIEW_COLUMN_COUNT <= (int)COLUMNS_MAX, "a review has room");
_Static_assert((int)EVA_ANSWER_COLUMN_COUNT <= (int)COLUMNS_MAX, "an answer has room");

/* METHOD(experiment_id, {column = value, ...}) -> true: stores one row of an experiment. */
static int put_row(lua_State *L, const char *method, const table_columns *table,
                   eva_code (*put)(eva_store *, const char *, const eva_value *, eva_error *)) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[COLUMNS_MAX];
  eva_error error;
  eva_lua_read_columns(L, 3, method, table->columns, table->count, values);
  return eva_lua_push_outcome(L, put(store, id, values, &error), &error);
}

/* METHOD(experiment_id) -> list of records: all rows of an experiment. */
static int push_list(lua_State *L, const table_columns *table,
                     eva_code (*list)(eva_store *, const char *, eva_statement **, eva_error *)) {
  eva_error error;
  eva_statement *rows = NULL;
  eva_code code = list(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &rows, &error);
  if (code) return eva_push_error(L, &error);
  return eva_lua_push_rows(L, rows, table->columns, table->count);
}

/* score_set_create(experiment_id, {name, scorers, suite, total, command_line, git, host}) -> true */
static int l_score_set_create(lua_State *L) { return put_row(L, "score_set_create", &SCORE_SET, eva_score_set_create); }

/* score_set_update(experiment_id, name, status, total, completed_at) -> true */
static int l_score_set_update(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_text name = eva_check_text(L, 3), status = eva_check_text(L, 4);
  int64_t total = luaL_checkinteger(L, 5);
  eva_error error;
  eva_code code = eva_score_set_update(store, id, name, status, total, eva_optional_text(L, 6), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* score_sets(experiment_id) -> list of {name, status, scorers, suite, total, scored, ...}, oldest first */
static int l_score_sets(lua_State *L) { return push_list(L, &SCORE_SET, eva_score_set_list); }

/* reviewer_put(experiment_id, name, options) -> true */
static int l_reviewer_put(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_code code = eva_reviewer_put(store, id, eva_check_text(L, 3), eva_optional_text(L, 4), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* reviewers(experiment_id) -> list of {name, options, created_at} */
static int l_reviewers(lua_State *L) { return push_list(L, &REVIEWER, eva_reviewer_list); }

/* review_put(experiment_id, {position, item_id, trial, state, tags, updated_by}) -> true */
static int l_review_put(lua_State *L) { return put_row(L, "review_put", &REVIEW, eva_review_put); }

/* review_remove(experiment_id, position) -> true */
static int l_review_remove(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_code code = eva_review_remove(store, luaL_checkstring(L, 2), luaL_checkinteger(L, 3), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* reviews(experiment_id) -> list of {position, item_id, trial, state, tags, updated_at, updated_by}, in item order */
static int l_reviews(lua_State *L) { return push_list(L, &REVIEW, eva_review_list); }

/* answer_put(experiment_id, {position, item_id, trial, scorer_id, status, score, label, passed, reason, scored_at}) */
static int l_answer_put(lua_State *L) { return put_row(L, "answer_put", &ANSWER, eva_answer_put); }

/* answer_remove(experiment_id, position, scorer_id) -> true */
static int l_answer_remove(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_code code = eva_answer_remove(store, id, luaL_checkinteger(L, 3), eva_check_text(L, 4), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* answers(experiment_id, scorer_id, step_id) -> list of {position, item_id, trial, scorer_id, status, score, label,
 * passed, reason, scored_at} of one scorer, a person's or a machine's, in item order */
static int l_answers(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_answer_list(store, id, eva_check_text(L, 3), eva_optional_text(L, 4), &rows, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  return eva_lua_push_rows(L, rows, ANSWER.columns, ANSWER.count);
}

const luaL_Reg eva_lua_review_methods[] = {
    {"score_set_create", l_score_set_create},
    {"score_set_update", l_score_set_update},
    {"score_sets", l_score_sets},
    {"reviewer_put", l_reviewer_put},
    {"reviewers", l_reviewers},
    {"review_put", l_review_put},
    {"review_remove", l_review_remove},
    {"reviews", l_reviews},
    {"answer_put", l_answer_put},
    {"answer_remove", l_answer_remove},
    {"answers", l_answers},
    {NULL, NULL},
};
