/* What the bindings of the statistics share: numbers and intervals on the stack, options, labels, paired results. */
#include "lua/stats_values.h"

#include <math.h>
#include <stdint.h>

#include "lua/vm.h"

void eva_lua_push_number(lua_State *L, double value) {
  if (isfinite(value)) {
    lua_pushnumber(L, value);
  } else {
    lua_pushnil(L);
  }
}

void eva_lua_set_number(lua_State *L, const char *name, double value) { /* on the table at the top */
  eva_lua_push_number(L, value);
  lua_setfield(L, -2, name);
}

void eva_lua_set_count(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* {low, high}, as comparisons and summaries show intervals. */
int eva_lua_push_interval(lua_State *L, eva_interval interval) {
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
double eva_lua_option_number(lua_State *L, int index, const char *name, double otherwise) {
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

double eva_lua_option_fraction(lua_State *L, int index, const char *name, double otherwise) {
  double value = eva_lua_option_number(L, index, name, otherwise);
  if (!(value > 0 && value < 1)) {
    luaL_error(L, "option %s must be above 0 and below 1, got %f", name, value);
  }
  return value;
}

lua_Integer eva_lua_option_integer(lua_State *L, int index, const char *name, lua_Integer otherwise) {
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

/* Numbers the labels of the list at `index` with the table at `seen` (label -> number, new ones counted on) into out,
 * which has room for n. Raises on a hole. */
uint32_t eva_lua_number_labels(lua_State *L, int index, int seen, size_t n, uint32_t next, uint32_t *out) {
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
const uint32_t *eva_lua_option_clusters(lua_State *L, int index, size_t n) {
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
  eva_lua_number_labels(L, list, list + 1, n, 0, numbers);
  return numbers;
}

eva_paired_options eva_lua_paired_options(lua_State *L, int index) {
  eva_paired_options options = eva_paired_defaults();
  if (lua_isnoneornil(L, index)) {
    return options;
  }
  luaL_checktype(L, index, LUA_TTABLE);
  if (lua_getfield(L, index, "higher_is_better") != LUA_TNIL) {
    options.higher_is_better = lua_toboolean(L, -1);
  }
  lua_pop(L, 1);
  options.margin = eva_lua_option_number(L, index, "margin", 0);
  if (options.margin < 0) {
    luaL_error(L, "option margin must be 0 or more, got %f", options.margin);
  }
  options.alpha = eva_lua_option_fraction(L, index, "alpha", 0.05);
  options.confidence = eva_lua_option_fraction(L, index, "confidence", 1 - options.alpha);
  options.seed = (uint64_t)eva_lua_option_integer(L, index, "seed", (lua_Integer)options.seed);
  lua_Integer differing = eva_lua_option_integer(L, index, "differing", 0);
  options.differing = differing > 0 ? (size_t)differing : 0;
  return options;
}

void eva_lua_push_paired(lua_State *L, const eva_paired *result) {
  lua_createtable(L, 0, 16);
  eva_lua_set_count(L, "n", result->n);
  eva_lua_set_number(L, "baseline_mean", result->baseline_mean);
  eva_lua_set_number(L, "candidate_mean", result->candidate_mean);
  eva_lua_set_number(L, "delta", result->delta);
  eva_lua_set_number(L, "stderr", result->standard_error);
  eva_lua_push_interval(L, result->ci);
  lua_setfield(L, -2, "ci");
  lua_pushstring(L, eva_paired_test_name(result->test));
  lua_setfield(L, -2, "test");
  eva_lua_set_number(L, "p_value", result->p_value);
  eva_lua_set_number(L, "effect_size", result->effect_size);
  eva_lua_set_number(L, "mde", result->mde);
  eva_lua_set_count(L, "improved", result->improved);
  eva_lua_set_count(L, "regressed", result->regressed);
  eva_lua_set_count(L, "same", result->same);
  if (result->clusters > 0) {
    eva_lua_set_count(L, "clusters", result->clusters);
  }
  lua_pushstring(L, eva_verdict_name(result->verdict));
  lua_setfield(L, -2, "verdict");
}
