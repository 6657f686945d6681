/* Items in Lua: packed items in and out, syncs, single changes, history and differences. */
#include <stdlib.h>
#include <string.h>

#include "lua/call.h"
#include "lua/lib_items.h"
#include "lua/lib_store.h"
#include "store/dataset_sync.h"
#include "store/datasets.h"
#include "store/items.h"

static const char SYNC_TYPE[] = "evalua.store.sync";

/* Packed items */

static int field_of(const char *name) {
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    if (strcmp(name, eva_item_field_names[field]) == 0) return field;
  }
  return -1;
}

/* Reads the packed item at `index`; texts live while the table does. What reading adds (position, version, digest) may
 * be there, anything else unknown raises. */
static void read_item(lua_State *L, int index, eva_item *item) {
  memset(item, 0, sizeof *item);
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    int field = field_of(name);
    int is_id = strcmp(name, "item_id") == 0;
    if (field >= 0 || is_id) {
      eva_text *text = is_id ? &item->item_id : &item->fields[field];
      if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "packed item: '%s' must be a string", name);
      text->data = lua_tolstring(L, -1, &text->len);
    } else if (strcmp(name, "auto_id") == 0) {
      item->auto_id = lua_toboolean(L, -1);
    } else if (strcmp(name, "position") != 0 && strcmp(name, "version") != 0 && strcmp(name, "digest") != 0) {
      luaL_error(L, "packed item: unknown field '%s'", name);
    }
    lua_pop(L, 1);
  }
}

static void push_item(lua_State *L, const eva_item_row *row) {
  lua_createtable(L, 0, 8);
  eva_push_text(L, row->item.item_id);
  lua_setfield(L, -2, "item_id");
  if (row->item.auto_id) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "auto_id");
  }
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    if (!row->item.fields[field].data) continue;
    eva_push_text(L, row->item.fields[field]);
    lua_setfield(L, -2, eva_item_field_names[field]);
  }
  lua_pushinteger(L, row->position);
  lua_setfield(L, -2, "position");
  lua_pushinteger(L, row->valid_from);
  lua_setfield(L, -2, "version");
  eva_push_text(L, row->digest);
  lua_setfield(L, -2, "digest");
}

static void push_change(lua_State *L, const eva_change *change) {
  lua_createtable(L, 0, 9);
  lua_pushboolean(L, change->changed);
  lua_setfield(L, -2, "changed");
  const struct { const char *name; int64_t value; } counts[] = {
      {"version", change->version}, {"added", change->added}, {"updated", change->updated},
      {"removed", change->removed}, {"moved", change->moved}, {"duplicates", change->duplicates},
      {"item_count", change->item_count}};
  for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
    lua_pushinteger(L, counts[index].value);
    lua_setfield(L, -2, counts[index].name);
  }
  if (change->digest[0]) {
    lua_pushstring(L, change->digest);
    lua_setfield(L, -2, "digest");
  }
}

/* Syncs */

typedef struct sync_box {
  eva_sync *sync; /* NULL once ended */
  eva_lua_store *store; /* kept alive by the first user value */
} sync_box;

static sync_box *check_sync(lua_State *L) {
  sync_box *box = luaL_checkudata(L, 1, SYNC_TYPE);
  if (!box->store->store) box->sync = NULL; /* closing the store ended it */
  return box;
}

static sync_box *check_open_sync(lua_State *L) {
  sync_box *box = check_sync(L);
  if (!box->sync) luaL_error(L, "the sync has ended");
  return box;
}

