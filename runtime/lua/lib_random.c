/* math.random and math.randomseed over the random state of the running scope; same results for the same arguments and
 * state as Lua 5.4's own (xoshiro256**, Blackman and Vigna 2018). */
#include "lua/random.h"

#include <lauxlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "lua/task.h"
#include "lua/vm.h"

static uint64_t rotate_left(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

static uint64_t random_next(eva_lua_random *random) {
  uint64_t *s = random->state;
  uint64_t s1 = s[1], s2 = s[2] ^ s[0], s3 = s[3] ^ s1;
  uint64_t result = rotate_left(s1 * 5, 7) * 9;
  s[1] = s1 ^ s2;
  s[0] ^= s3;
  s[2] = s2 ^ (s1 << 17);
  s[3] = rotate_left(s3, 45);
  return result;
}

void eva_lua_random_seed(eva_lua_random *random, const unsigned char seed[32]) {
  memcpy(random->state, seed, sizeof random->state);
  random->state[0] |= 1; /* never all zero */
}

/* A uniform integer in [0, limit] without bias: draws again when beyond it (as lmathlib's `project`). */
static lua_Unsigned random_project(eva_lua_random *random, lua_Unsigned limit) {
  lua_Unsigned mask = limit;
  for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
  for (;;) {
    lua_Unsigned value = random_next(random) & mask;
    if (value <= limit) return value;
  }
}

static int l_random(lua_State *L) {
  eva_lua_random *random = eva_scope_random(eva_vm_of(L));
  lua_Integer low, high;
  switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, (lua_Number)(random_next(random) >> 11) * 0x1p-53); return 1;
    case 1:
      low = 1;
      high = luaL_checkinteger(L, 1);
      if (high == 0) {
        lua_pushinteger(L, (lua_Integer)random_next(random));
        return 1;
      }
      break;
    case 2:
      low = luaL_checkinteger(L, 1);
      high = luaL_checkinteger(L, 2);
      break;
    default: return luaL_error(L, "wrong number of arguments");
  }
  luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
  lua_pushinteger(L, (lua_Integer)(random_project(random, (lua_Unsigned)high - (lua_Unsigned)low) + (lua_Unsigned)low));
  return 1;
}

static int l_randomseed(lua_State *L) {
  eva_lua_random *random = eva_scope_random(eva_vm_of(L));
  unsigned char seed[EVA_SHA256_SIZE];
  char text[128];
  int len;
  if (lua_isnone(L, 1)) {
    len = lua_gettop(L) + snprintf(text, sizeof text, "%llu", (unsigned long long)eva_clock_monotonic_ns());
  } else {
    len = snprintf(text, sizeof text, "%.17g %lld", luaL_checknumber(L, 1), (long long)luaL_optinteger(L, 2, 0));
  }
  eva_sha256_of(text, (size_t)len, seed);
  eva_lua_random_seed(random, seed);
  return 0;
}

void eva_random_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"random", l_random}, {"randomseed", l_randomseed}, {NULL, NULL}};
  lua_getglobal(L, "math");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
