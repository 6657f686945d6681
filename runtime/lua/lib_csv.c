/* evalua.native.csv: rows of a CSV file or text, one at a time. */
#include <string.h>

#include "data/csv.h"
#include "data/utf8.h"
#include "lua/call.h"

#define CSV_METATABLE "evalua.csv"

enum { NAME_SHOWN_MAX = 100 };
enum { HEADER_VALUE = 1, SOURCE_VALUE = 2 }; /* user values: the header's cells, the text being read */

typedef struct csv_box {
  eva_csv *csv; /* NULL before opening and after close */
} csv_box;

static csv_box *check_box(lua_State *L) {
  return luaL_checkudata(L, 1, CSV_METATABLE);
}

static void push_cells(lua_State *L, const eva_csv_row *row) {
  lua_createtable(L, (int)row->cell_count, 0);
  for (size_t i = 0; i < row->cell_count; i++) {
    lua_pushlstring(L, row->cells[i].data, row->cells[i].len);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* Two columns of one name would hide each other. */
static eva_code check_header(const eva_csv_row *row, const char *name, eva_error *error) {
  for (size_t i = 0; i < row->cell_count; i++) {
    for (size_t j = 0; j < i && row->cells[i].len > 0; j++) {
      if (!eva_text_equal(row->cells[i], row->cells[j])) continue;
      return eva_error_set(error, EVA_E_PARSE, name, "the header names the column '%.*s' twice (columns %zu and %zu)",
                           (int)eva_utf8_cut(row->cells[i].data, row->cells[i].len, NAME_SHOWN_MAX),
                           row->cells[i].data, j + 1, i + 1);
    }
  }
  return EVA_OK;
}

static char option_delimiter(lua_State *L) {
  if (lua_isnoneornil(L, 2)) return ',';
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    lua_pop(L, 1);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
    if (strcmp(key, "delimiter") != 0 && strcmp(key, "header") != 0) {
      luaL_argerror(L, 2, lua_pushfstring(L, "unknown option '%s' (there are: delimiter, header)", key));
    }
  }
  eva_text delimiter = eva_field_text(L, 2, "delimiter");
  if (delimiter.data == NULL) return ',';
  luaL_argcheck(L, delimiter.len == 1, 2, "delimiter is one byte, such as ',' or ';' or '\\t'");
  return delimiter.data[0];
}

static int option_header(lua_State *L) {
  if (lua_isnoneornil(L, 2)) return 1;
  int type = lua_getfield(L, 2, "header"), header = type == LUA_TNIL || lua_toboolean(L, -1);
  luaL_argcheck(L, type == LUA_TNIL || type == LUA_TBOOLEAN, 2, "header is true or false");
  lua_pop(L, 1);
  return header;
}

/* csv.open(path | {text = , name = } [, {delimiter = ",", header = true}]) -> reader | nil, message, code */
static int csv_open(lua_State *L) {
  char delimiter = option_delimiter(L);
  int has_header = option_header(L), is_text = lua_istable(L, 1);
  eva_error error;
  eva_text source = is_text ? eva_field_text(L, 1, "text") : eva_check_text(L, 1);
  eva_text name = is_text ? eva_field_text(L, 1, "name") : source;
  luaL_argcheck(L, source.data != NULL, 1, "a path, or a table with the field text");
  if (name.data == NULL) name = EVA_TEXT_LITERAL("text");
  csv_box *box = lua_newuserdatauv(L, sizeof *box, 2);
  box->csv = NULL;
  luaL_setmetatable(L, CSV_METATABLE);
  if (is_text) lua_getfield(L, 1, "text"); /* kept alive as long as the reader */
  if (!is_text) lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, SOURCE_VALUE);
  eva_code code = is_text ? eva_csv_open_text(source, name.data, delimiter, &box->csv, &error)
                          : eva_csv_open(source.data, delimiter, &box->csv, &error);
  if (code != EVA_OK) return eva_push_error(L, &error);
  if (!has_header) return 1;
  eva_csv_row row;
  if (eva_csv_next(box->csv, &row, &error) != EVA_OK) return eva_push_error(L, &error);
  if (row.cells == NULL) return 1; /* an empty file has neither header nor rows */
  if (check_header(&row, name.data, &error) != EVA_OK) return eva_push_error(L, &error);
  push_cells(L, &row);
  lua_setiuservalue(L, -2, HEADER_VALUE);
  return 1;
}

/* reader:next() -> cells, line | nil at the end | nil, message, code */
static int csv_next(lua_State *L) {
  csv_box *box = check_box(L);
  luaL_argcheck(L, box->csv != NULL, 1, "the reader is closed");
  eva_csv_row row;
  eva_error error;
  if (eva_csv_next(box->csv, &row, &error) != EVA_OK) return eva_push_error(L, &error);
  if (row.cells == NULL) {
    lua_pushnil(L);
    return 1;
  }
  push_cells(L, &row);
  lua_pushinteger(L, row.line);
  return 2;
}

/* reader:header() -> the first row's cells | nil without a header */
static int csv_header(lua_State *L) {
  check_box(L);
  lua_getiuservalue(L, 1, HEADER_VALUE);
  return 1;
}

/* reader:close(): frees the file at once; also at <close> and collection */
static int csv_close(lua_State *L) {
  csv_box *box = check_box(L);
  eva_csv_close(box->csv);
  box->csv = NULL;
  return 0;
}

static const luaL_Reg csv_methods[] = {
    {"next",   csv_next  },
    {"header", csv_header},
    {"close",  csv_close },
    {NULL,     NULL      },
};

static const luaL_Reg csv_functions[] = {
    {"open", csv_open},
    {NULL,   NULL    },
};

int luaopen_evalua_native_csv(lua_State *L) {
  luaL_newmetatable(L, CSV_METATABLE);
  lua_pushcfunction(L, csv_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, csv_close);
  lua_setfield(L, -2, "__close");
  luaL_newlib(L, csv_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, csv_functions);
  return 1;
}
