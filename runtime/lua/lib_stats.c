/* The module evalua.native.stats: statistics over vectors of doubles.
 *
 * A number that does not exist is nil, never NaN. */
#include "lua/lib_stats.h"

#include <math.h>
#include <string.h>

#include "lua/vm.h"
#include "stats/agreement.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/power.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"
#include "stats/summary.h"

static const char VECTOR[] = "evalua.vector";
enum { EVA_BOOTSTRAP_DRAWS_MAX = 1000000 };

typedef struct vector {
  size_t n;
  double values[];
} vector;

static void push_vector_metatable(lua_State *L);

double *eva_lua_push_vector(lua_State *L, size_t n) {
  if (n > (SIZE_MAX / 2 - sizeof(vector)) / sizeof(double)) {
    luaL_error(L, "a vector cannot hold that many numbers");
  }
  vector *made = lua_newuserdatauv(L, sizeof *made + n * sizeof made->values[0], 0);
  made->n = n;
  memset(made->values, 0, n * sizeof made->values[0]);
  push_vector_metatable(L);
  lua_setmetatable(L, -2);
  return made->values;
}

const double *eva_lua_check_vector(lua_State *L, int index, size_t *n) {
  const vector *found = luaL_checkudata(L, index, VECTOR);
  *n = found->n;
  return found->values;
}

/* Helpers: results and options ------------------------------------------------------------------------------------ */

static void push_number_or_nil(lua_State *L, double value) {
  if (isfinite(value)) {
    lua_pushnumber(L, value);
  } else {
    lua_pushnil(L);
  }
}

static void set_number(lua_State *L, const char *name, double value) { /* on the table at the top */
  push_number_or_nil(L, value);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* {low, high}, as comparisons and summaries show intervals. */
static int push_interval(lua_State *L, eva_interval interval) {
  if (!isfinite(interval.low) || !isfinite(interval.high)) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 2, 0);
  lua_pushnumber(L, interval.low);
  lua_rawseti(L, -2, 1);
  lua_pushnumber(L, interval.high);
  lua_rawseti(L, -2, 2);
  return 1;
}

/* The finite number option `name` of the table at `index`, or `otherwise` without table or option. */
static double option_number(lua_State *L, int index, const char *name, double otherwise) {
  if (lua_isnoneornil(L, index)) {
    return otherwise;
  }
  luaL_checktype(L, index, LUA_TTABLE);
  double value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    value = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !isfinite(value)) {
      luaL_error(L, "option %s must be a finite number, got %s", name, luaL_tolstring(L, -1, NULL));
    }
  }
  lua_pop(L, 1);
  return value;
}

static double option_fraction(lua_State *L, int index, const char *name, double otherwise) {
  double value = option_number(L, index, name, otherwise);
  if (!(value > 0 && value < 1)) {
    luaL_error(L, "option %s must be above 0 and below 1, got %f", name, value);
  }
  return value;
}

static lua_Integer option_integer(lua_State *L, int index, const char *name, lua_Integer otherwise) {
  if (lua_isnoneornil(L, index)) {
    return otherwise;
  }
  luaL_checktype(L, index, LUA_TTABLE);
  lua_Integer value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    int is_integer;
    value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer) {
      luaL_error(L, "option %s must be an integer, got %s", name, luaL_tolstring(L, -1, NULL));
    }
  }
  lua_pop(L, 1);
  return value;
}

static size_t check_count(lua_State *L, int index) {
  lua_Integer count = luaL_checkinteger(L, index);
  luaL_argcheck(L, count >= 0, index, "must not be negative");
  return (size_t)count;
}

static double check_fraction(lua_State *L, int index, double otherwise) { /* strictly between 0 and 1 */
  double value = luaL_optnumber(L, index, otherwise);
  luaL_argcheck(L, value > 0 && value < 1, index, "must be above 0 and below 1");
  return value;
}

/* Numbers the labels of the list at `index` with the table at `seen` (label -> number, new ones counted on) into out,
 * which has room for n. Raises on a hole. */
