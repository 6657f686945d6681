/* JSON between Lua values and text, for other bindings. The module `evalua.json` is made of these. */
#ifndef EVA_LUA_LIB_JSON_H
#define EVA_LUA_LIB_JSON_H

#include "data/json.h"
#include "lua/vm.h"

#define EVA_JSON_ARRAY_METATABLE "evalua.json.array" /* marks a table as an array, so that [] and {} differ */

typedef struct eva_lua_json_options {
  eva_json_form form;
  int pretty;
  int repair;       /* strings that are not UTF-8 get U+FFFD; otherwise they are an error */
  const char *name; /* what messages call the value ("output" gives "output.a[3]"); NULL means "value" */
} eva_lua_json_options;

/* Pushes the value of a JSON text. On failure pushes nothing and fills `error`. Raises only when memory is short.
 * depth_max 0 means EVA_JSON_DEPTH_MAX. null is the light userdata NULL (== cjson.null). */
eva_code eva_lua_json_decode(lua_State *L, eva_text text, eva_json_mode mode, int depth_max, eva_error *error);

/* Pushes the JSON text of the value at `index`. Returns 1 when a string was repaired, else 0. Raises, naming the path,
 * for what JSON cannot hold: functions, NaN, infinities, tables with holes or mixed keys, cycles. `options` may be
 * NULL. Metamethods are not called. */
int eva_lua_json_encode(lua_State *L, int index, const eva_lua_json_options *options);

/* The same, appended to `out`, which must survive a raised error (eva_push_buf); nothing is pushed. */
int eva_lua_json_append(lua_State *L, int index, const eva_lua_json_options *options, eva_buf *out);

#endif
