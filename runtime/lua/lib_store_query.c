/* store:query(sql): the rows of one statement that merely reads, one at a time. */
#include <string.h>

#include "lua/call.h"
#include "lua/lib_store.h"

static const char QUERY_TYPE[] = "evalua.store.query";

typedef struct query_box {
  eva_statement *statement; /* NULL once at the end or closed */
  int64_t left;             /* rows that may still be read */
} query_box;

/* query(sql[, limit]) -> query; raises nothing for bad SQL: nil, message, code */
static int l_query(lua_State *L) {
  eva_store *store = eva_lua_check_store(L, 1);
  eva_text sql = eva_check_text(L, 2);
  int64_t limit = luaL_optinteger(L, 3, INT64_MAX);
  luaL_argcheck(L, limit >= 0, 3, "a limit is at least 0");
  eva_error error;
  if (memchr(sql.data, '\0', sql.len)) {
    eva_error_set(&error, EVA_E_ARGUMENT, NULL, "SQL: the statement contains a NUL character");
    return eva_push_error(L, &error);
  }
  query_box *box = lua_newuserdatauv(L, sizeof *box, 2);
  *box = (query_box){.left = limit};
  luaL_setmetatable(L, QUERY_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, 2); /* keeps the text alive */
  lua_setiuservalue(L, -2, 2);
  if (eva_db_prepare_once(eva_store_db(store), sql.data, &box->statement, &error) != EVA_OK) {
    return eva_push_error(L, &error);
  }
  if (!eva_statement_read_only(box->statement)) {
    eva_error_set(&error, EVA_E_ARGUMENT, NULL, "this statement writes; only statements that read are possible here");
    return eva_push_error(L, &error);
  }
  return 1;
}

static query_box *check_query(lua_State *L) {
  query_box *box = luaL_checkudata(L, 1, QUERY_TYPE);
  lua_getiuservalue(L, 1, 1);
  eva_lua_check_store(L, -1);
  lua_pop(L, 1);
  return box;
}

/* columns() -> list of names */
static int l_columns(lua_State *L) {
  query_box *box = check_query(L);
  if (!box->statement) return luaL_error(L, "the query has ended");
  int count = eva_column_count(box->statement);
  lua_createtable(L, count, 0);
  for (int column = 0; column < count; column++) {
    lua_pushstring(L, eva_column_name(box->statement, column));
    lua_rawseti(L, -2, column + 1);
  }
  return 1;
}

static void push_cell(lua_State *L, eva_statement *row, int column) {
  switch (eva_column_kind(row, column)) {
    case 'n': lua_pushlightuserdata(L, NULL); break;
    case 'i': lua_pushinteger(L, eva_column_int(row, column)); break;
    case 'd': lua_pushnumber(L, eva_column_double(row, column)); break;
    default: {
      eva_text text = eva_column_text(row, column);
      lua_pushlstring(L, text.data ? text.data : "", text.len);
      break;
    }
  }
}

static void finish(query_box *box) {
  eva_statement *statement = box->statement;
  box->statement = NULL;
  eva_statement_finish(statement);
}

/* next() -> list of cells (null is json.null) | nil at the end or the limit | nil, message, code */
static int l_next(lua_State *L) {
  query_box *box = check_query(L);
  if (!box->statement) return 0;
  if (box->left-- <= 0) {
    finish(box);
    return 0;
  }
  int row = 0, count = eva_column_count(box->statement);
  eva_error error;
  if (eva_step(box->statement, &row, &error) != EVA_OK) {
    finish(box);
    return eva_push_error(L, &error);
  }
  if (!row) {
    finish(box);
    return 0;
  }
  lua_createtable(L, count, 0);
  for (int column = 0; column < count; column++) {
    push_cell(L, box->statement, column);
    lua_rawseti(L, -2, column + 1);
  }
  return 1;
}

static int l_close(lua_State *L) {
  finish(luaL_checkudata(L, 1, QUERY_TYPE));
  return 0;
}

static const luaL_Reg QUERY_METHODS[] = {
    {"columns", l_columns}, {"next", l_next}, {"close", l_close}, {NULL, NULL}};
static const luaL_Reg QUERY_META[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

const luaL_Reg eva_lua_query_methods[] = {{"query", l_query}, {NULL, NULL}};

void eva_lua_open_query(lua_State *L) {
  luaL_newmetatable(L, QUERY_TYPE);
  luaL_setfuncs(L, QUERY_META, 0);
  luaL_newlib(L, QUERY_METHODS);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