static uint32_t number_labels(lua_State *L, int index, int seen, size_t n, uint32_t next, uint32_t *out) {
  for (size_t i = 0; i < n; i++) {
    if (lua_geti(L, index, (lua_Integer)i + 1) == LUA_TNIL) {
      luaL_error(L, "the list of labels has no entry %d", (int)i + 1);
    }
    lua_pushvalue(L, -1);
    if (lua_rawget(L, seen) == LUA_TNIL) {
      out[i] = next++;
      lua_pushvalue(L, -2);
      lua_pushinteger(L, out[i]);
      lua_rawset(L, seen);
    } else {
      out[i] = (uint32_t)lua_tointeger(L, -1);
    }
    lua_pop(L, 2);
  }
  return next;
}

/* The option `clusters` (a list with one label per value) of the table at `index` as numbers in a userdata that is left
 * on the stack; NULL without it. */
static const uint32_t *option_clusters(lua_State *L, int index, size_t n) {
  if (lua_isnoneornil(L, index) || lua_getfield(L, index, "clusters") == LUA_TNIL) {
    return NULL;
  }
  int list = lua_gettop(L);
  luaL_checktype(L, list, LUA_TTABLE);
  if (luaL_len(L, list) != (lua_Integer)n) {
    luaL_error(L, "option clusters must name a cluster for each of %d values, got %d", (int)n, (int)luaL_len(L, list));
  }
  lua_newtable(L);
  uint32_t *numbers = lua_newuserdatauv(L, (n + 1) * sizeof *numbers, 0);
  number_labels(L, list, list + 1, n, 0, numbers);
  return numbers;
}

/* Methods of a vector --------------------------------------------------------------------------------------------- */

