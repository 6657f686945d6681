/* The module evalua.native.metrics: measures over all results (stats/metric.h) for scripts.
 *
 * new{kind, n, ...} -> metric. Kinds of labels take `labels`, a list of columns (lists of numbers 1 .. label_count, 0 for
 * none), and `label_count`; the others the lists `x` and `y`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lua/stats_values.h"
#include "lua/vm.h"
#include "stats/metric.h"

static const char METRIC[] = "evalua.metric";

typedef struct metric_box { /* owns all it points to */
  eva_metric *metric;
  uint32_t *labels;
  double *label_values, *x, *y;
  size_t n;
  eva_metric_kind kind;
} metric_box;

static int metric_gc(lua_State *L) {
  metric_box *box = luaL_checkudata(L, 1, METRIC);
  eva_metric_free(box->metric);
  free(box->labels);
  free(box->label_values);
  free(box->x);
  free(box->y);
  memset(box, 0, sizeof *box);
  return 0;
}

/* The position of the string option `name` in a list that ends with NULL; 0 without it. */
static int read_choice(lua_State *L, const char *name, const char *const *choices) {
  int found = 0;
  if (lua_getfield(L, 1, name) != LUA_TNIL) {
    const char *text = luaL_checkstring(L, -1);
    while (choices[found] && strcmp(choices[found], text) != 0) found++;
    if (!choices[found]) luaL_error(L, "option %s cannot be '%s'", name, text);
  }
  lua_pop(L, 1);
  return found;
}

