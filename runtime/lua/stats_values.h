/* What the bindings of the statistics share. Every function may raise a Lua error. */
#ifndef EVA_LUA_STATS_VALUES_H
#define EVA_LUA_STATS_VALUES_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/paired.h"
#include "stats/summary.h"

void eva_lua_push_number(lua_State *L, double value);                   /* nil where it is not finite */
void eva_lua_set_number(lua_State *L, const char *name, double value);  /* a field of the table at the top */
void eva_lua_set_count(lua_State *L, const char *name, size_t value);
int eva_lua_push_interval(lua_State *L, eva_interval interval);         /* {low, high} or nil; returns 1 */
void eva_lua_push_paired(lua_State *L, const eva_paired *result);       /* as comparisons show it */

/* Options of the table at `index`, which may be absent; each must be of its kind. A fraction is above 0 and below 1. */
double eva_lua_option_number(lua_State *L, int index, const char *name, double otherwise);
double eva_lua_option_fraction(lua_State *L, int index, const char *name, double otherwise);
lua_Integer eva_lua_option_integer(lua_State *L, int index, const char *name, lua_Integer otherwise);
eva_paired_options eva_lua_paired_options(lua_State *L, int index);

/* Numbers the labels of the list at `index` with the table at `seen` (label -> number, new ones counted on) into out,
 * which has room for n. Returns the next number. */
uint32_t eva_lua_number_labels(lua_State *L, int index, int seen, size_t n, uint32_t next, uint32_t *out);

/* The option `clusters` (a list with one label per value) as numbers in a userdata that is left on the stack; NULL
 * without it. */
const uint32_t *eva_lua_option_clusters(lua_State *L, int index, size_t n);

#endif
