/* The store in Lua: what its binding files share, and how other modules get at the store. */
#ifndef EVA_LUA_LIB_STORE_H
#define EVA_LUA_LIB_STORE_H

#include <lua.h>
#include <lauxlib.h>

#include "data/reduce.h"
#include "store/store.h"

/* The open store at `index`; raises when it is something else or closed. */
eva_store *eva_lua_check_store(lua_State *L, int index);

/* The userdata of an open store; other objects (a sync) hold it by a user value and look here before touching it. */
typedef struct eva_lua_store {
  eva_store *store; /* NULL once closed */
} eva_lua_store;
eva_lua_store *eva_lua_check_store_box(lua_State *L, int index);

/* Methods by noun; each array is registered into the one metatable. */
extern const luaL_Reg eva_lua_dataset_methods[];
extern const luaL_Reg eva_lua_item_methods[];
extern const luaL_Reg eva_lua_experiment_methods[];
extern const luaL_Reg eva_lua_result_methods[];
extern const luaL_Reg eva_lua_query_methods[];
extern const luaL_Reg eva_lua_review_methods[];
extern const luaL_Reg eva_lua_key_methods[];
void eva_lua_open_sync(lua_State *L);  /* makes the metatable of syncs */
void eva_lua_open_pairs(lua_State *L); /* and that of id lists */
void eva_lua_open_query(lua_State *L); /* and that of queries */

/* Records. Null columns are absent fields. */
void eva_lua_push_columns(lua_State *L, eva_statement *row, const eva_column *columns, int count);
/* Sets the columns as fields of the table on top of the stack. */
void eva_lua_set_columns(lua_State *L, eva_statement *row, const eva_column *columns, int count);
/* Reads the fields of the table at `index`. nil is "not given", json.null clears; an unknown field or a wrong type is a
 * raised error. The texts live while the table does. */
void eva_lua_read_columns(lua_State *L, int index, const char *what, const eva_column *columns, int count,
                          eva_value *values);
/* Steps to the end and pushes a list of records. Returns the number of values pushed (the list; or nil, message,
 * code). */
int eva_lua_push_rows(lua_State *L, eva_statement *rows, const eva_column *columns, int count);
/* true, or nil, message, code. */
int eva_lua_push_outcome(lua_State *L, eva_code code, const eva_error *error);

/* Options of a table argument that may be absent. */
int64_t eva_lua_integer_field(lua_State *L, int index, const char *name, int64_t default_value);
int eva_lua_boolean_field(lua_State *L, int index, const char *name); /* 1, 0, or -1 when absent */
eva_text eva_lua_text_field(lua_State *L, int index, const char *name);

/* How trials are reduced: a table {trials, reducer, k, applies} that may be absent. Raises for unknown reducers. */
eva_reduction eva_lua_reduction(lua_State *L, int index);

#endif
