/* evalua.native.secrets: the set of values that are never stored or shown (base/secrets.h), for Lua. */
#include "base/secrets.h"
#include "lua/call.h"

/* add(name, value) */
static int l_add(lua_State *L) {
  eva_secrets_add(luaL_checkstring(L, 1), eva_check_text(L, 2));
  return 0;
}

/* consider(name, value): adds the value if it looks like a key */
static int l_consider(lua_State *L) {
  eva_secrets_consider(luaL_checkstring(L, 1), luaL_checkstring(L, 2));
  return 0;
}

static int l_is_name(lua_State *L) {
  lua_pushboolean(L, eva_secrets_is_name(luaL_checkstring(L, 1)));
  return 1;
}

static int l_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)eva_secrets_count());
  return 1;
}

/* value(name) -> the value that stands as [name], or nil */
static int l_value(lua_State *L) {
  eva_push_text(L, eva_secrets_value(luaL_checkstring(L, 1)));
  return 1;
}

/* redact(text) -> text without secrets */
static int l_redact(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  lua_settop(L, 1);
  if (eva_secrets_count() == 0) return 1;
  eva_buf *out = eva_push_buf(L);
  if (eva_secrets_redact(text, out)) lua_pushlstring(L, out->data, out->len);
  else lua_pushvalue(L, 1);
  eva_buf_free(out);
  return 1;
}

static const luaL_Reg MODULE[] = {{"add", l_add},
                                  {"consider", l_consider},
                                  {"count", l_count},
                                  {"is_name", l_is_name},
                                  {"redact", l_redact},
                                  {"value", l_value},
                                  {NULL, NULL}};

int luaopen_evalua_native_secrets(lua_State *L) {
  luaL_newlib(L, MODULE);
  return 1;
}
