/* evalua.native.cache: the request cache for the process that holds it. */
#include <string.h>

#include "lua/call.h"
#include "lua/embedded.h"
#include "lua/lib_store.h"
#include "store/cache.h"

static const char CACHE_TYPE[] = "evalua.cache";

typedef struct cache_box {
  eva_cache *cache; /* NULL once closed */
} cache_box;

static cache_box *check_box(lua_State *L) { return luaL_checkudata(L, 1, CACHE_TYPE); }

static eva_cache *check_cache(lua_State *L) {
  cache_box *box = check_box(L);
  if (!box->cache) luaL_error(L, "the cache is closed");
  return box->cache;
}

/* open(url, {read_only, create}) -> cache | nil, message, code */
static int l_open(lua_State *L) {
  const char *url = luaL_checkstring(L, 1);
  eva_cache_options options = {.read_only = eva_lua_boolean_field(L, 2, "read_only") == 1,
                               .create = eva_lua_boolean_field(L, 2, "create") == 1,
                               .schema_sql = eva_embedded_find("runtime/store/cache.sql")->text};
  cache_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->cache = NULL;
  luaL_setmetatable(L, CACHE_TYPE);
  eva_error error;
  if (eva_cache_open(url, &options, &box->cache, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

/* The cache is the caller's from here on; NULL: it is closed. */
static eva_cache *take_cache(lua_State *L) {
  cache_box *box = check_box(L);
  eva_cache *cache = box->cache;
  box->cache = NULL;
  return cache;
}

static int l_close(lua_State *L) {
  eva_cache_close(take_cache(L));
  return 0;
}

static int l_forget(lua_State *L) {
  eva_cache_forget(take_cache(L));
  return 0;
}

static int l_path(lua_State *L) {
  lua_pushstring(L, eva_cache_path(check_cache(L)));
  return 1;
}

/* get(digest) -> answer | nil where there is none | nil, message, code */
static int l_get(lua_State *L) {
  eva_cache *cache = check_cache(L);
  eva_statement *row = NULL;
  eva_error error;
  eva_code code = eva_cache_find(cache, eva_check_text(L, 2), &row, &error);
  if (code == EVA_E_NOT_FOUND) {
    lua_pushnil(L);
    return 1;
  }
  if (code != EVA_OK) return eva_push_error(L, &error);
  eva_cache_entry entry;
  eva_cache_read(row, &entry);
  eva_push_text(L, entry.answer); /* without memory the row stays open until the next look-up resets it */
  eva_reset(row);
  return 1;
}

/* The fields of the entry at the top of the stack; they live while the table does. */
static void read_entry(lua_State *L, eva_cache_entry *entry) {
  entry->digest = eva_lua_text_field(L, -1, "digest");
  entry->kind = eva_lua_text_field(L, -1, "kind");
  entry->target_id = eva_lua_text_field(L, -1, "target_id");
  entry->target_version = eva_lua_text_field(L, -1, "target_version");
  entry->trial = eva_lua_integer_field(L, -1, "trial", 0);
  entry->request = eva_lua_text_field(L, -1, "request");
  entry->answer = eva_lua_text_field(L, -1, "answer");
  entry->created_at = eva_lua_text_field(L, -1, "created_at");
  if (!entry->digest.data || !entry->kind.data || !entry->target_id.data || !entry->target_version.data ||
      !entry->request.data || !entry->answer.data || !entry->created_at.data) {
    luaL_error(L, "an entry of the cache lacks a field");
  }
}

/* put(list of entries, is_newer) -> true | nil, message, code: all of them in one transaction, or none. */
static int l_put(lua_State *L) {
  eva_cache *cache = check_cache(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  int is_newer = lua_toboolean(L, 3);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
  eva_cache_entry entry;
  for (lua_Integer index = 1; index <= count; index++) { /* what can raise comes before the transaction */
    lua_rawgeti(L, 2, index);
    read_entry(L, &entry);
    lua_pop(L, 1);
  }
  eva_error error;
  eva_code code = eva_cache_begin(cache, &error);
  if (code != EVA_OK) return eva_push_error(L, &error);
  for (lua_Integer index = 1; index <= count && code == EVA_OK; index++) {
    lua_rawgeti(L, 2, index);
    read_entry(L, &entry);
    code = eva_cache_put(cache, &entry, is_newer, &error);
    lua_pop(L, 1);
  }
  if (code == EVA_OK) code = eva_cache_commit(cache, &error);
  else eva_cache_rollback(cache);
  return eva_lua_push_outcome(L, code, &error);
}

static void set_text(lua_State *L, const char *name, eva_text text) {
  eva_push_text(L, text);
  lua_setfield(L, -2, name);
}

static void push_entry(lua_State *L, const eva_cache_entry *entry, int with_answer) {
  lua_createtable(L, 0, 9);
  set_text(L, "digest", entry->digest);
  set_text(L, "kind", entry->kind);
  set_text(L, "target_id", entry->target_id);
  set_text(L, "target_version", entry->target_version);
  lua_pushinteger(L, entry->trial);
  lua_setfield(L, -2, "trial");
  set_text(L, "request", entry->request);
  if (with_answer) set_text(L, "answer", entry->answer);
  lua_pushinteger(L, (lua_Integer)entry->request.len + (lua_Integer)entry->answer.len);
  lua_setfield(L, -2, "bytes");
  set_text(L, "created_at", entry->created_at);
}

/* entry(digest) -> {digest, kind, target_id, target_version, trial, request, answer, bytes, created_at} | nil [...] */
static int l_entry(lua_State *L) {
  eva_cache *cache = check_cache(L);
  eva_statement *row = NULL;
  eva_error error;
  eva_code code = eva_cache_find(cache, eva_check_text(L, 2), &row, &error);
  if (code == EVA_E_NOT_FOUND) return 0;
  if (code != EVA_OK) return eva_push_error(L, &error);
  eva_cache_entry entry;
  eva_cache_read(row, &entry);
  push_entry(L, &entry, 1);
  eva_reset(row);
  return 1;
}

/* list(target_id or nil, limit or nil) -> entries without their answers, by target and request | nil, message, code */
static int l_list(lua_State *L) {
  eva_cache *cache = check_cache(L);
  eva_statement *rows = NULL;
  eva_error error;
  lua_Integer limit = luaL_optinteger(L, 3, LUA_MAXINTEGER);
  if (eva_cache_list(cache, eva_optional_text(L, 2), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_newtable(L);
  for (lua_Integer index = 1; index <= limit; index++) {
    int row = 0;
    eva_cache_entry entry;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) return 1;
    eva_cache_read(rows, &entry);
    push_entry(L, &entry, 0);
    lua_rawseti(L, -2, index);
  }
  eva_reset(rows);
  return 1;
}

/* count(target_id or nil) -> integer | nil, message, code */
static int l_count(lua_State *L) {
  eva_cache *cache = check_cache(L);
  eva_error error;
  int64_t count = 0;
  if (eva_cache_count(cache, eva_optional_text(L, 2), &count, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

/* clear(target_id or nil, before or nil) -> number of entries removed | nil, message, code */
static int l_clear(lua_State *L) {
  eva_cache *cache = check_cache(L);
  eva_error error;
  int64_t count = 0;
  eva_text target_id = eva_optional_text(L, 2), before = eva_optional_text(L, 3);
  if (eva_cache_clear(cache, target_id, before, &count, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

static const luaL_Reg METHODS[] = {
    {"close", l_close}, {"forget", l_forget}, {"path", l_path},   {"get", l_get},     {"put", l_put},
    {"entry", l_entry}, {"list", l_list},     {"count", l_count}, {"clear", l_clear}, {NULL, NULL},
};
static const luaL_Reg META[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
static const luaL_Reg MODULE[] = {{"open", l_open}, {NULL, NULL}};

int luaopen_evalua_native_cache(lua_State *L) {
  luaL_newmetatable(L, CACHE_TYPE);
  luaL_setfuncs(L, META, 0);
  luaL_newlib(L, METHODS);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, MODULE);
  return 1;
}
