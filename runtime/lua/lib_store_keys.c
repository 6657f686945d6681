/* Which scorers left scores in a run, and the scores of each: one pass over them all, sorted out here; SQL would sort
 * every row to group a few, or be asked once for each scorer. */
#include <stdlib.h>
#include <string.h>

#include "lua/call.h"
#include "lua/lib_stats.h"
#include "lua/lib_store.h"
#include "store/results.h"

enum { VALUES_MAX = 500000 /* of all scorers together: of a larger run they are read one scorer at a time */ };

/* A scorer, or a scorer of a step. Texts are offsets into `texts`, which moves as it grows. */
typedef struct score_key {
  size_t scorer, step, name; /* name: 0 where no score has one */
  int64_t ok, unscored, error, passed, not_passed;
  size_t index;    /* of `held` and `labels` */
  eva_buf *values; /* doubles, owned by the table `held`; NULL where values are not wanted */
} score_key;

typedef struct key_list {
  eva_buf *keys, *texts; /* texts: each ends with a NUL; the first byte stands for none */
  size_t count, next;    /* next: probably that of the next row, as the scores of an item follow each other */
  size_t value_count;
  int with_values;
  int held, labels; /* stack indexes of tables by key: the buffer of its values, {[label] = count} */
} key_list;

static score_key *key_at(key_list *list, size_t index) { return (score_key *)(void *)list->keys->data + index; }
static const char *text_at(const key_list *list, size_t offset) { return list->texts->data + offset; }

static size_t keep_text(key_list *list, eva_text text) {
  size_t offset = list->texts->len;
  eva_buf_add(list->texts, text.data ? text.data : "", text.len);
  eva_buf_add_char(list->texts, '\0');
  return offset;
}

static int is_key(key_list *list, const score_key *key, eva_text scorer, eva_text step) {
  return strcmp(text_at(list, key->scorer), scorer.data) == 0 && strcmp(text_at(list, key->step), step.data) == 0;
}

static score_key *find_key(lua_State *L, key_list *list, eva_text scorer, eva_text step) {
  for (size_t tried = 0; tried < list->count; tried++) {
    size_t index = (list->next + tried) % list->count;
    if (!is_key(list, key_at(list, index), scorer, step)) continue;
    list->next = index + 1;
    return key_at(list, index);
  }
  score_key fresh = {.scorer = keep_text(list, scorer), .step = keep_text(list, step), .index = list->count + 1};
  if (list->with_values) {
    fresh.values = eva_push_buf(L);
    lua_rawseti(L, list->held, (lua_Integer)fresh.index);
    lua_newtable(L);
    lua_rawseti(L, list->labels, (lua_Integer)fresh.index);
  }
  eva_buf_add(list->keys, &fresh, sizeof fresh);
  list->next = 0;
  return key_at(list, list->count++);
}

/* They are too many to be held at once. */
static void drop_values(key_list *list) {
  list->with_values = 0;
  for (size_t index = 0; index < list->count; index++) eva_buf_free(key_at(list, index)->values);
}

