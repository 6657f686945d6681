/* math.random with a state of its own for every scope, so that order and concurrency change nothing. */
#ifndef EVA_LUA_RANDOM_H
#define EVA_LUA_RANDOM_H

#include <lua.h>
#include <stdint.h>

/* xoshiro256**, as Lua's own. */
typedef struct eva_lua_random {
  uint64_t state[4];
} eva_lua_random;

/* A state from 32 bytes (a SHA-256). */
void eva_lua_random_seed(eva_lua_random *random, const unsigned char seed[32]);

/* Replaces math.random and math.randomseed. Outside of scopes the state is seeded from the clock and the process. */
void eva_random_install(lua_State *L);

#endif
