/* The module evalua.native.stats: statistics over vectors of doubles.
 *
 * A number that does not exist is nil, never NaN. */
#include "lua/lib_stats.h"
#include "lua/stats_values.h"

#include <math.h>
#include <string.h>

#include "lua/vm.h"
#include "stats/agreement.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/power.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/ranking.h"
#include "stats/special.h"
#include "stats/summary.h"

static const char VECTOR[] = "evalua.vector";
enum { EVA_BOOTSTRAP_DRAWS_MAX = 1000000 };

typedef struct vector {
  size_t n;
  double *values; /* inside the userdata, or in `owned` */
  eva_buf owned;
} vector;

static void push_vector_metatable(lua_State *L);

double *eva_lua_push_vector(lua_State *L, size_t n) {
  if (n > (SIZE_MAX / 2 - sizeof(vector)) / sizeof(double)) {
    luaL_error(L, "a vector cannot hold that many numbers");
  }
  vector *made = lua_newuserdatauv(L, sizeof *made + n * sizeof made->values[0], 0);
  *made = (vector){.n = n, .values = (double *)(made + 1)};
  memset(made->values, 0, n * sizeof made->values[0]);
  push_vector_metatable(L);
  lua_setmetatable(L, -2);
  return made->values;
}

void eva_lua_push_vector_of(lua_State *L, eva_buf *values) {
  vector *made = lua_newuserdatauv(L, sizeof *made, 0);
  *made = (vector){0};
  push_vector_metatable(L);
  lua_setmetatable(L, -2);
  *made = (vector){.n = values->len / sizeof(double), .values = (double *)(void *)values->data, .owned = *values};
  *values = (eva_buf){0};
}

