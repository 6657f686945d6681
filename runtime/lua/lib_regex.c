/* evalua.native.regex: Perl-compatible regular expressions that cannot hang. */
#include "data/regex.h"
#include "lua/call.h"

#define REGEX_METATABLE "evalua.regex"

typedef struct regex_box {
  eva_regex *regex; /* NULL until compiled */
} regex_box;

static eva_regex *check_regex(lua_State *L) {
  regex_box *box = luaL_checkudata(L, 1, REGEX_METATABLE);
  luaL_argcheck(L, box->regex != NULL, 1, "the pattern was not compiled");
  return box->regex;
}

/* regex.compile(pattern [, flags]) -> regex | nil, message, code; flags: i, m, s, x */
static int regex_compile(lua_State *L) {
  eva_text pattern = eva_check_text(L, 1), flags = eva_optional_text(L, 2);
  regex_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->regex = NULL;
  luaL_setmetatable(L, REGEX_METATABLE);
  eva_error error;
  if (eva_regex_compile(pattern, flags, &box->regex, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

/* {[0] = whole, [1] = group or nil, ..., start = , stop = , named = {name = group}}: positions are bytes from 1
 * (of the text repaired with U+FFFD where it was not UTF-8). */
static int push_match(lua_State *L, const eva_regex *regex) {
  const char *subject = eva_regex_subject(regex).data;
  size_t start, end, count = eva_regex_group_count(regex), group;
  lua_createtable(L, (int)count, 4);
  for (size_t i = 0; i <= count; i++) {
    if (!eva_regex_group(regex, i, &start, &end)) continue;
    lua_pushlstring(L, subject + start, end - start);
    lua_rawseti(L, -2, (lua_Integer)i);
  }
  (void)eva_regex_group(regex, 0, &start, &end);
  lua_pushinteger(L, (lua_Integer)start + 1);
  lua_setfield(L, -2, "start");
  lua_pushinteger(L, (lua_Integer)end);
  lua_setfield(L, -2, "stop");
  const char *name = eva_regex_group_name(regex, 0, &group);
  if (name == NULL) return 1;
  lua_newtable(L);
  for (size_t i = 0; (name = eva_regex_group_name(regex, i, &group)) != NULL; i++) {
    if (!eva_regex_group(regex, group, &start, &end)) continue;
    lua_pushlstring(L, subject + start, end - start);
    lua_setfield(L, -2, name);
  }
  lua_setfield(L, -2, "named");
  return 1;
}

/* re:match(subject [, init]) -> captures | nil | nil, message, code; init is a byte position from 1 */
static int regex_match(lua_State *L) {
  eva_regex *regex = check_regex(L);
  eva_text subject = eva_check_text(L, 2);
  lua_Integer init = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, init >= 1, 3, "positions count from 1");
  eva_error error;
  int matched;
  if (eva_regex_match(regex, subject, (size_t)init - 1, &matched, &error) != EVA_OK) return eva_push_error(L, &error);
  if (matched) return push_match(L, regex);
  lua_pushnil(L);
  return 1;
}

/* re:find_last(subject) -> captures of the last match | nil | nil, message, code */
static int regex_find_last(lua_State *L) {
  eva_regex *regex = check_regex(L);
  eva_text subject = eva_check_text(L, 2);
  eva_error error;
  int matched;
  if (eva_regex_find_last(regex, subject, &matched, &error) != EVA_OK) return eva_push_error(L, &error);
  if (matched) return push_match(L, regex);
  lua_pushnil(L);
  return 1;
}

static int regex_gc(lua_State *L) {
  regex_box *box = luaL_checkudata(L, 1, REGEX_METATABLE);
  eva_regex_free(box->regex);
  box->regex = NULL;
  return 0;
}

static const luaL_Reg regex_methods[] = {
    {"match",     regex_match    },
    {"find_last", regex_find_last},
    {NULL,        NULL           },
};

static const luaL_Reg regex_functions[] = {
    {"compile", regex_compile},
    {NULL,      NULL         },
};

int luaopen_evalua_native_regex(lua_State *L) {
  luaL_newmetatable(L, REGEX_METATABLE);
  lua_pushcfunction(L, regex_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, regex_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, regex_functions);
  return 1;
}
