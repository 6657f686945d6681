/* Crossing between C and Lua; see call.h. */
#include "lua/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_LINES_MAX = 8 };

/* ==== C to Lua ==== */

static void push_message(lua_State *L, const eva_error *error) {
  if (error->where[0]) {
    lua_pushfstring(L, "%s: %s", error->where, error->message);
  } else {
    lua_pushstring(L, error->message);
  }
}

int eva_push_error(lua_State *L, const eva_error *error) {
  lua_pushnil(L);
  push_message(L, error);
  lua_pushstring(L, eva_code_name(error->code));
  return 3;
}

int eva_raise_error(lua_State *L, const eva_error *error) {
  luaL_where(L, 1);
  push_message(L, error);
  lua_concat(L, 2);
  return lua_error(L);
}

/* ==== Lua to C ==== */

/* A line of a traceback that tells the user something: of a script, not of the program's own Lua or of C. */
static int is_user_line(const char *line, size_t len) {
  static const char *const own[] = {"stdlib/", "scripts/", "[C]", "(...tail calls...)", "(...\t(skipping"};
  while (len > 0 && (*line == '\t' || *line == ' ')) line++, len--;
  for (size_t index = 0; index < sizeof own / sizeof *own; index++) {
    size_t own_len = strlen(own[index]);
    if (len >= own_len && memcmp(line, own[index], own_len) == 0) return 0;
  }
  return len > 0;
}

void eva_push_place(lua_State *L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || !is_user_line(frame.short_src, strlen(frame.short_src))) continue;
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

void eva_push_trace(lua_State *L, lua_State *of, int level) {
  luaL_traceback(L, of, NULL, level);
  const char *trace = lua_tostring(L, -1);
  luaL_Buffer kept;
  luaL_buffinit(L, &kept);
  int count = 0;
  for (const char *line = strchr(trace, '\n'); line && count < TRACE_LINES_MAX;) {
    line++;
    const char *end = strchr(line, '\n');
    size_t len = end ? (size_t)(end - line) : strlen(line);
    if (is_user_line(line, len)) {
      if (count++) luaL_addchar(&kept, '\n');
      luaL_addlstring(&kept, line, len);
    }
    line = end;
  }
  luaL_pushresult(&kept); /* trace kept */
  lua_remove(L, -2);
}

/* The text of the error at index 1: scripts raise texts, tables that carry a message, and anything. */
static const char *push_error_text(lua_State *L) {
  if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
    lua_pushliteral(L, "message");
    if (lua_rawget(L, 1) == LUA_TSTRING) return lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_settop(L, 1);
  return luaL_tolstring(L, 1, NULL);
}

/* Replaces the error object on top by its text, and notes the exit code that it carries. */
static int handle_error(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  vm->error_exit = EVA_EXIT_SCRIPT;
  if (lua_type(L, 1) == LUA_TTABLE) {
    lua_pushliteral(L, "exit");
    if (lua_rawget(L, 1) == LUA_TNUMBER) {
      vm->error_exit = (int)lua_tointeger(L, -1);
      lua_pushliteral(L, "message");
      lua_rawget(L, 1);
      lua_pushliteral(L, "trace"); /* what raised it again has kept the stack of the script */
      int has_trace = lua_rawget(L, 1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING;
      if (has_trace && vm->error_exit == EVA_EXIT_SCRIPT) {
        lua_pushfstring(L, "%s\nstack:\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
      } else {
        lua_pop(L, 1);
      }
      return 1;
    }
  }
  const char *message = push_error_text(L); /* error ... message */
  eva_push_trace(L, L, 1);
  if (lua_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
  } else {
    lua_pushfstring(L, "%s\nstack:\n%s", message, lua_tostring(L, -1));
  }
  return 1;
}

/* Without memory for it there is none: what the eva_error holds has to do. */
static void keep_error_text(eva_vm *vm, const char *message, size_t len) {
  free(vm->error_text);
  vm->error_text = malloc(len + 1);
  if (!vm->error_text) return;
  memcpy(vm->error_text, message, len);
  vm->error_text[len] = 0;
  vm->error_len = len;
}

static eva_code take_error(eva_vm *vm, lua_State *L, int status, eva_error *error) {
  static const char no_text[] = "an error that is no text";
  size_t len = sizeof no_text - 1;
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : no_text;
  eva_code code = status == LUA_ERRMEM ? EVA_E_LIMIT : EVA_E_STATE;
  eva_error_set(error, code, NULL, "%s", message);
  keep_error_text(vm, message, len);
  lua_pop(L, 1);
  return code;
}

eva_code eva_call(eva_vm *vm, lua_State *L, int argument_count, int result_count, eva_error *error) {
  int handler = lua_gettop(L) - argument_count;
  lua_State *outer = vm->running;
  lua_pushcfunction(L, handle_error); /* a light C function: no allocation */
  lua_insert(L, handler);
  vm->running = L;
  int status = lua_pcall(L, argument_count, result_count, handler);
  vm->running = outer;
  lua_remove(L, handler);
  return status == LUA_OK ? EVA_OK : take_error(vm, L, status, error);
}

int eva_call_plain(lua_State *L, int argument_count) { return lua_pcall(L, argument_count, LUA_MULTRET, 0); }

eva_code eva_call_protected(eva_vm *vm, lua_CFunction function, void *argument, eva_error *error) {
  lua_pushcfunction(vm->L, function);
  lua_pushlightuserdata(vm->L, argument);
  return eva_call(vm, vm->L, 1, 0, error);
}

int eva_resume(eva_vm *vm, lua_State *co, int argument_count, int *result_count) {
  lua_State *outer = vm->running;
  vm->running = co;
  int status = lua_resume(co, outer, argument_count, result_count);
  vm->running = outer;
  return status;
}

/* ==== Buffers and arguments ==== */

static const char BUF_TYPE[] = "evalua.buf";

static int buf_collect(lua_State *L) {
  eva_buf_free(luaL_checkudata(L, 1, BUF_TYPE));
  return 0;
}

eva_buf *eva_push_buf(lua_State *L) {
  eva_buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
  *buf = (eva_buf){0};
  if (luaL_newmetatable(L, BUF_TYPE)) {
    lua_pushcfunction(L, buf_collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, buf_collect);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  return buf;
}

eva_text eva_check_text(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TSTRING);
  eva_text text;
  text.data = lua_tolstring(L, index, &text.len);
  return text;
}

eva_text eva_optional_text(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? EVA_TEXT_NONE : eva_check_text(L, index);
}

eva_text eva_field_text(lua_State *L, int index, const char *name) {
  int type = lua_getfield(L, index, name);
  eva_text text = EVA_TEXT_NONE;
  if (type == LUA_TSTRING) {
    text.data = lua_tolstring(L, -1, &text.len);
  } else if (type != LUA_TNIL) {
    luaL_error(L, "field %s must be a string, not a %s", name, lua_typename(L, type));
  }
  lua_pop(L, 1);
  return text;
}

void eva_push_text(lua_State *L, eva_text text) {
  if (text.data) {
    lua_pushlstring(L, text.data, text.len);
  } else {
    lua_pushnil(L);
  }
}