static void count_label(lua_State *L, const key_list *list, size_t index, eva_text label) {
  lua_rawgeti(L, list->labels, (lua_Integer)index);
  eva_push_text(L, label);
  lua_pushvalue(L, -1);
  lua_Integer count = lua_rawget(L, -3) == LUA_TNUMBER ? lua_tointeger(L, -1) : 0;
  lua_pop(L, 1);
  lua_pushinteger(L, count + 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static void add_score(lua_State *L, key_list *list, eva_statement *row) {
  enum { SCORER, STEP, NAME, STATUS, SCORE, LABEL, PASSED };
  score_key *key = find_key(L, list, eva_column_text(row, SCORER), eva_column_text(row, STEP));
  eva_text status = eva_column_text(row, STATUS), name = eva_column_text(row, NAME);
  int is_ok = eva_text_equal(status, EVA_TEXT_LITERAL("ok"));
  key->ok += is_ok;
  key->unscored += eva_text_equal(status, EVA_TEXT_LITERAL("unscored"));
  key->error += eva_text_equal(status, EVA_TEXT_LITERAL("error"));
  if (name.data && (!key->name || strcmp(text_at(list, key->name), name.data) < 0)) key->name = keep_text(list, name);
  if (!list->with_values) return;
  if (is_ok && !eva_column_is_null(row, SCORE)) {
    double score = eva_column_double(row, SCORE);
    eva_buf_add(key->values, &score, sizeof score);
    if (++list->value_count > VALUES_MAX) {
      drop_values(list);
      return;
    }
  }
  if (is_ok && !eva_column_is_null(row, PASSED)) *(eva_column_int(row, PASSED) ? &key->passed : &key->not_passed) += 1;
  eva_text label = eva_column_text(row, LABEL);
  if (label.data) count_label(L, list, key->index, label);
}

static int compare_keys(const void *left, const void *right, void *context) {
  const score_key *a = left, *b = right;
  const key_list *list = context;
  int order = strcmp(text_at(list, a->scorer), text_at(list, b->scorer));
  return order ? order : strcmp(text_at(list, a->step), text_at(list, b->step));
}

static void set_count(lua_State *L, const char *name, int64_t count) {
  lua_pushinteger(L, count);
  lua_setfield(L, -2, name);
}

/* Sets the fields `values` and `counts` of the table on top of the stack. */
static void set_values(lua_State *L, const key_list *list, const score_key *key) {
  eva_lua_push_vector_of(L, key->values);
  lua_setfield(L, -2, "values");
  lua_createtable(L, 0, 6);
  set_count(L, "ok", key->ok);
  set_count(L, "unscored", key->unscored);
  set_count(L, "error", key->error);
  set_count(L, "passed", key->passed);
  set_count(L, "not_passed", key->not_passed);
  lua_rawgeti(L, list->labels, (lua_Integer)key->index);
  lua_setfield(L, -2, "labels");
  lua_setfield(L, -2, "counts");
}

static void push_key(lua_State *L, key_list *list, const score_key *key) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, text_at(list, key->scorer));
  lua_setfield(L, -2, "scorer_id");
  lua_pushstring(L, text_at(list, key->step));
  lua_setfield(L, -2, "step_id");
  if (key->name) {
    lua_pushstring(L, text_at(list, key->name));
    lua_setfield(L, -2, "scorer_name");
  }
  set_count(L, "ok", key->ok);
  set_count(L, "unscored", key->unscored);
  set_count(L, "error", key->error);
  if (list->with_values) set_values(L, list, key);
}

/* score_keys(experiment_id, with_values) -> list of {scorer_id, step_id, scorer_name, ok, unscored, error}, by scorer
 * and step. With values each has what score_values returns as `values` and `counts`, unless the run is too large. */
static int l_score_keys(lua_State *L) {
  eva_error error;
  eva_statement *rows = NULL;
  const char *id = luaL_checkstring(L, 2);
  eva_store *store = eva_lua_check_store(L, 1);
  lua_settop(L, 3);
  key_list list = {.with_values = lua_toboolean(L, 3), .keys = eva_push_buf(L), .texts = eva_push_buf(L)};
  lua_newtable(L);
  lua_newtable(L);
  list.held = lua_gettop(L) - 1;
  list.labels = lua_gettop(L);
  eva_buf_add_char(list.texts, '\0');
  if (eva_score_keys(store, id, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (int row = 1;;) {
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    add_score(L, &list, rows);
  }
  if (list.count > 1) qsort_r(list.keys->data, list.count, sizeof(score_key), compare_keys, &list);
  lua_createtable(L, (int)list.count, 0);
  for (size_t index = 0; index < list.count; index++) {
    push_key(L, &list, key_at(&list, index));
    lua_rawseti(L, -2, (lua_Integer)index + 1);
  }
  return 1;
}

const luaL_Reg eva_lua_key_methods[] = {{"score_keys", l_score_keys}, {NULL, NULL}};