const double *eva_lua_check_vector(lua_State *L, int index, size_t *n) {
  const vector *found = luaL_checkudata(L, index, VECTOR);
  *n = found->n;
  return found->values;
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
    eva_lua_push_number(L, values[i - 1]);
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

/* vector:free(): gives its memory back now; it is empty from then on. Also its __gc. */
static int vector_free(lua_State *L) {
  vector *found = luaL_checkudata(L, 1, VECTOR);
  found->n = 0;
  eva_buf_free(&found->owned);
  return 0;
}

static const luaL_Reg vector_methods[] = {
    {"get", vector_get},
    {"free", vector_free},
    {"table", vector_table},
    {NULL, NULL},
};

static void push_vector_metatable(lua_State *L) {
  if (luaL_newmetatable(L, VECTOR)) {
    lua_pushcfunction(L, vector_len);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, vector_free);
    lua_setfield(L, -2, "__gc");
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
  double confidence = eva_lua_option_fraction(L, 2, "confidence", 0.95);
  const uint32_t *clusters = eva_lua_option_clusters(L, 2, n);
  eva_summary summary = eva_summarize(values, n, clusters, confidence);
  lua_createtable(L, 0, 10);
  eva_lua_set_count(L, "n", n);
  eva_lua_set_number(L, "mean", summary.mean);
  eva_lua_set_number(L, "stderr", summary.standard_error);
  eva_lua_set_number(L, "min", summary.min);
  eva_lua_set_number(L, "max", summary.max);
  eva_lua_set_number(L, "p50", summary.p50);
  eva_lua_push_interval(L, summary.ci);
  lua_setfield(L, -2, "ci");
  lua_pushboolean(L, summary.binary);
  lua_setfield(L, -2, "binary");
  if (clusters != NULL) {
    eva_lua_set_count(L, "clusters", summary.clusters);
  }
  if (n > 0) {
    lua_createtable(L, 0, 3);
    eva_lua_set_number(L, "low", summary.histogram.low);
    eva_lua_set_number(L, "high", summary.histogram.high);
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
  eva_lua_push_number(L, eva_mean(values, n));
  return 1;
}

/* percentiles(vector, list of numbers from 0 to 100, in_place) -> list. In place it reorders the vector and needs no
 * second one. */
static int stats_percentiles(lua_State *L) {
  vector *found = luaL_checkudata(L, 1, VECTOR);
  size_t n = found->n;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer asked = luaL_len(L, 2);
  double *copy = found->values;
  if (!lua_toboolean(L, 3)) {
    copy = lua_newuserdatauv(L, (n + 1) * sizeof *copy, 0);
    if (n > 0) memcpy(copy, found->values, n * sizeof *copy);
  }
  lua_newtable(L);
  for (lua_Integer i = 1; i <= asked; i++) {
    lua_geti(L, 2, i);
    double q = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(q >= 0 && q <= 100)) {
      return luaL_error(L, "a percentile is a number from 0 to 100, got %s", luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    eva_lua_push_number(L, eva_percentile(copy, n, q));
    lua_seti(L, -2, i);
  }
  return 1;
}

/* Two vectors of the same length, the first two arguments; returns their length. */
static size_t check_pair(lua_State *L, const double **baseline, const double **candidate) {
  size_t n;
  size_t m;
  *baseline = eva_lua_check_vector(L, 1, &n);
  *candidate = eva_lua_check_vector(L, 2, &m);
  if (n != m) {
    luaL_error(L, "paired vectors must be equally long, got %d and %d", (int)n, (int)m);
  }
  return n;
}

static int stats_paired(lua_State *L) {
  const double *baseline;
  const double *candidate;
  size_t n = check_pair(L, &baseline, &candidate);
  lua_settop(L, 3);
  eva_paired_options options = eva_lua_paired_options(L, 3);
  const uint32_t *clusters = eva_lua_option_clusters(L, 3, n);
  eva_paired result = eva_compare_paired(baseline, candidate, n, clusters, &options);
  eva_lua_push_paired(L, &result);
  return 1;
}

/* changes(baseline, candidate[, limit]) -> positions of the pairs that differ, the largest difference first. */
static int stats_changes(lua_State *L) {
  const double *baseline;
  const double *candidate;
  size_t n = check_pair(L, &baseline, &candidate);
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
  eva_paired_options options = eva_lua_paired_options(L, 2);
  lua_Integer n = eva_lua_option_integer(L, 1, "n", 0);
  double p_value = eva_lua_option_number(L, 1, "p_value", NAN);
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
  return eva_lua_push_interval(L, eva_wilson(successes, n, check_fraction(L, 3, 0.95)));
}

static int stats_clopper_pearson(lua_State *L) {
  size_t successes = check_count(L, 1);
  size_t n = check_count(L, 2);
  return eva_lua_push_interval(L, eva_clopper_pearson(successes, n, check_fraction(L, 3, 0.95)));
}

static int stats_mcnemar(lua_State *L) {
  size_t improved = check_count(L, 1);
  eva_lua_push_number(L, eva_mcnemar(improved, check_count(L, 2)));
  return 1;
}

static int stats_sign_flip(lua_State *L) {
  size_t n;
  const double *differences = eva_lua_check_vector(L, 1, &n);
  eva_lua_push_number(L, eva_sign_flip(differences, n, (uint64_t)luaL_optinteger(L, 2, 1)));
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
  uint32_t next = eva_lua_number_labels(L, 1, 3, n, 0, x);
  next = eva_lua_number_labels(L, 2, 3, n, next, x + n);
  eva_lua_push_number(L, eva_kappa(x, x + n, n, next));
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
    next = eva_lua_number_labels(L, lua_gettop(L), 2, ends[unit] - start, next, labels + start);
    lua_pop(L, 1);
    start = ends[unit];
  }
  eva_lua_push_number(L, eva_krippendorff_nominal(labels, ends, units, next));
  return 1;
}

static int stats_pass_at(lua_State *L) {
  size_t n = check_count(L, 1);
  size_t correct = check_count(L, 2);
  eva_lua_push_number(L, eva_pass_at(n, correct, check_count(L, 3)));
  return 1;
}

static int stats_pass_all(lua_State *L) {
  size_t n = check_count(L, 1);
  size_t correct = check_count(L, 2);
  eva_lua_push_number(L, eva_pass_all(n, correct, check_count(L, 3)));
  return 1;
}

/* average_precision(vector of zeros and ones, in the order of the ranking) -> number | nil */
static int stats_average_precision(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  unsigned char *relevant = lua_newuserdatauv(L, n + 1, 0);
  for (size_t i = 0; i < n; i++) relevant[i] = values[i] != 0;
  eva_lua_push_number(L, eva_average_precision(relevant, n));
  return 1;
}

/* expected_score(vector of values, vector of their probabilities, least) -> number | nil */
static int stats_expected_score(lua_State *L) {
  size_t n, m;
  const double *values = eva_lua_check_vector(L, 1, &n), *probabilities = eva_lua_check_vector(L, 2, &m);
  luaL_argcheck(L, n == m, 2, "as many probabilities as values");
  eva_lua_push_number(L, eva_expected_score(values, probabilities, n, luaL_optnumber(L, 3, 0)));
  return 1;
}

static int stats_detectable_difference(lua_State *L) {
  double error = luaL_checknumber(L, 1);
  double alpha = check_fraction(L, 2, 0.05);
  eva_lua_push_number(L, eva_detectable_difference(error, alpha, check_fraction(L, 3, 0.8)));
  return 1;
}

static int stats_sample_size(lua_State *L) {
  double difference = luaL_checknumber(L, 1);
  double variance = luaL_checknumber(L, 2);
  double alpha = check_fraction(L, 3, 0.05);
  eva_lua_push_number(L, eva_sample_size(difference, variance, alpha, check_fraction(L, 4, 0.8)));
  return 1;
}

static int stats_bootstrap(lua_State *L) {
  size_t n;
  const double *values = eva_lua_check_vector(L, 1, &n);
  lua_Integer draws = eva_lua_option_integer(L, 2, "draws", 1000);
  uint64_t seed = (uint64_t)eva_lua_option_integer(L, 2, "seed", 1);
  if (draws < 1 || draws > EVA_BOOTSTRAP_DRAWS_MAX) {
    return luaL_error(L, "option draws must be from 1 to %d, got %d", EVA_BOOTSTRAP_DRAWS_MAX, (int)draws);
  }
  luaL_argcheck(L, n > 0, 1, "the bootstrap needs at least one value");
  eva_bootstrap_means(values, n, seed, eva_lua_push_vector(L, (size_t)draws), (size_t)draws);
  return 1;
}

static int stats_normal_quantile(lua_State *L) {
  eva_lua_push_number(L, eva_normal_quantile(luaL_checknumber(L, 1)));
  return 1;
}

static int stats_t_quantile(lua_State *L) {
  double probability = luaL_checknumber(L, 1);
  eva_lua_push_number(L, eva_t_quantile(probability, luaL_checknumber(L, 2)));
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
    {"average_precision", stats_average_precision},
    {"expected_score", stats_expected_score},
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
