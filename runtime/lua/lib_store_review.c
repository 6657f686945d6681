/* Score sets, and what people say of results: the store's methods for `evalua score` and `evalua review`. */
#include "lua/call.h"
#include "lua/lib_store.h"
#include "store/reviews.h"
#include "store/score_sets.h"

/* score_set_create(experiment_id, {name, scorers, suite, total, command_line, git, host}) -> true */
static int l_score_set_create(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[EVA_SCORE_SET_COLUMN_COUNT];
  eva_error error;
  eva_lua_read_columns(L, 3, "score_set_create", eva_score_set_columns, EVA_SCORE_SET_COLUMN_COUNT, values);
  return eva_lua_push_outcome(L, eva_score_set_create(store, id, values, &error), &error);
}

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
static int l_score_sets(lua_State *L) {
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_score_set_list(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &rows, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  return eva_lua_push_rows(L, rows, eva_score_set_columns, EVA_SCORE_SET_COLUMN_COUNT);
}

/* reviewer_put(experiment_id, name, options) -> true */
static int l_reviewer_put(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_code code = eva_reviewer_put(store, id, eva_check_text(L, 3), eva_optional_text(L, 4), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* reviewers(experiment_id) -> list of {name, options, created_at} */
static int l_reviewers(lua_State *L) {
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_reviewer_list(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &rows, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  return eva_lua_push_rows(L, rows, eva_reviewer_columns, EVA_REVIEWER_COLUMN_COUNT);
}

/* review_put(experiment_id, {position, item_id, trial, state, tags, updated_by}) -> true */
static int l_review_put(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[EVA_REVIEW_COLUMN_COUNT];
  eva_error error;
  eva_lua_read_columns(L, 3, "review_put", eva_review_columns, EVA_REVIEW_COLUMN_COUNT, values);
  return eva_lua_push_outcome(L, eva_review_put(store, id, values, &error), &error);
}

/* review_remove(experiment_id, position) -> true */
static int l_review_remove(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_code code = eva_review_remove(store, luaL_checkstring(L, 2), luaL_checkinteger(L, 3), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* reviews(experiment_id) -> list of {position, item_id, trial, state, tags, updated_at, updated_by}, in item order */
static int l_reviews(lua_State *L) {
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_review_list(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &rows, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  return eva_lua_push_rows(L, rows, eva_review_columns, EVA_REVIEW_COLUMN_COUNT);
}

/* answer_put(experiment_id, {position, item_id, trial, scorer_id, status, score, label, passed, reason, scored_at}) */
static int l_answer_put(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[EVA_ANSWER_COLUMN_COUNT];
  eva_error error;
  eva_lua_read_columns(L, 3, "answer_put", eva_answer_columns, EVA_ANSWER_COLUMN_COUNT, values);
  return eva_lua_push_outcome(L, eva_answer_put(store, id, values, &error), &error);
}

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
  return eva_lua_push_rows(L, rows, eva_answer_columns, EVA_ANSWER_COLUMN_COUNT);
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
