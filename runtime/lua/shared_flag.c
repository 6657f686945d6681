/* A flag that is shared by the coordinator and its workers: behind eval.signal(). */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lua/engine_private.h"

/* Shared by the coordinator and all workers: whoever aborts first says why. */
typedef struct shared_flag {
  _Atomic int state; /* 0: nothing, 1: the reason is being written, 2: aborted */
  char reason[500];
} shared_flag;

typedef struct signal_handle {
  shared_flag *shared;
} signal_handle;

static const char SIGNAL[] = "evalua.engine.signal";

/* signal() -> a flag that is shared with workers forked later: flag:abort(reason), flag:reason() -> text or nil */
int eva_shared_flag_new(lua_State *L) {
  signal_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
  handle->shared = mmap(NULL, sizeof *handle->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (handle->shared == MAP_FAILED) return luaL_error(L, "not enough memory");
  luaL_setmetatable(L, SIGNAL);
  return 1;
}

static int l_signal_gc(lua_State *L) {
  signal_handle *handle = luaL_checkudata(L, 1, SIGNAL);
  munmap(handle->shared, sizeof *handle->shared);
  return 0;
}

static int l_signal_abort(lua_State *L) {
  shared_flag *flag = ((signal_handle *)luaL_checkudata(L, 1, SIGNAL))->shared;
  const char *reason = luaL_checkstring(L, 2);
  int nothing = 0;
  if (!atomic_compare_exchange_strong(&flag->state, &nothing, 1)) return 0;
  snprintf(flag->reason, sizeof flag->reason, "%s", reason);
  atomic_store(&flag->state, 2);
  return 0;
}

static int l_signal_reason(lua_State *L) {
  shared_flag *flag = ((signal_handle *)luaL_checkudata(L, 1, SIGNAL))->shared;
  if (atomic_load(&flag->state) != 2) return 0;
  lua_pushstring(L, flag->reason);
  return 1;
}

void eva_shared_flag_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"abort", l_signal_abort}, {"reason", l_signal_reason}, {NULL, NULL}};
  luaL_newmetatable(L, SIGNAL);
  lua_pushcfunction(L, l_signal_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

_Atomic int *eva_shared_flag_state(lua_State *L, int index) {
  return &((signal_handle *)luaL_checkudata(L, index, SIGNAL))->shared->state;
}
