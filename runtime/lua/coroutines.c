/* coroutine.resume, wrap and close that let native waits pass through user's coroutines: a wait yields a sentinel, and
 * whoever resumed the coroutine yields it again, up to the scope's base. The idea is that of cqueues' auxlib. */
#include <string.h>

#include "lua/call.h"
#include "lua/deadline.h"
#include "lua/interrupt.h"
#include "lua/task.h"

extern const char eva_wait_sentinel;

static int resume_continue(lua_State *L, int status, lua_KContext context);

/* Resumes co with argument_count values from the top of L. Returns the count of results pushed, or -1 with an error
 * message on top, or -2 when co waits: L must then yield the sentinel. */
static int resume_inner(lua_State *L, lua_State *co, int argument_count) {
  int result_count = 0;
  if (!lua_checkstack(co, argument_count)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, argument_count);
  int status = eva_resume(eva_vm_of(L), co, argument_count, &result_count);
  eva_vm *vm = eva_vm_of(L);
  eva_interrupt_follow(L);
  if (vm->interrupted && !vm->closing) { /* the time of the item is up: L is left as co was */
    if (lua_isyieldable(L)) return -2;
    eva_deadline_hook(L);
    lua_pushliteral(L, "the time of the item is up");
    return -1;
  }
  if (status == LUA_YIELD && result_count == 1 && lua_touserdata(co, -1) == &eva_wait_sentinel) {
    lua_pop(co, 1);
    if (lua_isyieldable(L)) return -2;
    lua_pushliteral(L, "cannot wait in a coroutine that is resumed inside a sort comparator, a gsub callback, "
                       "__tostring or a required file");
    return -1;
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    if (!lua_checkstack(L, result_count + 1)) {
      lua_pop(co, result_count);
      lua_pushliteral(L, "too many results to resume");
      return -1;
    }
    lua_xmove(co, L, result_count);
    return result_count;
  }
  lua_xmove(co, L, 1);
  return -1;
}

enum { MODE_RESUME, MODE_WRAP };

/* The stack of L has the coroutine at 1 (resume) or in upvalue 1 (wrap); what follows is on top. */
static int finish(lua_State *L, lua_State *co, int mode, int count) {
  if (count == -2) {
    lua_pushlightuserdata(L, (void *)&eva_wait_sentinel);
    return lua_yieldk(L, 1, mode, resume_continue);
  }
  if (mode == MODE_RESUME) {
    lua_pushboolean(L, count >= 0);
    int values = count >= 0 ? count : 1;
    lua_insert(L, -(values + 1));
    return values + 1;
  }
  if (count >= 0) return count;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    if (lua_resetthread(co) != LUA_OK) lua_xmove(co, L, 1); /* an error in __close replaces the first */
  }
  if (lua_type(L, -1) == LUA_TSTRING) { /* add the place, as Lua's own wrap does */
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static lua_State *coroutine_of(lua_State *L, int mode) {
  return lua_tothread(L, mode == MODE_WRAP ? lua_upvalueindex(1) : 1);
}

static int resume_continue(lua_State *L, int status, lua_KContext context) {
  int mode = (int)context;
  lua_State *co = coroutine_of(L, mode);
  (void)status;
  lua_settop(L, mode == MODE_RESUME ? 1 : 0);
  return finish(L, co, mode, resume_inner(L, co, 0));
}

static int l_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  return finish(L, co, MODE_RESUME, resume_inner(L, co, lua_gettop(L) - 1));
}

static int l_wrapped(lua_State *L) {
  lua_State *co = coroutine_of(L, MODE_WRAP);
  return finish(L, co, MODE_WRAP, resume_inner(L, co, lua_gettop(L)));
}

static int l_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, l_wrapped, 1);
  return 1;
}

lua_State *eva_coroutine_inner(lua_State *co) {
  lua_Debug frame;
  lua_State *inner = NULL;
  if (lua_status(co) != LUA_YIELD || !lua_getstack(co, 0, &frame) || !lua_checkstack(co, 2)) return NULL;
  lua_getinfo(co, "f", &frame);
  int top = lua_gettop(co);
  lua_CFunction function = lua_tocfunction(co, -1);
  if (function == l_wrapped && lua_getupvalue(co, -1, 1)) inner = lua_tothread(co, -1);
  if (function == l_resume && lua_getlocal(co, &frame, 1)) inner = lua_tothread(co, -1);
  lua_settop(co, top - 1);
  return inner == co ? NULL : inner;
}

void eva_task_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"resume", l_resume}, {"wrap", l_wrap}, {NULL, NULL}};
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
