/* The `vector` of doubles that scripts, the store and the statistics share. */
#ifndef EVA_LUA_LIB_STATS_H
#define EVA_LUA_LIB_STATS_H

#include <lua.h>
#include <stddef.h>

#include "base/buf.h"

/* Pushes a vector of n zeros and returns its storage, which lives as long as the userdata. Fill it with finite numbers
 * only. Works before the module is loaded. May raise (memory). */
double *eva_lua_push_vector(lua_State *L, size_t n);

/* Pushes a vector of the doubles in the buffer and takes its memory over; the buffer is empty then. The buffer must be
 * one that Lua owns (eva_push_buf), since this may raise (memory) before it is taken. */
void eva_lua_push_vector_of(lua_State *L, eva_buf *values);

/* The storage of the vector at `index`, its length in *n; raises when it is something else. */
const double *eva_lua_check_vector(lua_State *L, int index, size_t *n);

#endif