static int vector_len(lua_State *L) {
  size_t n;
  eva_lua_check_vector(L, 1, &n);
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

static int vector_get(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  lua_Integer i = luaL_checkinteger(L, 2);
  if (i >= 1 && (size_t)i <= n) {
    push_number_or_nil(L, values[i - 1]);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static int vector_table(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  lua_createtable(L, n < INT32_MAX ? (int)n : 0, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushnumber(L, values[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int vector_tostring(lua_State *L) {
  size_t n;
  eva_lua_check_vector(L, 1, &n);
  lua_pushfstring(L, "vector of %I numbers", (LUAI_UACINT)n);
  return 1;
}

static const luaL_Reg vector_methods[] = {
    {"get", vector_get},
    {"table", vector_table},
    {NULL, NULL},
};

static void push_vector_metatable(lua_State *L) {
  if (luaL_newmetatable(L, VECTOR)) {
    lua_pushcfunction(L, vector_len);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, vector_tostring);
    lua_setfield(L, -2, "__tostring");
    luaL_newlib(L, vector_methods);
    lua_setfield(L, -2, "__index");
  }
}

/* Functions ------------------------------------------------------------------------------------------------------- */

static int stats_vector(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n = (size_t)luaL_len(L, 1);
  double *values = eva_lua_push_vector(L, n);
  for (size_t i = 0; i < n; i++) {
    int type = lua_geti(L, 1, (lua_Integer)i + 1);
    values[i] = lua_tonumber(L, -1);
    if (type != LUA_TNUMBER || !isfinite(values[i])) {
      return luaL_error(L, "a vector holds finite numbers, entry %d is %s", (int)i + 1, luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
  }
  return 1;
}

static int stats_summary(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  lua_settop(L, 2);
  double confidence = option_fraction(L, 2, "confidence", 0.95);
  const uint32_t *clusters = option_clusters(L, 2, n);
  eva_summary summary = eva_summarize(values, n, clusters, confidence);
  lua_createtable(L, 0, 10);
  set_count(L, "n", n);
  set_number(L, "mean", summary.mean);
  set_number(L, "stderr", summary.standard_error);
  set_number(L, "min", summary.min);
  set_number(L, "max", summary.max);
  set_number(L, "p50", summary.p50);
  push_interval(L, summary.ci);
  lua_setfield(L, -2, "ci");
  lua_pushboolean(L, summary.binary);
  lua_setfield(L, -2, "binary");
  if (clusters != NULL) {
    set_count(L, "clusters", summary.clusters);
  }
  if (n > 0) {
    lua_createtable(L, 0, 3);
    set_number(L, "low", summary.histogram.low);
    set_number(L, "high", summary.histogram.high);
    lua_createtable(L, EVA_HISTOGRAM_BINS, 0);
    for (size_t bin = 0; bin < summary.histogram.bins; bin++) {
      lua_pushinteger(L, (lua_Integer)summary.histogram.counts[bin]);
      lua_rawseti(L, -2, (lua_Integer)bin + 1);
    }
    lua_setfield(L, -2, "counts");
    lua_setfield(L, -2, "histogram");
  }
  return 1;
}

static int stats_mean(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  push_number_or_nil(L, eva_mean(values, n));
  return 1;
}

static int stats_percentiles(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer asked = luaL_len(L, 2);
  double *copy = lua_newuserdatauv(L, (n + 1) * sizeof *copy, 0);
  if (n > 0) {
    memcpy(copy, values, n * sizeof *copy);
  }
  lua_newtable(L);
  for (lua_Integer i = 1; i <= asked; i++) {
    lua_geti(L, 2, i);
    double q = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(q >= 0 && q <= 100)) {
      return luaL_error(L, "a percentile is a number from 0 to 100, got %s", luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    push_number_or_nil(L, eva_percentile(copy, n, q));
    lua_seti(L, -2, i);
  }
  return 1;
}

static eva_paired_options read_paired_options(lua_State *L, int index) {
  eva_paired_options options = eva_paired_defaults();
  if (lua_isnoneornil(L, index)) {
    return options;
  }
  luaL_checktype(L, index, LUA_TTABLE);
  if (lua_getfield(L, index, "higher_is_better") != LUA_TNIL) {
    options.higher_is_better = lua_toboolean(L, -1);
  }
  lua_pop(L, 1);
  options.margin = option_number(L, index, "margin", 0);
  if (options.margin < 0) {
    luaL_error(L, "option margin must be 0 or more, got %f", options.margin);
  }
  options.alpha = option_fraction(L, index, "alpha", 0.05);
  options.confidence = option_fraction(L, index, "confidence", 1 - options.alpha);
  options.seed = (uint64_t)option_integer(L, index, "seed", (lua_Integer)options.seed);
  return options;
}

static int stats_paired(lua_State *L) {
  size_t n;
  size_t m;
  const double *baseline = eva_lua_check_vector(L, 1, &n);
  const double *candidate = eva_lua_check_vector(L, 2, &m);
  if (n != m) {
    return luaL_error(L, "paired vectors must be equally long, got %d and %d", (int)n, (int)m);
  }
  lua_settop(L, 3);
  eva_paired_options options = read_paired_options(L, 3);
  const uint32_t *clusters = option_clusters(L, 3, n);
  eva_paired result = eva_compare_paired(baseline, candidate, n, clusters, &options);
  lua_createtable(L, 0, 16);
  set_count(L, "n", n);
  set_number(L, "baseline_mean", result.baseline_mean);
  set_number(L, "candidate_mean", result.candidate_mean);
  set_number(L, "delta", result.delta);
  set_number(L, "stderr", result.standard_error);
  push_interval(L, result.ci);
  lua_setfield(L, -2, "ci");
  lua_pushstring(L, eva_paired_test_name(result.test));
  lua_setfield(L, -2, "test");
  set_number(L, "p_value", result.p_value);
  set_number(L, "effect_size", result.effect_size);
  set_number(L, "mde", result.mde);
  set_count(L, "improved", result.improved);
  set_count(L, "regressed", result.regressed);
  set_count(L, "same", result.same);
  if (clusters != NULL) {
    set_count(L, "clusters", result.clusters);
  }
  lua_pushstring(L, eva_verdict_name(result.verdict));
  lua_setfield(L, -2, "verdict");
  return 1;
}

/* changes(baseline, candidate[, limit]) -> positions of the pairs that differ, the largest difference first. */
static int stats_changes(lua_State *L) {
  size_t n;
  size_t m;
  const double *baseline = eva_lua_check_vector(L, 1, &n);
  const double *candidate = eva_lua_check_vector(L, 2, &m);
  if (n != m) {
    return luaL_error(L, "paired vectors must be equally long, got %d and %d", (int)n, (int)m);
  }
  lua_Integer limit = luaL_optinteger(L, 3, LUA_MAXINTEGER);
  size_t *positions = lua_newuserdatauv(L, (n + 1) * sizeof *positions, 0);
  size_t count = eva_paired_changes(baseline, candidate, n, positions);
  lua_newtable(L);
  for (size_t i = 0; i < count && (lua_Integer)i < limit; i++) {
    lua_pushinteger(L, (lua_Integer)positions[i] + 1);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* The number at `position` of the list at the top of the stack; NaN for anything else. */
static double list_number(lua_State *L, lua_Integer position) {
  double value = lua_geti(L, -1, position) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
  lua_pop(L, 1);
  return value;
}

/* verdict({n=, ci={low, high}, p_value=}, options): the verdict of a comparison with another p, margin or alpha. */
static int stats_verdict(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  eva_paired_options options = read_paired_options(L, 2);
  lua_Integer n = option_integer(L, 1, "n", 0);
  double p_value = option_number(L, 1, "p_value", NAN);
  eva_interval ci = {NAN, NAN};
  if (lua_getfield(L, 1, "ci") == LUA_TTABLE) {
    ci.low = list_number(L, 1);
    ci.high = list_number(L, 2);
  }
  lua_pushstring(L, eva_verdict_name(eva_paired_verdict(n > 0 ? (size_t)n : 0, ci, p_value, &options)));
  return 1;
}

static int stats_wilson(lua_State *L) {
  size_t successes = check_count(L, 1);
  size_t n = check_count(L, 2);
  return push_interval(L, eva_wilson(successes, n, check_fraction(L, 3, 0.95)));
}

static int stats_clopper_pearson(lua_State *L) {
  size_t successes = check_count(L, 1);
  size_t n = check_count(L, 2);
  return push_interval(L, eva_clopper_pearson(successes, n, check_fraction(L, 3, 0.95)));
}

static int stats_mcnemar(lua_State *L) {
  size_t improved = check_count(L, 1);
  push_number_or_nil(L, eva_mcnemar(improved, check_count(L, 2)));
  return 1;
}

static int stats_sign_flip(lua_State *L) {
  size_t n;
  const double *differences = eva_lua_check_vector(L, 1, &n);
  push_number_or_nil(L, eva_sign_flip(differences, n, (uint64_t)luaL_optinteger(L, 2, 1)));
  return 1;
}

static int adjust(lua_State *L, void (*method)(const double *p, size_t n, double *adjusted)) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n = (size_t)luaL_len(L, 1);
  double *p = lua_newuserdatauv(L, (n + 1) * sizeof *p, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    p[i] = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(p[i] >= 0 && p[i] <= 1)) {
      return luaL_error(L, "a p-value is a number from 0 to 1, entry %d is %s", (int)i + 1,
                        luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
  }
  method(p, n, p);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushnumber(L, p[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int stats_holm(lua_State *L) {
  return adjust(L, eva_holm);
}

static int stats_benjamini_hochberg(lua_State *L) {
  return adjust(L, eva_benjamini_hochberg);
}

static int stats_kappa(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  size_t n = (size_t)luaL_len(L, 1);
  if ((size_t)luaL_len(L, 2) != n) {
    return luaL_error(L, "two lists of labels must be equally long, got %d and %d", (int)n, (int)luaL_len(L, 2));
  }
  lua_newtable(L);
  uint32_t *x = lua_newuserdatauv(L, (2 * n + 1) * sizeof *x, 0);
  uint32_t next = number_labels(L, 1, 3, n, 0, x);
  next = number_labels(L, 2, 3, n, next, x + n);
  push_number_or_nil(L, eva_kappa(x, x + n, n, next));
  return 1;
}

static int stats_krippendorff(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  size_t units = (size_t)luaL_len(L, 1);
  lua_newtable(L);
  size_t *ends = lua_newuserdatauv(L, (units + 1) * sizeof *ends, 0);
  size_t total = 0;
  for (size_t unit = 0; unit < units; unit++) {
    if (lua_geti(L, 1, (lua_Integer)unit + 1) != LUA_TTABLE) {
      return luaL_error(L, "unit %d must be a list of labels", (int)unit + 1);
    }
    ends[unit] = total += (size_t)luaL_len(L, -1);
    lua_pop(L, 1);
  }
  uint32_t *labels = lua_newuserdatauv(L, (total + 1) * sizeof *labels, 0);
  uint32_t next = 0;
  size_t start = 0;
  for (size_t unit = 0; unit < units; unit++) {
    lua_geti(L, 1, (lua_Integer)unit + 1);
    next = number_labels(L, lua_gettop(L), 2, ends[unit] - start, next, labels + start);
    lua_pop(L, 1);
    start = ends[unit];
  }
  push_number_or_nil(L, eva_krippendorff_nominal(labels, ends, units, next));
  return 1;
}

static int stats_pass_at(lua_State *L) {
  size_t n = check_count(L, 1);
  size_t correct = check_count(L, 2);
  push_number_or_nil(L, eva_pass_at(n, correct, check_count(L, 3)));
  return 1;
}

static int stats_pass_all(lua_State *L) {
  size_t n = check_count(L, 1);
  size_t correct = check_count(L, 2);
  push_number_or_nil(L, eva_pass_all(n, correct, check_count(L, 3)));
  return 1;
}

static int stats_detectable_difference(lua_State *L) {
  double error = luaL_checknumber(L, 1);
  double alpha = check_fraction(L, 2, 0.05);
  push_number_or_nil(L, eva_detectable_difference(error, alpha, check_fraction(L, 3, 0.8)));
  return 1;
}

static int stats_sample_size(lua_State *L) {
  double difference = luaL_checknumber(L, 1);
  double variance = luaL_checknumber(L, 2);
  double alpha = check_fraction(L, 3, 0.05);
  push_number_or_nil(L, eva_sample_size(difference, variance, alpha, check_fraction(L, 4, 0.8)));
  return 1;
}

static int stats_bootstrap(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  lua_Integer draws = option_integer(L, 2, "draws", 1000);
  uint64_t seed = (uint64_t)option_integer(L, 2, "seed", 1);
  if (draws < 1 || draws > EVA_BOOTSTRAP_DRAWS_MAX) {
    return luaL_error(L, "option draws must be from 1 to %d, got %d", EVA_BOOTSTRAP_DRAWS_MAX, (int)draws);
  }
  luaL_argcheck(L, n > 0, 1, "the bootstrap needs at least one value");
  eva_bootstrap_means(values, n, seed, eva_lua_push_vector(L, (size_t)draws), (size_t)draws);
  return 1;
}

static int stats_normal_quantile(lua_State *L) {
  push_number_or_nil(L, eva_normal_quantile(luaL_checknumber(L, 1)));
  return 1;
}

static int stats_t_quantile(lua_State *L) {
  double probability = luaL_checknumber(L, 1);
  push_number_or_nil(L, eva_t_quantile(probability, luaL_checknumber(L, 2)));
  return 1;
}

static const luaL_Reg functions[] = {
    {"vector", stats_vector},
    {"summary", stats_summary},
    {"mean", stats_mean},
    {"percentiles", stats_percentiles},
    {"paired", stats_paired},
    {"changes", stats_changes},
    {"verdict", stats_verdict},
    {"wilson", stats_wilson},
    {"clopper_pearson", stats_clopper_pearson},
    {"mcnemar", stats_mcnemar},
    {"sign_flip", stats_sign_flip},
    {"holm", stats_holm},
    {"benjamini_hochberg", stats_benjamini_hochberg},
    {"kappa", stats_kappa},
    {"krippendorff", stats_krippendorff},
    {"pass_at", stats_pass_at},
    {"pass_all", stats_pass_all},
    {"detectable_difference", stats_detectable_difference},
    {"sample_size", stats_sample_size},
    {"bootstrap", stats_bootstrap},
    {"normal_quantile", stats_normal_quantile},
    {"t_quantile", stats_t_quantile},
    {NULL, NULL},
};

int luaopen_evalua_native_stats(lua_State *L) {
  push_vector_metatable(L);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
