/* Numbers over the results of one run or two, as vectors for the statistics. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "lua/call.h"
#include "lua/lib_stats.h"
#include "lua/lib_store.h"
#include "stats/summary.h"
#include "store/results.h"

static const char PAIRS_TYPE[] = "evalua.store.pairs"; /* owns an eva_pairs */
static const char IDS_TYPE[] = "evalua.store.ids";     /* a list of item ids */

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

/* Trials */

static int l_fold_gc(lua_State *L) {
  eva_fold_free(lua_touserdata(L, 1));
  return 0;
}

/* A fold that the garbage collector frees. */
static eva_fold *push_fold(lua_State *L, eva_reduction reduction) {
  eva_fold *fold = lua_newuserdatauv(L, sizeof *fold, 0);
  *fold = (eva_fold){.reduction = reduction};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_fold_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return fold;
}

eva_reduction eva_lua_reduction(lua_State *L, int index) {
  eva_reduction reduction = {.trials = (int)eva_lua_integer_field(L, index, "trials", 1),
                             .k = (int)eva_lua_integer_field(L, index, "k", 1),
                             .applies = eva_lua_boolean_field(L, index, "applies") == 1};
  eva_text name = eva_lua_text_field(L, index, "reducer");
  if (name.data && !eva_reducer_find(name.data, &reduction.reducer)) {
    luaL_error(L, "there is no reducer '%s'", name.data);
  }
  return reduction;
}

/* Counts of the scores of a run, each item once. */
typedef struct value_counts {
  int64_t ok, unscored, error, passed, not_passed;
} value_counts;

static void push_value_counts(lua_State *L, const value_counts *counts, int labels) {
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, counts->ok);
  lua_setfield(L, -2, "ok");
  lua_pushinteger(L, counts->unscored);
  lua_setfield(L, -2, "unscored");
  lua_pushinteger(L, counts->error);
  lua_setfield(L, -2, "error");
  lua_pushinteger(L, counts->passed);
  lua_setfield(L, -2, "passed");
  lua_pushinteger(L, counts->not_passed);
  lua_setfield(L, -2, "not_passed");
  lua_pushvalue(L, labels);
  lua_setfield(L, -2, "labels");
}

/* The item in hand while its trials pass by. */
typedef struct trial_walk {
  eva_buf *values, *item, *label; /* label: of the first trial that has one */
  eva_fold *fold;
  int64_t rows, ok, unscored, errors; /* trials that the scorer has seen, by status */
  value_counts counts;
  int labels;                         /* stack index */
} trial_walk;

static void end_trials(lua_State *L, trial_walk *walk) {
  double value = 0;
  if (walk->fold->seen == 0 || (walk->rows == 0 && !walk->fold->reduction.applies)) return;
  int has_value = eva_fold_value(walk->fold, &value);
  if (has_value) {
    add_number(walk->values, value);
    walk->counts.ok++;
  } else if (walk->ok > 0) {
    walk->counts.ok += walk->label->len > 0; /* labels without scores; else fewer trials than k */
  } else if (walk->errors > 0) {
    walk->counts.error++;
  } else {
    walk->counts.unscored += walk->unscored > 0;
  }
  int passed = eva_fold_passed(walk->fold);
  walk->counts.passed += passed == 1;
  walk->counts.not_passed += passed == 0 && (has_value || walk->rows > 0);
  if (walk->label->len > 0) count_field(L, walk->labels, walk->label->data, walk->label->len);
}

static void begin_trials(trial_walk *walk, eva_text item) {
  eva_buf_clear(walk->item);
  eva_buf_add(walk->item, item.data, item.len);
  eva_buf_clear(walk->label);
  eva_fold_clear(walk->fold);
  walk->rows = walk->ok = walk->unscored = walk->errors = 0;
}

static void add_trial_row(trial_walk *walk, eva_statement *row) {
  enum { FAILED = 1, HAS_ROW, STATUS, SCORE, LABEL, PASSED };
  if (!eva_column_int(row, HAS_ROW)) {
    if (eva_column_int(row, FAILED)) eva_fold_trial(walk->fold, 1, 0);
    return;
  }
  eva_text status = eva_column_text(row, STATUS), label = eva_column_text(row, LABEL);
  int is_ok = eva_text_equal(status, EVA_TEXT_LITERAL("ok"));
  walk->rows++;
  walk->ok += is_ok;
  walk->unscored += eva_text_equal(status, EVA_TEXT_LITERAL("unscored"));
  walk->errors += eva_text_equal(status, EVA_TEXT_LITERAL("error"));
  eva_fold_trial(walk->fold, 0, eva_trial_passed(walk->fold, row, STATUS, SCORE, PASSED));
  if (is_ok && !eva_column_is_null(row, SCORE)) eva_fold_score(walk->fold, eva_column_double(row, SCORE));
  if (label.data && walk->label->len == 0) eva_buf_add(walk->label, label.data, label.len);
}

