/* evalua.native.frame: keeps the frame of a script's function that ends with a call of the library.
 *
 * `return eval.file "prompt.md"` is a tail call: where the function called is one of Lua, the frame of the caller is
 * gone when it runs, and with it the script's line and the directory that relative paths are taken from. A C function is
 * called on top of it. */
#include "lua/vm.h"

static int finish(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  return lua_gettop(L);
}

static int call_kept(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, finish); /* what it calls may wait */
  return finish(L, LUA_OK, 0);
}

/* keep(f) -> a function that does what f does, called without losing the frame of its caller */
static int l_keep(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (lua_iscfunction(L, 1)) return 1;
  lua_pushcclosure(L, call_kept, 1);
  return 1;
}

int luaopen_evalua_native_frame(lua_State *L) {
  static const luaL_Reg MODULE[] = {{"keep", l_keep}, {NULL, NULL}};
  luaL_newlib(L, MODULE);
  return 1;
}