/* The option `name`, a list of n numbers, as an array in *out, which the box owns. */
static void read_numbers(lua_State *L, const char *name, size_t n, double **out) {
  luaL_argcheck(L, lua_getfield(L, 1, name) == LUA_TTABLE, 1, "a list of numbers is missing");
  if ((size_t)luaL_len(L, -1) != n) luaL_error(L, "option %s must have %d numbers", name, (int)n);
  *out = eva_alloc((n + 1) * sizeof **out);
  for (size_t i = 0; i < n; i++) {
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TNUMBER || !isfinite(lua_tonumber(L, -1))) {
      luaL_error(L, "entry %d of %s is no finite number", (int)i + 1, name);
    }
    (*out)[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void read_labels(lua_State *L, metric_box *box, eva_metric_data *data) {
  luaL_argcheck(L, lua_getfield(L, 1, "labels") == LUA_TTABLE, 1, "the columns of labels are missing");
  size_t raters = (size_t)luaL_len(L, -1);
  luaL_argcheck(L, raters >= 2, 1, "two columns of labels or more are needed");
  luaL_argcheck(L, data->n < SIZE_MAX / sizeof *box->labels / raters - 1, 1, "too many rows");
  box->labels = eva_alloc((data->n * raters + 1) * sizeof *box->labels);
  for (size_t rater = 0; rater < raters; rater++) {
    luaL_argcheck(L, lua_rawgeti(L, -1, (lua_Integer)rater + 1) == LUA_TTABLE, 1, "a column of labels is a list");
    for (size_t row = 0; row < data->n; row++) {
      lua_rawgeti(L, -1, (lua_Integer)row + 1);
      lua_Integer label = lua_tointeger(L, -1);
      lua_pop(L, 1);
      int is_right = label >= (box->kind == EVA_METRIC_ALPHA ? 0 : 1) && (size_t)label <= data->label_count;
      if (!is_right) luaL_error(L, "row %d has no proper label", (int)row + 1);
      box->labels[row * raters + rater] = label ? (uint32_t)(label - 1) : EVA_NO_LABEL;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  data->labels = box->labels;
  data->raters = raters;
}

static int has_labels(eva_metric_kind kind) { return kind <= EVA_METRIC_ALPHA; }

static eva_metric_kind read_kind(lua_State *L) {
  lua_getfield(L, 1, "kind");
  const char *name = luaL_checkstring(L, -1);
  int kind = 0;
  while (kind < EVA_METRIC_KINDS && strcmp(eva_metric_name((eva_metric_kind)kind), name) != 0) kind++;
  if (kind == EVA_METRIC_KINDS) luaL_error(L, "there is no metric '%s'", name);
  lua_pop(L, 1);
  return (eva_metric_kind)kind;
}

static int metrics_new(lua_State *L) {
  static const char *const averages[] = {"macro", "micro", "weighted", "label", NULL};
  static const char *const weights[] = {"none", "linear", "quadratic", NULL};
  static const char *const levels[] = {"nominal", "ordinal", "interval", NULL};
  enum { BINS_MAX = 100000 };
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_Integer n = eva_lua_option_integer(L, 1, "n", 0);
  lua_Integer bins = eva_lua_option_integer(L, 1, "bins", 10);
  luaL_argcheck(L, n >= 0 && n < UINT32_MAX, 1, "n is out of range");
  luaL_argcheck(L, bins >= 1 && bins <= BINS_MAX, 1, "bins is out of range");
  metric_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, METRIC);
  box->kind = read_kind(L);
  box->n = (size_t)n;
  eva_metric_options options = {.kind = box->kind,
                                .average = (eva_average)read_choice(L, "average", averages),
                                .weight = (eva_label_weight)read_choice(L, "weights", weights),
                                .level = (eva_level)read_choice(L, "level", levels),
                                .label = (uint32_t)(eva_lua_option_integer(L, 1, "label", 0) - 1),
                                .bins = (size_t)bins};
  eva_metric_data data = {.n = box->n};
  if (has_labels(box->kind)) {
    lua_Integer count = eva_lua_option_integer(L, 1, "label_count", 0);
    luaL_argcheck(L, count >= 0 && count < UINT32_MAX, 1, "label_count is out of range");
    data.label_count = (size_t)count;
    read_labels(L, box, &data);
    if (options.level == EVA_LEVEL_INTERVAL) read_numbers(L, "label_values", data.label_count, &box->label_values);
    data.label_values = box->label_values;
  } else {
    read_numbers(L, "x", box->n, &box->x);
    read_numbers(L, "y", box->n, &box->y);
    data.x = box->x;
    data.y = box->y;
  }
  box->metric = eva_metric_new(&options, &data);
  return 1;
}

static metric_box *check_metric(lua_State *L, int index) {
  metric_box *box = luaL_checkudata(L, index, METRIC);
  luaL_argcheck(L, box->metric != NULL, index, "the metric is closed");
  return box;
}

static int metric_value(lua_State *L) {
  eva_lua_push_number(L, eva_metric_value(check_metric(L, 1)->metric, NULL));
  return 1;
}

/* summary{confidence, seed, clusters} -> {value, stderr, ci, n, draws} */
static int metric_summary(lua_State *L) {
  metric_box *box = check_metric(L, 1);
  lua_settop(L, 2);
  double confidence = eva_lua_option_fraction(L, 2, "confidence", 0.95);
  uint64_t seed = (uint64_t)eva_lua_option_integer(L, 2, "seed", 1);
  const uint32_t *clusters = eva_lua_option_clusters(L, 2, box->n);
  eva_metric_summary summary = eva_metric_summarize(box->metric, clusters, confidence, seed);
  lua_createtable(L, 0, 5);
  eva_lua_set_number(L, "value", summary.value);
  eva_lua_set_number(L, "stderr", summary.standard_error);
  eva_lua_push_interval(L, summary.ci);
  lua_setfield(L, -2, "ci");
  eva_lua_set_count(L, "n", summary.n);
  if (summary.draws > 0) eva_lua_set_count(L, "draws", summary.draws);
  return 1;
}

/* baseline:compare(candidate, {clusters, margin, alpha, confidence, seed, higher_is_better, differing}) -> as
 * stats.paired */
static int metric_compare(lua_State *L) {
  metric_box *baseline = check_metric(L, 1);
  metric_box *candidate = check_metric(L, 2);
  lua_settop(L, 3);
  if (baseline->n != candidate->n || baseline->kind != candidate->kind) {
    return luaL_error(L, "metrics of the same kind over the same rows can be compared only");
  }
  eva_paired_options options = eva_lua_paired_options(L, 3);
  const uint32_t *clusters = eva_lua_option_clusters(L, 3, baseline->n);
  eva_paired result = eva_metric_compare(baseline->metric, candidate->metric, clusters, &options);
  eva_lua_push_paired(L, &result);
  return 1;
}

static int metric_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_metric(L, 1)->n);
  return 1;
}

/* higher_is_better(kind) -> boolean */
static int metrics_higher_is_better(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "kind");
  lua_replace(L, 1);
  lua_pushboolean(L, eva_metric_higher_is_better(read_kind(L)));
  return 1;
}

static const luaL_Reg methods[] = {
    {"value", metric_value}, {"summary", metric_summary}, {"compare", metric_compare}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__gc", metric_gc}, {"__close", metric_gc}, {"__len", metric_len}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"new", metrics_new}, {"higher_is_better", metrics_higher_is_better}, {NULL, NULL}};

int luaopen_evalua_native_metrics(lua_State *L) {
  luaL_newmetatable(L, METRIC);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
