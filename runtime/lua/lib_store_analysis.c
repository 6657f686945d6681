/* Numbers over the results of one run or two, as vectors for the statistics. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "lua/call.h"
#include "lua/lib_stats.h"
#include "lua/lib_store.h"
#include "store/results.h"

static const char PAIRS_TYPE[] = "evalua.store.pairs"; /* owns an eva_pairs */
static const char IDS_TYPE[] = "evalua.store.ids";     /* a list of item ids */

static void push_vector_of(lua_State *L, const eva_buf *values) {
  size_t count = values->len / sizeof(double);
  double *vector = eva_lua_push_vector(L, count);
  if (count) memcpy(vector, values->data, count * sizeof(double));
}

static void add_number(eva_buf *values, double number) { eva_buf_add(values, &number, sizeof number); }

static void count_field(lua_State *L, int table, const char *name, size_t len) {
  lua_pushlstring(L, name, len);
  lua_pushvalue(L, -1);
  lua_rawget(L, table);
  lua_Integer count = lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_pushinteger(L, count + 1);
  lua_rawset(L, table);
}

/* score_values(experiment_id, scorer_id, step_id) -> vector of the scores, counts {ok, unscored, error, passed,
 * not_passed, labels = {[label] = n}} */
static int l_score_values(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_text scorer = eva_check_text(L, 3), step = eva_optional_text(L, 4);
  eva_error error;
  eva_statement *rows = NULL;
  eva_buf *values = eva_push_buf(L);
  if (eva_score_values(store, id, scorer, step, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  static const char *const names[] = {"ok", "unscored", "error", "passed", "not_passed"};
  int64_t counts[5] = {0};
  lua_newtable(L);
  int labels = lua_gettop(L);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    int ok = eva_text_equal(eva_column_text(rows, 0), EVA_TEXT_LITERAL("ok"));
    for (int index = 0; index < 3; index++) {
      counts[index] += eva_text_equal(eva_column_text(rows, 0), eva_text_of(names[index]));
    }
    if (ok && !eva_column_is_null(rows, 1)) add_number(values, eva_column_double(rows, 1));
    if (!eva_column_is_null(rows, 3)) counts[eva_column_int(rows, 3) ? 3 : 4]++;
    eva_text label = eva_column_text(rows, 2);
    if (label.data) count_field(L, labels, label.data, label.len);
  }
  push_vector_of(L, values);
  lua_createtable(L, 0, 6);
  for (int index = 0; index < 5; index++) {
    lua_pushinteger(L, counts[index]);
    lua_setfield(L, -2, names[index]);
  }
  lua_pushvalue(L, labels);
  lua_setfield(L, -2, "labels");
  return 2;
}

/* score_keys(experiment_id) -> list of {scorer_id, step_id, scorer_name, ok, unscored, error} */
static int l_score_keys(lua_State *L) {
  static const eva_column columns[] = {{"scorer_id", 't'}, {"step_id", 't'},  {"scorer_name", 't'},
                                       {"ok", 'i'},        {"unscored", 'i'}, {"error", 'i'}};
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_score_keys(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &rows, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  return eva_lua_push_rows(L, rows, columns, 6);
}

/* latencies(experiment_id) -> vector, in item order */
static int l_latencies(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  eva_buf *values = eva_push_buf(L);
  if (eva_latency_list(store, luaL_checkstring(L, 2), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    add_number(values, eva_column_double(rows, 0));
  }
  push_vector_of(L, values);
  return 1;
}

/* Usage */

enum { INPUT_TOKENS, OUTPUT_TOKENS, COST, USAGES };
static const char *const USAGE_NAMES[USAGES] = {"input_tokens", "output_tokens", "cost"};

typedef struct usage_sums {
  eva_json_reader reader;
  double sums[USAGES];
  int64_t counts[USAGES], rows;
} usage_sums;

static int l_usage_gc(lua_State *L) {
  usage_sums *usage = lua_touserdata(L, 1);
  eva_json_reader_free(&usage->reader);
  return 0;
}

/* Adds the numbers of one usage object; what is not a number, or nested, is passed over. */
static void add_usage(usage_sums *usage, eva_text text) {
  eva_error ignored;
  eva_json_reader *reader = &usage->reader;
  eva_json_reader_start(reader, text, EVA_JSON_FOREIGN, 0, &ignored);
  int name = -1;
  usage->rows++;
  for (;;) {
    eva_json_event event = eva_json_read(reader);
    if (event == EVA_JSON_END || event == EVA_JSON_ERROR) return;
    if (name >= 0 && (event == EVA_JSON_INTEGER || event == EVA_JSON_DOUBLE)) {
      usage->sums[name] += event == EVA_JSON_INTEGER ? (double)reader->integer : reader->number;
      usage->counts[name]++;
    }
    name = -1;
    if (event != EVA_JSON_KEY || reader->depth != 1) continue;
    for (int index = 0; index < USAGES; index++) {
      if (eva_text_equal(reader->string, eva_text_of(USAGE_NAMES[index]))) name = index;
    }
  }
}

/* usage(experiment_id) -> {input_tokens, output_tokens, cost}, or nil when no result has any. A cost that is not known
 * of every result with usage is absent: a sum of some would look like the whole. */
static int l_usage(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  usage_sums *usage = lua_newuserdatauv(L, sizeof *usage, 0);
  memset(usage, 0, sizeof *usage);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_usage_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (eva_usage_list(store, id, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    add_usage(usage, eva_column_text(rows, 0));
  }
  if (usage->rows == 0) return 0;
  lua_createtable(L, 0, USAGES);
  for (int index = 0; index < USAGES; index++) {
    if (usage->counts[index] == 0 || (index == COST && usage->counts[index] < usage->rows)) continue;
    if (index == COST) {
      lua_pushnumber(L, usage->sums[index]);
    } else {
      lua_pushinteger(L, (lua_Integer)usage->sums[index]);
    }
    lua_setfield(L, -2, USAGE_NAMES[index]);
  }
  return 1;
}

/* Two runs */

static int l_pairs_gc(lua_State *L) {
  eva_pairs_free(luaL_checkudata(L, 1, PAIRS_TYPE));
  return 0;
}

static eva_pairs *push_pairs(lua_State *L) {
  eva_pairs *pairs = lua_newuserdatauv(L, sizeof *pairs, 0);
  memset(pairs, 0, sizeof *pairs);
  luaL_setmetatable(L, PAIRS_TYPE);
  return pairs;
}

static int is_scored_pair(const eva_pair *pair) {
  return pair->side == EVA_PAIR_BOTH && !pair->changed && pair->baseline_scored && pair->candidate_scored;
}

/* A list of ids as one userdata: ids[i], #ids, ids(i). The pairs it points into are its user value. */
typedef struct id_list {
  const eva_pairs *pairs;
  size_t count;
  size_t index[];
} id_list;

static int l_ids_index(lua_State *L) {
  const id_list *ids = luaL_checkudata(L, 1, IDS_TYPE);
  lua_Integer index = luaL_checkinteger(L, 2);
  if (index < 1 || (size_t)index > ids->count) return 0;
  eva_push_text(L, eva_pair_id(ids->pairs, &ids->pairs->list[ids->index[index - 1]]));
  return 1;
}

static int l_ids_length(lua_State *L) {
  const id_list *ids = luaL_checkudata(L, 1, IDS_TYPE);
  lua_pushinteger(L, (lua_Integer)ids->count);
  return 1;
}

/* paired_scores(baseline, candidate, scorer_id, step_id) -> baseline vector, candidate vector, ids */
static int l_paired_scores(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *baseline = luaL_checkstring(L, 2), *candidate = luaL_checkstring(L, 3);
  eva_text scorer = eva_check_text(L, 4), step = eva_optional_text(L, 5);
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  int pairs_index = lua_gettop(L);
  if (eva_pairs_load(store, baseline, candidate, scorer, step, pairs, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  size_t count = 0;
  for (size_t index = 0; index < pairs->count; index++) count += (size_t)is_scored_pair(&pairs->list[index]);
  double *left = eva_lua_push_vector(L, count), *right = eva_lua_push_vector(L, count);
  id_list *ids = lua_newuserdatauv(L, sizeof *ids + count * sizeof ids->index[0], 1);
  ids->pairs = pairs;
  ids->count = count;
  lua_pushvalue(L, pairs_index);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, IDS_TYPE);
  for (size_t index = 0, at = 0; index < pairs->count; index++) {
    const eva_pair *pair = &pairs->list[index];
    if (!is_scored_pair(pair)) continue;
    left[at] = pair->baseline;
    right[at] = pair->candidate;
    ids->index[at++] = index;
  }
  return 3;
}

/* paired_items(baseline, candidate) -> {paired = n, only_baseline = {ids}, only_candidate = {ids}, changed = {ids}} */
static int l_paired_items(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *baseline = luaL_checkstring(L, 2), *candidate = luaL_checkstring(L, 3);
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  if (eva_pairs_load(store, baseline, candidate, EVA_TEXT_NONE, EVA_TEXT_NONE, pairs, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  static const char *const names[] = {"changed", "only_baseline", "only_candidate"};
  lua_Integer counts[3] = {0}, paired = 0;
  lua_createtable(L, 0, 4);
  int result = lua_gettop(L);
  for (int list = 0; list < 3; list++) lua_newtable(L); /* at result + 1 + list, in the order of eva_pair_side */
  for (size_t index = 0; index < pairs->count; index++) {
    const eva_pair *pair = &pairs->list[index];
    paired += pair->side == EVA_PAIR_BOTH;
    if (pair->side == EVA_PAIR_BOTH && !pair->changed) continue;
    eva_push_text(L, eva_pair_id(pairs, pair));
    lua_rawseti(L, result + 1 + (int)pair->side, ++counts[pair->side]);
  }
  for (int list = 2; list >= 0; list--) lua_setfield(L, result, names[list]);
  lua_pushinteger(L, paired);
  lua_setfield(L, result, "paired");
  return 1;
}

static int compare_size(const void *left, const void *right) {
  const eva_pair *a = *(const eva_pair *const *)left, *b = *(const eva_pair *const *)right;
  double size_a = fabs(a->candidate - a->baseline), size_b = fabs(b->candidate - b->baseline);
  if (size_a != size_b) return size_a > size_b ? -1 : 1;
  return (a > b) - (a < b); /* item order */
}

/* score_changes(baseline, candidate, scorer_id, step_id, limit) -> list of {item_id, baseline, candidate, delta} of the
 * pairs whose scores differ, largest difference first, then in item order */
static int l_score_changes(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *baseline = luaL_checkstring(L, 2), *candidate = luaL_checkstring(L, 3);
  eva_text scorer = eva_check_text(L, 4), step = eva_optional_text(L, 5);
  lua_Integer limit = luaL_optinteger(L, 6, LUA_MAXINTEGER);
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  if (eva_pairs_load(store, baseline, candidate, scorer, step, pairs, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  const eva_pair **list = lua_newuserdatauv(L, (pairs->count + 1) * sizeof *list, 0);
  size_t count = 0;
  for (size_t index = 0; index < pairs->count; index++) {
    const eva_pair *pair = &pairs->list[index];
    if (is_scored_pair(pair) && pair->baseline != pair->candidate) list[count++] = pair;
  }
  qsort(list, count, sizeof *list, compare_size);
  lua_newtable(L);
  for (size_t index = 0; index < count && (lua_Integer)index < limit; index++) {
    lua_createtable(L, 0, 4);
    eva_push_text(L, eva_pair_id(pairs, list[index]));
    lua_setfield(L, -2, "item_id");
    lua_pushnumber(L, list[index]->baseline);
    lua_setfield(L, -2, "baseline");
    lua_pushnumber(L, list[index]->candidate);
    lua_setfield(L, -2, "candidate");
    lua_pushnumber(L, list[index]->candidate - list[index]->baseline);
    lua_setfield(L, -2, "delta");
    lua_rawseti(L, -2, (lua_Integer)index + 1);
  }
  return 1;
}

/* new_failures(baseline, candidate, limit) -> list of {item_id, status} of the items that were fine in the baseline and
 * fail or do not pass in the candidate, their number. Changed items are left out. */
static int l_new_failures(lua_State *L) {
  static const char *const names[] = {"", "not passed", "error", "timeout", "limited"};
  eva_store *store = eva_lua_check_store(L, 1);
  const char *baseline = luaL_checkstring(L, 2), *candidate = luaL_checkstring(L, 3);
  lua_Integer limit = luaL_optinteger(L, 4, LUA_MAXINTEGER), count = 0;
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  if (eva_pairs_load(store, baseline, candidate, EVA_TEXT_NONE, EVA_TEXT_NONE, pairs, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  lua_newtable(L);
  for (size_t index = 0; index < pairs->count; index++) {
    const eva_pair *pair = &pairs->list[index];
    if (pair->side != EVA_PAIR_BOTH || pair->changed || pair->baseline_failure || !pair->candidate_failure) continue;
    if (++count > limit) continue;
    lua_createtable(L, 0, 2);
    eva_push_text(L, eva_pair_id(pairs, pair));
    lua_setfield(L, -2, "item_id");
    lua_pushstring(L, names[pair->candidate_failure]);
    lua_setfield(L, -2, "status");
    lua_rawseti(L, -2, count);
  }
  lua_pushinteger(L, count);
  return 2;
}

void eva_lua_open_pairs(lua_State *L) {
  static const luaL_Reg pairs_meta[] = {{"__gc", l_pairs_gc}, {NULL, NULL}};
  static const luaL_Reg ids_meta[] = {
      {"__index", l_ids_index}, {"__call", l_ids_index}, {"__len", l_ids_length}, {NULL, NULL}};
  luaL_newmetatable(L, PAIRS_TYPE);
  luaL_setfuncs(L, pairs_meta, 0);
  luaL_newmetatable(L, IDS_TYPE);
  luaL_setfuncs(L, ids_meta, 0);
  lua_pop(L, 2);
}

const luaL_Reg eva_lua_result_methods[] = {
    {"score_values", l_score_values},   {"score_keys", l_score_keys},     {"latencies", l_latencies},
    {"paired_scores", l_paired_scores}, {"paired_items", l_paired_items}, {"score_changes", l_score_changes},
    {"usage", l_usage},                 {"new_failures", l_new_failures}, {NULL, NULL},
};
