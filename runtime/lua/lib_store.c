/* evalua.native.store: opening, transactions and locks; records between SQL rows and Lua tables. */
#include "lua/lib_store.h"

#include <string.h>

#include "lua/call.h"
#include "lua/embedded.h"
#include "lua/vm.h"
#include "store/store.h"

static const char STORE_TYPE[] = "evalua.store";

eva_lua_store *eva_lua_check_store_box(lua_State *L, int index) { return luaL_checkudata(L, index, STORE_TYPE); }

eva_store *eva_lua_check_store(lua_State *L, int index) {
  eva_lua_store *box = eva_lua_check_store_box(L, index);
  if (!box->store) luaL_error(L, "the store is closed");
  return box->store;
}

/* Records */

void eva_lua_set_columns(lua_State *L, eva_statement *row, const eva_column *columns, int count) {
  for (int column = 0; column < count; column++) {
    if (eva_column_is_null(row, column)) continue;
    switch (columns[column].type) {
      case 'i': lua_pushinteger(L, eva_column_int(row, column)); break;
      case 'd': lua_pushnumber(L, eva_column_double(row, column)); break;
      case 'b': lua_pushboolean(L, eva_column_int(row, column) != 0); break;
      default: {
        eva_text text = eva_column_text(row, column);
        lua_pushlstring(L, text.data, text.len);
        break;
      }
    }
    lua_setfield(L, -2, columns[column].name);
  }
}

void eva_lua_push_columns(lua_State *L, eva_statement *row, const eva_column *columns, int count) {
  lua_createtable(L, 0, count);
  eva_lua_set_columns(L, row, columns, count);
}

int eva_lua_push_rows(lua_State *L, eva_statement *rows, const eva_column *columns, int count) {
  eva_error error;
  lua_newtable(L);
  for (lua_Integer index = 1;; index++) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) return 1;
    eva_lua_push_columns(L, rows, columns, count);
    lua_rawseti(L, -2, index);
  }
}

/* The value on top of the stack as the column wants it. */
static void read_value(lua_State *L, const char *what, const eva_column *column, eva_value *value) {
  int type = lua_type(L, -1), whole = 0;
  if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == NULL) {
    value->type = 'n';
    return;
  }
  value->type = column->type;
  switch (column->type) {
    case 'i':
      value->integer = lua_tointegerx(L, -1, &whole);
      if (type == LUA_TNUMBER && whole) return;
      break;
    case 'd':
      value->number = lua_tonumber(L, -1);
      if (type == LUA_TNUMBER) return;
      break;
    case 'b':
      value->integer = lua_toboolean(L, -1);
      if (type == LUA_TBOOLEAN) return;
      break;
    default:
      value->text.data = type == LUA_TSTRING ? lua_tolstring(L, -1, &value->text.len) : NULL;
      if (value->text.data) return;
      break;
  }
  luaL_error(L, "%s: field '%s' must be %s, not %s", what, column->name,
             column->type == 'i'   ? "an integer"
             : column->type == 'd' ? "a number"
             : column->type == 'b' ? "a boolean"
                                   : "a string",
             luaL_typename(L, -1));
}

void eva_lua_read_columns(lua_State *L, int index, const char *what, const eva_column *columns, int count,
                          eva_value *values) {
  index = lua_absindex(L, index);
  luaL_checktype(L, index, LUA_TTABLE);
  memset(values, 0, (size_t)count * sizeof *values);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    int column = 0;
    while (name && column < count && strcmp(columns[column].name, name) != 0) column++;
    if (!name || column == count) {
      luaL_error(L, "%s: unknown field '%s'", what, name ? name : luaL_typename(L, -2));
    }
    read_value(L, what, &columns[column], &values[column]);
    lua_pop(L, 1);
  }
}

int eva_lua_push_outcome(lua_State *L, eva_code code, const eva_error *error) {
  if (code) return eva_push_error(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

int64_t eva_lua_integer_field(lua_State *L, int index, const char *name, int64_t default_value) {
  if (lua_isnoneornil(L, index)) return default_value;
  luaL_checktype(L, index, LUA_TTABLE);
  int whole = 0;
  int type = lua_getfield(L, index, name);
  int64_t value = type == LUA_TNIL ? default_value : lua_tointegerx(L, -1, &whole);
  if (type != LUA_TNIL && (type != LUA_TNUMBER || !whole)) luaL_error(L, "option '%s' must be an integer", name);
  lua_pop(L, 1);
  return value;
}

int eva_lua_boolean_field(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index)) return -1;
  luaL_checktype(L, index, LUA_TTABLE);
  int type = lua_getfield(L, index, name);
  int value = type == LUA_TNIL ? -1 : lua_toboolean(L, -1);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN) luaL_error(L, "option '%s' must be a boolean", name);
  lua_pop(L, 1);
  return value;
}

eva_text eva_lua_text_field(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index)) return EVA_TEXT_NONE;
  luaL_checktype(L, index, LUA_TTABLE);
  eva_text text = EVA_TEXT_NONE;
  int type = lua_getfield(L, index, name);
  if (type == LUA_TSTRING) text.data = lua_tolstring(L, -1, &text.len); /* the table keeps it alive */
  if (type != LUA_TSTRING && type != LUA_TNIL) luaL_error(L, "option '%s' must be a string", name);
  lua_pop(L, 1);
  return text;
}

/* The module */

static const char *schema_text(void) { return eva_embedded_find("runtime/store/schema.sql")->text; }