/* score_values of a run with trials: one value an item. */
static int trial_values(lua_State *L, eva_store *store, const char *id, eva_text scorer, eva_text step,
                        eva_reduction reduction) {
  trial_walk walk = {.values = eva_push_buf(L), .item = eva_push_buf(L), .label = eva_push_buf(L),
                     .fold = push_fold(L, reduction)};
  eva_error error;
  eva_statement *rows = NULL;
  lua_newtable(L);
  walk.labels = lua_gettop(L);
  if (eva_trial_values(store, id, scorer, step, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    eva_text item = eva_column_text(rows, 0);
    if (!eva_text_equal(item, eva_buf_text(walk.item)) || walk.fold->seen + walk.rows == 0) {
      end_trials(L, &walk);
      begin_trials(&walk, item);
    }
    add_trial_row(&walk, rows);
  }
  end_trials(L, &walk);
  eva_lua_push_vector_of(L, walk.values);
  push_value_counts(L, &walk.counts, walk.labels);
  return 2;
}

/* One item of a run, its trials reduced. */
typedef struct item_outcome {
  eva_buf *id;
  eva_fold *fold;
  int status;   /* of the first trial: index of status_names */
  int left_out; /* stack index of the set of items that are passed over */
} item_outcome;

enum { LEFT_OUT = 3 }; /* stack index, but in item_counts */
/* Whether the set {[item id] = true} at `index`, which may be none, has the item. */
static int is_left_out(lua_State *L, int index, eva_text id) {
  if (!lua_istable(L, index)) return 0;
  eva_push_text(L, id);
  int found = lua_rawget(L, index) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

enum { STATUS_OK, STATUS_SKIPPED = 4, STATUSES, COUNT_PASSED = 5, COUNT_NOT_PASSED, COUNT_TOTAL, COUNTS };
static const char *const status_names[COUNTS] = {"ok",      "error",  "timeout",    "limited",
                                                 "skipped", "passed", "not_passed", "total"};

static int status_of_row(eva_statement *row, int column) {
  for (int index = 0; index < STATUSES; index++) {
    if (eva_text_equal(eva_column_text(row, column), eva_text_of(status_names[index]))) return index;
  }
  return STATUS_OK;
}

/* Walks the results of a run item by item; `each` sees an item when all its stored trials are folded. */
static eva_code walk_items(lua_State *L, eva_store *store, const char *id, item_outcome *item, int64_t trials[COUNTS],
                           void (*each)(lua_State *L, item_outcome *item, void *context), void *context,
                           eva_error *error) {
  eva_statement *rows = NULL;
  eva_code code = eva_trial_list(store, id, &rows, error);
  for (int row = 1; !code && row;) {
    code = eva_step(rows, &row, error);
    if (code) break;
    eva_text name = row ? eva_column_text(rows, 0) : EVA_TEXT_NONE;
    if (item->fold->seen > 0 && (!row || !eva_text_equal(name, eva_buf_text(item->id)))) {
      each(L, item, context);
      eva_fold_clear(item->fold);
    }
    if (!row) break;
    int status = status_of_row(rows, 1), passed = eva_column_is_null(rows, 2) ? -1 : eva_column_int(rows, 2) != 0;
    if (item->fold->seen == 0) {
      eva_buf_clear(item->id);
      eva_buf_add(item->id, name.data, name.len);
      item->status = status;
    }
    eva_fold_trial(item->fold, status != STATUS_OK, passed);
    trials[status]++;
    trials[COUNT_TOTAL]++;
    if (status == STATUS_OK && passed >= 0) trials[passed ? COUNT_PASSED : COUNT_NOT_PASSED]++;
  }
  return code;
}

static void count_item(lua_State *L, item_outcome *item, void *context) {
  int64_t *counts = context;
  if (item->fold->seen < item->fold->reduction.trials) return;
  if (is_left_out(L, item->left_out, eva_buf_text(item->id))) return;
  int passed = eva_fold_passed(item->fold);
  counts[item->fold->failed == item->fold->seen ? item->status : STATUS_OK]++;
  if (passed >= 0 && item->fold->failed < item->fold->seen) counts[passed ? COUNT_PASSED : COUNT_NOT_PASSED]++;
  counts[COUNT_TOTAL]++;
}

/* item_counts(experiment_id, {trials, reducer, k}, left_out) -> {ok, error, timeout, limited, skipped, passed,
 * not_passed, total}, each item once but those of the set left_out, and the same counts of all trials as `trials`. An
 * item with trials that have no result yet is not counted; one that failed is one whose trials all failed. */
static int l_item_counts(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  int64_t items[COUNTS] = {0}, trials[COUNTS] = {0};
  lua_settop(L, 4);
  item_outcome item = {.fold = push_fold(L, eva_lua_reduction(L, 3)), .id = eva_push_buf(L), .left_out = 4};
  eva_error error;
  if (walk_items(L, store, id, &item, trials, count_item, items, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_createtable(L, 0, COUNTS + 1);
  lua_createtable(L, 0, COUNTS);
  for (int index = 0; index < COUNTS; index++) {
    lua_pushinteger(L, items[index]);
    lua_setfield(L, -3, status_names[index]);
    lua_pushinteger(L, trials[index]);
    lua_setfield(L, -2, status_names[index]);
  }
  lua_setfield(L, -2, "trials");
  return 1;
}

/* To the list on top of the stack. */
static void add_failing(lua_State *L, item_outcome *item, void *context) {
  lua_Integer *count = context;
  int failed = item->fold->failed == item->fold->seen && item->status != STATUS_SKIPPED;
  if (!failed && eva_fold_passed(item->fold) != 0) return;
  eva_push_text(L, eva_buf_text(item->id));
  lua_rawseti(L, -2, ++*count);
}

/* failing_items(experiment_id, {trials, reducer, k}) -> ids of the items that failed or did not pass, in item order */
static int l_failing_items(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  int64_t trials[COUNTS] = {0};
  lua_Integer count = 0;
  item_outcome item = {.fold = push_fold(L, eva_lua_reduction(L, 3)), .id = eva_push_buf(L)};
  eva_error error;
  lua_newtable(L);
  if (walk_items(L, store, id, &item, trials, add_failing, &count, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

/* score_values(experiment_id, scorer_id, step_id, {trials, reducer, k, applies}) -> vector of the scores, counts {ok,
 * unscored, error, passed, not_passed, labels = {[label] = n}}. Of several trials one value an item. */
static int l_score_values(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_text scorer = eva_check_text(L, 3), step = eva_optional_text(L, 4);
  eva_reduction reduction = eva_lua_reduction(L, 5);
  if (reduction.trials > 1) return trial_values(L, store, id, scorer, step, reduction);
  eva_error error;
  eva_statement *rows = NULL;
  eva_buf *values = eva_push_buf(L);
  if (eva_score_values(store, id, scorer, step, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  value_counts counts = {0};
  lua_newtable(L);
  int labels = lua_gettop(L);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    eva_text status = eva_column_text(rows, 0), label = eva_column_text(rows, 2);
    int ok = eva_text_equal(status, EVA_TEXT_LITERAL("ok"));
    counts.ok += ok;
    counts.unscored += eva_text_equal(status, EVA_TEXT_LITERAL("unscored"));
    counts.error += eva_text_equal(status, EVA_TEXT_LITERAL("error"));
    if (ok && !eva_column_is_null(rows, 1)) add_number(values, eva_column_double(rows, 1));
    if (ok && !eva_column_is_null(rows, 3)) *(eva_column_int(rows, 3) ? &counts.passed : &counts.not_passed) += 1;
    if (label.data) count_field(L, labels, label.data, label.len);
  }
  eva_lua_push_vector_of(L, values);
  push_value_counts(L, &counts, labels);
  return 2;
}

/* latencies(experiment_id, left_out) -> vector, in item order, of all items but those of the set */
static int l_latencies(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  lua_settop(L, LEFT_OUT);
  eva_error error;
  eva_statement *rows = NULL;
  eva_buf *values = eva_push_buf(L);
  if (eva_latency_list(store, luaL_checkstring(L, 2), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  for (;;) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) break;
    if (!is_left_out(L, LEFT_OUT, eva_column_text(rows, 1))) add_number(values, eva_column_double(rows, 0));
  }
  eva_lua_push_vector_of(L, values);
  return 1;
}

/* Usage */
enum { INPUT_TOKENS, OUTPUT_TOKENS, COST, USAGES };
static const char *const USAGE_NAMES[USAGES] = {"input_tokens", "output_tokens", "cost"};

typedef struct usage_sums {
  eva_json_reader reader;
  eva_sum sums[USAGES];
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
      eva_sum_add(&usage->sums[name], event == EVA_JSON_INTEGER ? (double)reader->integer : reader->number);
      usage->counts[name]++;
    }
    name = -1;
    if (event != EVA_JSON_KEY || reader->depth != 1) continue;
    for (int index = 0; index < USAGES; index++) {
      if (eva_text_equal(reader->string, eva_text_of(USAGE_NAMES[index]))) name = index;
    }
  }
}

/* usage(experiment_id, left_out) -> {input_tokens, output_tokens, cost} of all items but those of the set; nil: none
 * has any. A cost that is not known of every result with usage is absent: a sum of some would look like the whole. */
static int l_usage(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  lua_settop(L, LEFT_OUT);
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
    if (!is_left_out(L, LEFT_OUT, eva_column_text(rows, 1))) add_usage(usage, eva_column_text(rows, 0));
  }
  if (usage->rows == 0) return 0;
  lua_createtable(L, 0, USAGES);
  for (int index = 0; index < USAGES; index++) {
    if (usage->counts[index] == 0 || (index == COST && usage->counts[index] < usage->rows)) continue;
    double total = eva_sum_total(&usage->sums[index]);
    if (!isfinite(total)) continue; /* what a target reports may be anything: a sum beyond all doubles is not known */
    if (index == COST || fabs(total) >= 0x1p63) lua_pushnumber(L, total);
    else lua_pushinteger(L, (lua_Integer)total);
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

/* The two reductions of a list {baseline's, candidate's} at `index`, or none. */
static void read_reductions(lua_State *L, int index, eva_reduction reductions[2]) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  for (int side = 0; side < 2; side++) {
    lua_rawgeti(L, index, side + 1);
    reductions[side] = eva_lua_reduction(L, lua_gettop(L));
    lua_pop(L, 1);
  }
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

/* paired_scores(baseline, candidate, scorer_id, step_id, reductions) -> baseline vector, candidate vector, ids */
static int l_paired_scores(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_pair_query query = {.ids = {luaL_checkstring(L, 2), luaL_checkstring(L, 3)},
                          .scorer_id = eva_check_text(L, 4),
                          .step_id = eva_optional_text(L, 5)};
  read_reductions(L, 6, query.reductions);
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  int pairs_index = lua_gettop(L);
  if (eva_pairs_load(store, &query, pairs, &error) != EVA_OK) return eva_push_error(L, &error);
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

/* paired_items(baseline, candidate) -> {paired = n, only_baseline = {ids}, only_candidate = {ids}, changed = {ids}}, and
 * the pairs for new_failures */
static int l_paired_items(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_pair_query query = {.ids = {luaL_checkstring(L, 2), luaL_checkstring(L, 3)}};
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  int pairs_index = lua_gettop(L);
  if (eva_pairs_load(store, &query, pairs, &error) != EVA_OK) return eva_push_error(L, &error);
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
  lua_pushvalue(L, pairs_index);
  return 2;
}

static int compare_size(const void *left, const void *right) {
  const eva_pair *a = *(const eva_pair *const *)left, *b = *(const eva_pair *const *)right;
  double size_a = fabs(a->candidate - a->baseline), size_b = fabs(b->candidate - b->baseline);
  if (size_a != size_b) return size_a > size_b ? -1 : 1;
  return (a > b) - (a < b); /* item order */
}

/* score_changes(baseline, candidate, scorer_id, step_id, limit, reductions) -> list of {item_id, baseline, candidate,
 * delta} of the pairs whose scores differ, largest difference first, then in item order */
static int l_score_changes(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_pair_query query = {.ids = {luaL_checkstring(L, 2), luaL_checkstring(L, 3)},
                          .scorer_id = eva_check_text(L, 4),
                          .step_id = eva_optional_text(L, 5)};
  lua_Integer limit = luaL_optinteger(L, 6, LUA_MAXINTEGER);
  read_reductions(L, 7, query.reductions);
  eva_error error;
  eva_pairs *pairs = push_pairs(L);
  if (eva_pairs_load(store, &query, pairs, &error) != EVA_OK) return eva_push_error(L, &error);
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

/* new_failures(baseline, candidate, limit, reductions, pairs) -> list of {item_id, status} of the items that were fine
 * in the baseline and fail or do not pass in the candidate, their number. Changed items are left out. The pairs of
 * paired_items, where trials need no reducing, spare reading both runs again. */
static int l_new_failures(lua_State *L) {
  static const char *const names[] = {"", "not passed", "error", "timeout", "limited"};
  eva_store *store = eva_lua_check_store(L, 1);
  eva_pair_query query = {.ids = {luaL_checkstring(L, 2), luaL_checkstring(L, 3)}};
  lua_Integer limit = luaL_optinteger(L, 4, LUA_MAXINTEGER), count = 0;
  read_reductions(L, 5, query.reductions);
  eva_error error;
  int is_read = !lua_isnoneornil(L, 6);
  eva_pairs *pairs = is_read ? luaL_checkudata(L, 6, PAIRS_TYPE) : push_pairs(L);
  if (!is_read && eva_pairs_load(store, &query, pairs, &error) != EVA_OK) return eva_push_error(L, &error);
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
    {"score_values", l_score_values},   {"latencies", l_latencies},
    {"paired_scores", l_paired_scores}, {"paired_items", l_paired_items}, {"score_changes", l_score_changes},
    {"usage", l_usage},                 {"new_failures", l_new_failures}, {"item_counts", l_item_counts},
    {"failing_items", l_failing_items}, {NULL, NULL},
};
