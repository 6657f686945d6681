/* Datasets in Lua: records, versions and aliases. */
#include <string.h>

#include "lua/call.h"
#include "lua/lib_store.h"
#include "store/datasets.h"

/* Adds `digest`, computing it where the row has none, to the record on top of the stack. */
static int add_digest(lua_State *L, eva_store *store, const char *dataset_id, int64_t version) {
  char digest[EVA_SHA256_TEXT_SIZE];
  eva_error error;
  if (lua_getfield(L, -1, "digest") == LUA_TNIL) {
    if (eva_version_digest(store, dataset_id, version, digest, &error) != EVA_OK) return eva_push_error(L, &error);
    lua_pushstring(L, digest);
    lua_setfield(L, -3, "digest");
  }
  lua_pop(L, 1);
  return 0;
}

/* Pushes the record in the statement's row, whole. */
static int push_dataset(lua_State *L, eva_store *store, eva_statement *row) {
  eva_lua_push_columns(L, row, eva_dataset_columns, EVA_DATASET_COLUMN_COUNT);
  char id[EVA_UUID_TEXT_SIZE];
  eva_text text = eva_column_text(row, EVA_DATASET_ID);
  size_t length = text.len < sizeof id ? text.len : sizeof id - 1;
  memcpy(id, text.data, length);
  id[length] = '\0';
  return add_digest(L, store, id, eva_column_int(row, EVA_DATASET_VERSION));
}

static int push_one(lua_State *L, eva_store *store, eva_statement *rows, const char *what, const char *value) {
  eva_error error;
  eva_code code = eva_step_one(rows, &error);
  if (code == EVA_E_NOT_FOUND) eva_error_set(&error, code, NULL, "there is no dataset with the %s \"%s\"", what, value);
  if (code) return eva_push_error(L, &error);
  int failed = push_dataset(L, store, rows);
  eva_reset(rows);
  return failed ? failed : 1;
}

static int push_by_id(lua_State *L, eva_store *store, const char *id) {
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_dataset_select_id(store, eva_text_of(id), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_one(L, store, rows, "id", id);
}

/* dataset_create{name=, ...} -> record */
static int l_dataset_create(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_value values[EVA_DATASET_COLUMN_COUNT];
  eva_lua_read_columns(L, 2, "dataset_create", eva_dataset_columns, EVA_DATASET_COLUMN_COUNT, values);
  char id[EVA_UUID_TEXT_SIZE];
  eva_error error;
  if (eva_dataset_create(store, values, id, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_by_id(L, store, id);
}

/* dataset(name) -> record */
static int l_dataset(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_text name = eva_check_text(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_dataset_select_name(store, name, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_one(L, store, rows, "name", name.data);
}

static int l_dataset_by_id(lua_State *L) {
  return push_by_id(L, eva_lua_check_store(L, 1), luaL_checkstring(L, 2));
}

/* datasets() -> records by name */
static int l_datasets(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_dataset_list(store, &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_newtable(L);
  for (lua_Integer index = 1;; index++) {
    int row = 0;
    if (eva_step(rows, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!row) return 1;
    int failed = push_dataset(L, store, rows);
    if (failed) {
      eva_reset(rows);
      return failed;
    }
    lua_rawseti(L, -2, index);
  }
}

/* dataset_update(id, {field = value | json.null}) -> record */
static int l_dataset_update(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_value values[EVA_DATASET_COLUMN_COUNT];
  eva_lua_read_columns(L, 3, "dataset_update", eva_dataset_columns, EVA_DATASET_COLUMN_COUNT, values);
  eva_error error;
  if (eva_dataset_update(store, id, values, &error) != EVA_OK) return eva_push_error(L, &error);
  return push_by_id(L, store, id);
}

static int l_dataset_delete(lua_State *L) {
  eva_error error;
  eva_code code = eva_dataset_delete(eva_lua_check_store(L, 1), luaL_checkstring(L, 2), &error);
  return eva_lua_push_outcome(L, code, &error);
}

/* Versions and aliases */

/* versions(id) -> list, oldest first; a digest that was never asked for is absent */
static int l_versions(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  int64_t latest = 0;
  eva_code code = eva_dataset_latest(store, id, &latest, NULL, &error);
  if (!code) code = eva_version_list(store, id, &rows, &error);
  if (code) return eva_push_error(L, &error);
  return eva_lua_push_rows(L, rows, eva_version_columns, EVA_VERSION_COLUMN_COUNT);
}

/* version_get(id, version | alias | "latest") -> record with digest */
static int l_version_get(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_statement *rows = NULL;
  int64_t version = 0, latest = 0;
  eva_code code = lua_isinteger(L, 3) ? eva_version_check(store, id, version = lua_tointeger(L, 3), &latest, &error)
                                      : eva_version_resolve(store, id, eva_check_text(L, 3), &version, &error);
  if (!code) code = eva_version_select(store, id, version, &rows, &error);
  if (code) return eva_push_error(L, &error);
  code = eva_step_one(rows, &error);
  if (!code) {
    eva_lua_push_columns(L, rows, eva_version_columns, EVA_VERSION_COLUMN_COUNT);
    eva_reset(rows);
  } else if (code == EVA_E_NOT_FOUND) { /* version 0 has no row */
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, version);
    lua_setfield(L, -2, "version");
    lua_pushinteger(L, 0);
    lua_setfield(L, -2, "item_count");
  } else {
    return eva_push_error(L, &error);
  }
  int failed = add_digest(L, store, id, version);
  return failed ? failed : 1;
}

/* alias_set(id, name, version | nil to remove) */
static int l_alias_set(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  int64_t version = luaL_optinteger(L, 4, -1);
  eva_error error;
  if (version < 0 && !lua_isnoneornil(L, 4)) return luaL_argerror(L, 4, "a version is 0 or more");
  return eva_lua_push_outcome(L, eva_alias_set(store, id, eva_check_text(L, 3), version, &error), &error);
}

/* aliases(id) -> list of {name, version, updated_at} */
static int l_aliases(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_error error;
  eva_statement *rows = NULL;
  if (eva_alias_list(store, luaL_checkstring(L, 2), &rows, &error) != EVA_OK) return eva_push_error(L, &error);
  return eva_lua_push_rows(L, rows, eva_alias_columns, EVA_ALIAS_COLUMN_COUNT);
}

const luaL_Reg eva_lua_dataset_methods[] = {
    {"dataset_create", l_dataset_create}, {"dataset", l_dataset},         {"dataset_by_id", l_dataset_by_id},
    {"datasets", l_datasets},             {"dataset_update", l_dataset_update},
    {"dataset_delete", l_dataset_delete}, {"versions", l_versions},       {"version_get", l_version_get},
    {"alias_set", l_alias_set},           {"aliases", l_aliases},         {NULL, NULL},
};