static int l_schema_sql(lua_State *L) {
  lua_pushstring(L, schema_text());
  return 1;
}

/* open(url, {read_only, create, durable, timeout_ms}) -> store */
static int l_open(lua_State *L) {
  const char *url = luaL_checkstring(L, 1);
  eva_store_options options = {.read_only = eva_lua_boolean_field(L, 2, "read_only") == 1,
                               .create = eva_lua_boolean_field(L, 2, "create") == 1,
                               .durable = eva_lua_boolean_field(L, 2, "durable") == 1,
                               .schema_sql = schema_text()};
  if (lua_istable(L, 2) && lua_getfield(L, 2, "timeout_ms") != LUA_TNIL) {
    lua_Number timeout_ms = luaL_checknumber(L, -1);
    luaL_argcheck(L, timeout_ms >= 1 && timeout_ms <= 1e9, 2, "timeout_ms: 1 to 1e9");
    options.timeout_ms = (int)timeout_ms;
  }
  eva_lua_store *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->store = NULL;
  luaL_setmetatable(L, STORE_TYPE);
  eva_error error;
  if (eva_store_open(url, &options, &box->store, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

static int l_close(lua_State *L) {
  eva_lua_store *box = eva_lua_check_store_box(L, 1);
  eva_store *store = box->store;
  box->store = NULL;
  eva_store_close(store);
  return 0;
}

static int l_forget(lua_State *L) {
  eva_lua_store *box = eva_lua_check_store_box(L, 1);
  eva_store *store = box->store;
  box->store = NULL;
  eva_store_forget(store);
  return 0;
}

/* What a worker finds of its parent's stores is let go without a word to the database. */
static int l_gc(lua_State *L) { return eva_vm_of(L)->in_worker ? l_forget(L) : l_close(L); }

static int l_tostring(lua_State *L) {
  eva_lua_store *box = eva_lua_check_store_box(L, 1);
  lua_pushfstring(L, "store (%s)", box->store ? eva_store_path(box->store) : "closed");
  return 1;
}

static int l_path(lua_State *L) {
  lua_pushstring(L, eva_store_path(eva_lua_check_store(L, 1)));
  return 1;
}

static int l_notice(lua_State *L) {
  lua_pushstring(L, eva_store_notice(eva_lua_check_store(L, 1)));
  return 1;
}

static int l_begin(lua_State *L) {
  eva_error error;
  return eva_lua_push_outcome(L, eva_store_begin_patiently(eva_lua_check_store(L, 1), &error), &error);
}

static int l_commit(lua_State *L) {
  eva_error error;
  return eva_lua_push_outcome(L, eva_store_commit(eva_lua_check_store(L, 1), &error), &error);
}

static int l_rollback(lua_State *L) {
  eva_store_rollback(eva_lua_check_store(L, 1));
  return 0;
}

static int l_in_transaction(lua_State *L) {
  lua_pushboolean(L, eva_store_in_transaction(eva_lua_check_store(L, 1)));
  return 1;
}

static int l_lock(lua_State *L) {
  eva_error error;
  return eva_lua_push_outcome(L, eva_store_lock(eva_lua_check_store(L, 1), luaL_checkinteger(L, 2), &error), &error);
}

static int l_unlock(lua_State *L) {
  eva_store_unlock(eva_lua_check_store(L, 1), luaL_checkinteger(L, 2));
  return 0;
}

static int l_is_locked(lua_State *L) {
  lua_pushboolean(L, eva_store_is_locked(eva_lua_check_store(L, 1), luaL_checkinteger(L, 2)));
  return 1;
}

/* lock_fd() -> the descriptor that children must close, or nil */
static int l_lock_fd(lua_State *L) {
  int fd = eva_store_lock_fd(eva_lua_check_store(L, 1));
  if (fd < 0) return 0;
  lua_pushinteger(L, fd);
  return 1;
}

static const luaL_Reg STORE_METHODS[] = {
    {"close", l_close},       {"forget", l_forget},     {"path", l_path},     {"notice", l_notice},
    {"begin", l_begin},       {"commit", l_commit},     {"rollback", l_rollback},
    {"in_transaction", l_in_transaction},
    {"lock", l_lock},         {"unlock", l_unlock},     {"is_locked", l_is_locked},
    {"lock_fd", l_lock_fd},   {NULL, NULL},
};
static const luaL_Reg STORE_META[] = {
    {"__gc", l_gc}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};
static const luaL_Reg MODULE[] = {{"open", l_open}, {"schema_sql", l_schema_sql}, {NULL, NULL}};

int luaopen_evalua_native_store(lua_State *L) {
  luaL_newmetatable(L, STORE_TYPE);
  luaL_setfuncs(L, STORE_META, 0);
  lua_newtable(L);
  luaL_setfuncs(L, STORE_METHODS, 0);
  luaL_setfuncs(L, eva_lua_dataset_methods, 0);
  luaL_setfuncs(L, eva_lua_item_methods, 0);
  luaL_setfuncs(L, eva_lua_experiment_methods, 0);
  luaL_setfuncs(L, eva_lua_result_methods, 0);
  luaL_setfuncs(L, eva_lua_query_methods, 0);
  luaL_setfuncs(L, eva_lua_review_methods, 0);
  luaL_setfuncs(L, eva_lua_key_methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  eva_lua_open_sync(L);
  eva_lua_open_pairs(L);
  eva_lua_open_query(L);
  luaL_newlib(L, MODULE);
  return 1;
}