/* sync_begin(dataset_id, {message=}) -> sync */
static int l_sync_begin(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_text message = eva_lua_text_field(L, 3, "message");
  sync_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (sync_box){NULL, eva_lua_check_store_box(L, 1)};
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, SYNC_TYPE);
  eva_error error;
  if (eva_sync_begin(store, id, message, &box->sync, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

/* sync:put(packed, where) -> true; a failure ends the sync */
static int l_sync_put(lua_State *L) {
  sync_box *box = check_open_sync(L);
  eva_text where = eva_optional_text(L, 3);
  eva_item item;
  eva_error error;
  error.where[0] = '\0';
  read_item(L, 2, &item);
  eva_code code = eva_sync_put(box->sync, &item, where, &error);
  if (code) {
    eva_sync_abort(box->sync);
    box->sync = NULL;
  }
  return eva_lua_push_outcome(L, code, &error);
}

/* sync:put_lines(reader, limit) -> the number of lines put, limit or a few more; less where one needs a closer look (it is
 * the next that reader:next gives), or at the end. A failure ends the sync. */
static int l_sync_put_lines(lua_State *L) {
  sync_box *box = check_open_sync(L);
  eva_item_reader *reader = eva_lua_check_item_reader(L, 2);
  lua_Integer limit = luaL_checkinteger(L, 3), count = 0;
  eva_item items[EVA_SYNC_MANY];
  eva_text places[EVA_SYNC_MANY];
  eva_error error;
  for (int taken = 1; count < limit && taken > 0; count += taken) {
    taken = eva_item_reader_take(reader, items, places, EVA_SYNC_MANY);
    error.where[0] = '\0';
    if (eva_sync_put_many(box->sync, items, places, (size_t)taken, &error) == EVA_OK) continue;
    eva_sync_abort(box->sync);
    box->sync = NULL;
    return eva_push_error(L, &error);
  }
  lua_pushinteger(L, count);
  return 1;
}

/* sync:finish() -> {version, changed, added, updated, removed, moved, duplicates, item_count, digest} */
static int l_sync_finish(lua_State *L) {
  sync_box *box = check_open_sync(L);
  eva_sync *sync = box->sync;
  eva_change change;
  eva_error error;
  box->sync = NULL;
  if (eva_sync_finish(sync, &change, &error) != EVA_OK) return eva_push_error(L, &error);
  push_change(L, &change);
  return 1;
}

static int l_sync_abort(lua_State *L) {
  sync_box *box = check_sync(L);
  eva_sync *sync = box->sync;
  box->sync = NULL;
  eva_sync_abort(sync);
  return 0;
}

static const luaL_Reg SYNC_METHODS[] = {
    {"put", l_sync_put}, {"put_lines", l_sync_put_lines}, {"finish", l_sync_finish}, {"abort", l_sync_abort}, {NULL, NULL}};
static const luaL_Reg SYNC_META[] = {{"__gc", l_sync_abort}, {"__close", l_sync_abort}, {NULL, NULL}};

void eva_lua_open_sync(lua_State *L) {
  luaL_newmetatable(L, SYNC_TYPE);
  luaL_setfuncs(L, SYNC_META, 0);
  luaL_newlib(L, SYNC_METHODS);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* Single changes. The Lua values are checked before the batch begins, so that nothing raises inside it. */

static lua_Integer list_length(lua_State *L, int index, const char *name) {
  if (lua_getfield(L, index, name) == LUA_TNIL) {
    lua_newtable(L);
    lua_replace(L, -2);
  }
  if (!lua_istable(L, -1)) luaL_error(L, "change_items: '%s' must be a list", name);
  return (lua_Integer)lua_rawlen(L, -1);
}

static eva_code change_items(eva_store *store, const char *id, eva_text message, const eva_item *items, size_t puts,
                             const eva_text *removals, size_t removal_count, int must_exist, eva_change *change,
                             eva_error *error) {
  eva_batch *batch = NULL;
  eva_code code = eva_batch_begin(store, id, message, &batch, error);
  if (code) return code;
  for (size_t index = 0; !code && index < puts; index++) code = eva_batch_put(batch, &items[index], must_exist, error);
  for (size_t index = 0; !code && index < removal_count; index++) {
    code = eva_batch_remove(batch, removals[index], must_exist, error);
  }
  if (!code) return eva_batch_finish(batch, change, error);
  eva_batch_abort(batch);
  return code;
}

/* change_items(dataset_id, {put = {packed...}, delete = {ids}, message=, must_exist=}) -> as sync:finish() */
static int l_change_items(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  eva_text message = eva_lua_text_field(L, 3, "message");
  int must_exist = eva_lua_boolean_field(L, 3, "must_exist") == 1;
  size_t puts = (size_t)list_length(L, 3, "put"); /* the list stays on the stack, at 4 */
  size_t removal_count = (size_t)list_length(L, 3, "delete");
  int put_index = lua_gettop(L) - 1, delete_index = lua_gettop(L);
  eva_item *items = lua_newuserdatauv(L, (puts + 1) * sizeof *items, 0);
  eva_text *removals = lua_newuserdatauv(L, (removal_count + 1) * sizeof *removals, 0);
  for (size_t index = 0; index < puts; index++) {
    lua_rawgeti(L, put_index, (lua_Integer)index + 1);
    read_item(L, lua_gettop(L), &items[index]);
    lua_pop(L, 1);
  }
  for (size_t index = 0; index < removal_count; index++) {
    lua_rawgeti(L, delete_index, (lua_Integer)index + 1);
    removals[index] = eva_check_text(L, -1);
    lua_pop(L, 1);
  }
  eva_change change;
  eva_error error;
  eva_code code = change_items(store, id, message, items, puts, removals, removal_count, must_exist, &change, &error);
  if (code) return eva_push_error(L, &error);
  push_change(L, &change);
  return 1;
}

/* Reading */

static int64_t check_version(lua_State *L, eva_store *store, const char *id, int index, eva_code *code,
                             eva_error *error) {
  int64_t version = 0;
  *code = EVA_OK;
  if (lua_isnoneornil(L, index)) {
    *code = eva_dataset_latest(store, id, &version, NULL, error);
  } else {
    version = luaL_checkinteger(L, index);
  }
  return version;
}

static int compare_positions(lua_State *L) {
  lua_getfield(L, 1, "position");
  lua_getfield(L, 2, "position");
  lua_pushboolean(L, lua_tointeger(L, -2) < lua_tointeger(L, -1));
  return 1;
}

/* The items with the ids in the list on top of the stack, in dataset order; absent ones are left out. */
static int push_by_ids(lua_State *L, eva_store *store, const char *id, int64_t version) {
  int ids = lua_gettop(L);
  lua_Integer count = (lua_Integer)lua_rawlen(L, ids), found = 0;
  eva_error error;
  lua_newtable(L);
  for (lua_Integer index = 1; index <= count; index++) {
    lua_rawgeti(L, ids, index);
    eva_text item_id = eva_check_text(L, -1);
    eva_statement *statement = NULL;
    eva_item_row row;
    eva_code code = eva_item_at(store, id, version, item_id, &statement, &row, &error);
    lua_pop(L, 1);
    if (code == EVA_E_NOT_FOUND) continue;
    if (code) return eva_push_error(L, &error);
    push_item(L, &row);
    eva_reset(statement);
    lua_rawseti(L, -2, ++found);
  }
  lua_getglobal(L, "table");
  lua_getfield(L, -1, "sort");
  lua_pushvalue(L, -3);
  lua_pushcfunction(L, compare_positions);
  lua_call(L, 2, 0);
  lua_pop(L, 1);
  return 1;
}

/* JSON text keeps characters as they are, so a plain search finds them; case is ignored for ASCII letters. */
static int matches(const eva_item_row *row, eva_text search) {
  const eva_text *fields = row->item.fields;
  if (!search.data) return 1;
  if (strcasestr(fields[EVA_ITEM_INPUT].data, search.data)) return 1;
  return fields[EVA_ITEM_GROUND_TRUTH].data && strcasestr(fields[EVA_ITEM_GROUND_TRUTH].data, search.data);
}

/* items(dataset_id, version | nil, {after=, limit=, ids=, search=}) -> list */
static int l_items(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_code code = EVA_OK;
  int64_t latest = 0, version = check_version(L, store, id, 3, &code, &error);
  int64_t after = eva_lua_integer_field(L, 4, "after", INT64_MIN);
  int64_t limit = eva_lua_integer_field(L, 4, "limit", INT64_MAX);
  eva_text search = eva_lua_text_field(L, 4, "search");
  if (!code) code = eva_version_check(store, id, version, &latest, &error);
  if (code) return eva_push_error(L, &error);
  if (lua_istable(L, 4) && lua_getfield(L, 4, "ids") == LUA_TTABLE) return push_by_ids(L, store, id, version);
  eva_item_cursor cursor;
  eva_item_row row;
  if (eva_items_open(store, id, version, after, &cursor, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_newtable(L);
  for (lua_Integer count = 0; count < limit;) {
    int found = 0;
    if (eva_items_next(&cursor, &found, &row, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!found) return 1;
    if (!matches(&row, search)) continue;
    push_item(L, &row);
    lua_rawseti(L, -2, ++count);
  }
  eva_items_close(&cursor);
  return 1;
}

static int l_item_count(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_error error;
  eva_code code = EVA_OK;
  int64_t count = 0, version = check_version(L, store, id, 3, &code, &error);
  if (!code) code = eva_item_count(store, id, version, &count, &error);
  if (code) return eva_push_error(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

/* item_history(dataset_id, item_id) -> list of states, oldest first, with valid_from and valid_to */
static int l_item_history(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  eva_text item_id = eva_check_text(L, 3);
  eva_error error;
  eva_statement *rows = NULL;
  int64_t latest = 0;
  eva_code code = eva_dataset_latest(store, id, &latest, NULL, &error);
  if (!code) code = eva_item_history(store, id, item_id, &rows, &error);
  if (code) return eva_push_error(L, &error);
  lua_newtable(L);
  for (lua_Integer index = 1;; index++) {
    int found = 0;
    if (eva_step(rows, &found, &error) != EVA_OK) return eva_push_error(L, &error);
    if (!found && index == 1) {
      eva_error_set(&error, EVA_E_NOT_FOUND, NULL, "the dataset never had an item \"%s\"", item_id.data);
      return eva_push_error(L, &error);
    }
    if (!found) return 1;
    eva_item_row row;
    eva_item_row_read(rows, &row);
    push_item(L, &row);
    lua_pushinteger(L, row.valid_from);
    lua_setfield(L, -2, "valid_from");
    if (row.valid_to) {
      lua_pushinteger(L, row.valid_to);
      lua_setfield(L, -2, "valid_to");
    }
    lua_rawseti(L, -2, index);
  }
}

/* Collects differences without Lua, since the callback runs inside the store: kind and id, length before each. */
static void collect_difference(void *context, const eva_item_diff *difference) {
  eva_buf *list = context;
  eva_buf_add_char(list, (char)difference->kind);
  eva_buf_add(list, &difference->item_id.len, sizeof difference->item_id.len);
  eva_buf_add(list, difference->item_id.data, difference->item_id.len);
}

/* diff(dataset_id, from, to) -> {added = {ids}, removed = {ids}, changed = {ids}} */
static int l_diff(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  const char *id = luaL_checkstring(L, 2);
  int64_t from = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
  eva_error error;
  eva_buf *list = eva_push_buf(L);
  if (eva_version_diff(store, id, from, to, collect_difference, list, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  lua_createtable(L, 0, 3);
  int result = lua_gettop(L);
  static const char *const names[] = {"added", "removed", "changed"};
  for (int kind = 0; kind < 3; kind++) {
    lua_newtable(L);
    lua_Integer count = 0;
    for (size_t at = 0; at < list->len;) {
      size_t length;
      memcpy(&length, list->data + at + 1, sizeof length);
      if (list->data[at] == names[kind][0]) {
        lua_pushlstring(L, list->data + at + 1 + sizeof length, length);
        lua_rawseti(L, -2, ++count);
      }
      at += 1 + sizeof length + length;
    }
    lua_setfield(L, result, names[kind]);
  }
  return 1;
}

const luaL_Reg eva_lua_item_methods[] = {
    {"sync_begin", l_sync_begin}, {"change_items", l_change_items}, {"items", l_items},
    {"item_count", l_item_count}, {"item_history", l_item_history}, {"diff", l_diff},
    {NULL, NULL},
};
