/* evalua.json: Lua values to JSON text and back, without loss.
 *
 * The reader and the writer live in userdata kept in the registry, so a raised error leaks nothing and the hot path
 * allocates nothing. They are taken out while in use: a finalizer that decodes meanwhile makes its own. */
#include "lua/lib_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/call.h"

enum { KEPT_MAX = 1 << 20 }; /* a buffer that grew beyond this is given back after use */

/* ==== Userdata kept in the registry ==== */

typedef struct encoder {
  lua_State *L;
  int array_metatable; /* stack index */
  const eva_lua_json_options *options;
  eva_json_writer writer;
  eva_buf out; /* when the caller brings no buffer */
  struct place {
    const void *table;
    const char *key; /* NULL: the element `index` of an array */
    size_t key_len;
    lua_Integer index;
  } places[EVA_JSON_DEPTH_MAX];
} encoder;

typedef struct decoder {
  eva_json_reader reader;
  lua_Integer counts[EVA_JSON_DEPTH_MAX]; /* elements so far, by level */
} decoder;

static const char encoder_key = 'e', decoder_key = 'd'; /* their addresses are registry keys */

static int encoder_gc(lua_State *L) {
  encoder *e = lua_touserdata(L, 1);
  eva_json_writer_free(&e->writer);
  eva_buf_free(&e->out);
  return 0;
}

static int decoder_gc(lua_State *L) {
  decoder *d = lua_touserdata(L, 1);
  eva_json_reader_free(&d->reader);
  return 0;
}

/* Pushes the kept userdata, or a new zeroed one with `gc` as its finalizer. */
static void *take_kept(lua_State *L, const char *key, size_t size, lua_CFunction gc) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TUSERDATA) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    return lua_touserdata(L, -1);
  }
  lua_pop(L, 1);
  void *memory = lua_newuserdatauv(L, size, 0);
  memset(memory, 0, size);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return memory;
}

static void give_back(lua_State *L, const char *key, int index) {
  lua_pushvalue(L, index);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* ==== Encoding ==== */

static int is_identifier(const char *key, size_t len) {
  if (len == 0 || (key[0] >= '0' && key[0] <= '9')) return 0;
  for (size_t i = 0; i < len; i++) {
    char c = key[i];
    if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_')) return 0;
  }
  return 1;
}

/* Raises "output.a[3]: <what>". */
static _Noreturn void encode_fail(encoder *e, const char *what) {
  enum { PATH_LEVELS_SHOWN = 20 };
  lua_State *L = e->L;
  luaL_Buffer path;
  luaL_buffinit(L, &path);
  luaL_addstring(&path, e->options->name != NULL ? e->options->name : "value");
  for (int i = 0; i < e->writer.depth; i++) {
    const struct place *place = &e->places[i];
    if (i == PATH_LEVELS_SHOWN) {
      luaL_addstring(&path, "...");
      break;
    }
    if (place->key == NULL && place->index > 0) {
      lua_pushfstring(L, "[%I]", (LUAI_UACINT)place->index);
      luaL_addvalue(&path);
    } else if (place->key != NULL && is_identifier(place->key, place->key_len)) {
      luaL_addchar(&path, '.');
      luaL_addlstring(&path, place->key, place->key_len);
    } else if (place->key != NULL) {
      luaL_addstring(&path, "[\"");
      luaL_addlstring(&path, place->key, place->key_len);
      luaL_addstring(&path, "\"]");
    }
  }
  luaL_pushresult(&path);
  size_t len;
  const char *text = lua_tolstring(L, -1, &len);
  if (!eva_utf8_valid(text, len)) { /* a key that was not: messages always are */
    eva_buf *repaired = eva_push_buf(L);
    eva_utf8_repair(text, len, repaired);
    text = repaired->data;
  }
  luaL_error(L, "%s: %s", text, what);
  abort(); /* luaL_error never returns, which its prototype cannot say */
}

static void check_utf8(encoder *e) {
  if (e->writer.not_utf8 && !e->options->repair) {
    encode_fail(e, "the string is not UTF-8 (json.repair(text), or the option repair = true, puts in U+FFFD)");
  }
}

static void encode_value(encoder *e, int index);

/* Enters a table, refusing cycles and depth. */
static void encode_begin(encoder *e, int index, int is_object) {
  const void *table = lua_topointer(e->L, index);
  int depth = e->writer.depth;
  if (!eva_json_put_begin(&e->writer, is_object)) {
    for (int i = 0; i < depth; i++) {
      if (e->places[i].table == table) encode_fail(e, "the table contains itself");
    }
    encode_fail(e, lua_pushfstring(e->L, "nested deeper than %d levels (the depth limit)", EVA_JSON_DEPTH_MAX));
  }
  e->places[depth] = (struct place){table, NULL, 0, 0};
}

/* A sequence has exactly the keys 1..count. */
static void check_sequence(encoder *e, int index, lua_Integer count) {
  lua_State *L = e->L;
  lua_Integer seen = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (!lua_isinteger(L, -1)) {
      const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
      encode_fail(e, lua_pushfstring(L, "the array has the key '%s' (a table is an array or an object)", key));
    }
    lua_Integer key = lua_tointeger(L, -1);
    if (key < 1 || key > count) {
      encode_fail(e, lua_pushfstring(L, "the array has the index %I but not %I (fill holes with json.null)",
                                     (LUAI_UACINT)key, (LUAI_UACINT)(key < 1 ? 1 : count + 1)));
    }
    seen++;
  }
  if (seen == count) return;
  lua_Integer hole = 1;
  while (lua_rawgeti(L, index, hole) != LUA_TNIL) {
    lua_pop(L, 1);
    hole++;
  }
  encode_fail(e, lua_pushfstring(L, "the array has a hole at index %I (fill it with json.null)", (LUAI_UACINT)hole));
}

static void encode_array(encoder *e, int index) {
  lua_State *L = e->L;
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  encode_begin(e, index, 0);
  struct place *place = &e->places[e->writer.depth - 1];
  check_sequence(e, index, count);
  for (lua_Integer i = 1; i <= count; i++) {
    place->index = i;
    lua_rawgeti(L, index, i);
    encode_value(e, lua_gettop(L));
    lua_pop(L, 1);
  }
  place->index = 0;
  (void)eva_json_put_end(&e->writer);
}

static void encode_object(encoder *e, int index) {
  lua_State *L = e->L;
  encode_begin(e, index, 1);
  struct place *place = &e->places[e->writer.depth - 1];
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      place->key = NULL;
      encode_fail(e, lua_pushfstring(L, "the table has a key that is a %s (keys are strings, or 1, 2, 3...)",
                                     luaL_typename(L, -2)));
    }
    place->key = lua_tolstring(L, -2, &place->key_len);
    eva_json_put_key(&e->writer, place->key, place->key_len, 0);
    check_utf8(e);
    encode_value(e, lua_gettop(L));
    lua_pop(L, 1);
  }
  (void)eva_json_put_end(&e->writer); /* a table's keys are never twice the same */
}

static void encode_table(encoder *e, int index) {
  lua_State *L = e->L;
  luaL_checkstack(L, 8, "too many levels of JSON");
  int is_array = lua_rawlen(L, index) > 0;
  if (!is_array && lua_getmetatable(L, index)) {
    is_array = lua_rawequal(L, -1, e->array_metatable);
    lua_pop(L, 1);
  }
  if (is_array) {
    encode_array(e, index);
  } else {
    encode_object(e, index);
  }
}

static void encode_value(encoder *e, int index) {
  lua_State *L = e->L;
  size_t len;
  const char *data;
  switch (lua_type(L, index)) {
  case LUA_TNIL: eva_json_put_null(&e->writer); return;
  case LUA_TBOOLEAN: eva_json_put_bool(&e->writer, lua_toboolean(L, index)); return;
  case LUA_TSTRING:
    data = lua_tolstring(L, index, &len);
    eva_json_put_string(&e->writer, data, len);
    check_utf8(e);
    return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) {
      eva_json_put_integer(&e->writer, lua_tointeger(L, index));
      return;
    }
    if (!isfinite(lua_tonumber(L, index))) encode_fail(e, "JSON has no NaN and no infinities");
    eva_json_put_double(&e->writer, lua_tonumber(L, index));
    return;
  case LUA_TTABLE: encode_table(e, index); return;
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(L, index) == NULL) {
      eva_json_put_null(&e->writer);
      return;
    }
  }
  encode_fail(e, lua_pushfstring(L, "a %s cannot be written as JSON", luaL_typename(L, index)));
}

/* Leaves the encoder and the array metatable on the stack; the caller gives the encoder back. `out` NULL means the
 * encoder's own buffer. */
static encoder *encode(lua_State *L, int index, const eva_lua_json_options *options, eva_buf *out) {
  static const eva_lua_json_options defaults = {EVA_JSON_STORAGE, 0, 0, NULL};
  luaL_checkstack(L, 8, "JSON");
  encoder *e = take_kept(L, &encoder_key, sizeof *e, encoder_gc);
  luaL_getmetatable(L, EVA_JSON_ARRAY_METATABLE);
  e->L = L;
  e->array_metatable = lua_gettop(L);
  e->options = options != NULL ? options : &defaults;
  eva_buf_clear(&e->out);
  eva_json_writer_start(&e->writer, out != NULL ? out : &e->out, e->options->form);
  e->writer.pretty = e->options->pretty;
  encode_value(e, index);
  return e;
}

/* Called when the text is out of the encoder at `index`. */
static void release_encoder(lua_State *L, int index) {
  encoder *e = lua_touserdata(L, index);
  if (e->out.cap > KEPT_MAX) eva_buf_free(&e->out);
  if (e->writer.keys.cap + e->writer.sorted.cap > KEPT_MAX) eva_json_writer_free(&e->writer);
  give_back(L, &encoder_key, index);
}

int eva_lua_json_encode(lua_State *L, int index, const eva_lua_json_options *options) {
  index = lua_absindex(L, index);
  int top = lua_gettop(L);
  encoder *e = encode(L, index, options, NULL);
  int repaired = e->writer.not_utf8;
  lua_pushlstring(L, e->out.data, e->out.len);
  release_encoder(L, top + 1);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return repaired;
}

int eva_lua_json_append(lua_State *L, int index, const eva_lua_json_options *options, eva_buf *out) {
  index = lua_absindex(L, index);
  int top = lua_gettop(L);
  encoder *e = encode(L, index, options, out);
  int repaired = e->writer.not_utf8;
  release_encoder(L, top + 1);
  lua_settop(L, top);
  return repaired;
}

/* ==== Decoding ==== */

static void push_scalar(lua_State *L, const eva_json_reader *reader, eva_json_event event) {
  switch (event) {
  case EVA_JSON_FALSE: lua_pushboolean(L, 0); break;
  case EVA_JSON_TRUE: lua_pushboolean(L, 1); break;
  case EVA_JSON_INTEGER: lua_pushinteger(L, reader->integer); break;
  case EVA_JSON_DOUBLE: lua_pushnumber(L, reader->number); break;
  case EVA_JSON_STRING:
  case EVA_JSON_KEY: lua_pushlstring(L, reader->string.data, reader->string.len); break;
  default: lua_pushlightuserdata(L, NULL); break;
  }
}

/* The value on top goes into the array, or behind the key, below it; at the outermost level it stays. */
static void attach(lua_State *L, decoder *d) {
  if (d->reader.depth == 0) return;
  if (lua_type(L, -2) == LUA_TSTRING) {
    lua_rawset(L, -3);
  } else {
    lua_rawseti(L, -2, ++d->counts[d->reader.depth - 1]);
  }
}

/* 0 when the object below the key on top already has it. */
static int key_is_new(lua_State *L) {
  lua_pushvalue(L, -1);
  int is_new = lua_rawget(L, -3) == LUA_TNIL;
  lua_pop(L, 1);
  return is_new;
}

/* Reads one document; the value is on top when EVA_OK. Values under construction lie on the stack: a table, and above
 * an object the key whose value comes next (so a string below a value is always a key). */
static eva_code decode(lua_State *L, decoder *d, int array_metatable) {
  for (;;) {
    eva_json_event event = eva_json_read(&d->reader);
    switch (event) {
    case EVA_JSON_ERROR: return d->reader.error->code;
    case EVA_JSON_END: return EVA_OK;
    case EVA_JSON_ARRAY_BEGIN:
    case EVA_JSON_OBJECT_BEGIN:
      luaL_checkstack(L, 8, "too many levels of JSON");
      lua_newtable(L);
      d->counts[d->reader.depth - 1] = 0;
      if (event == EVA_JSON_ARRAY_BEGIN) {
        lua_pushvalue(L, array_metatable);
        lua_setmetatable(L, -2);
      }
      break;
    case EVA_JSON_ARRAY_END:
    case EVA_JSON_OBJECT_END: attach(L, d); break;
    case EVA_JSON_KEY:
      push_scalar(L, &d->reader, event);
      if (d->reader.mode == EVA_JSON_STRICT && !key_is_new(L)) {
        return eva_json_fail_duplicate(&d->reader, d->reader.token, d->reader.string.data, d->reader.string.len);
      }
      break;
    default:
      push_scalar(L, &d->reader, event);
      attach(L, d);
    }
  }
}

eva_code eva_lua_json_decode(lua_State *L, eva_text text, eva_json_mode mode, int depth_max, eva_error *error) {
  luaL_checkstack(L, 8, "JSON");
  int top = lua_gettop(L);
  decoder *d = take_kept(L, &decoder_key, sizeof *d, decoder_gc);
  luaL_getmetatable(L, EVA_JSON_ARRAY_METATABLE);
  eva_json_reader_start(&d->reader, text, mode, depth_max, error);
  eva_code code = decode(L, d, top + 2);
  if (d->reader.scratch.cap > KEPT_MAX) eva_json_reader_free(&d->reader);
  give_back(L, &decoder_key, top + 1);
  if (code == EVA_OK) lua_replace(L, top + 1);
  lua_settop(L, code == EVA_OK ? top + 1 : top);
  return code;
}

/* ==== The module ==== */

/* Raises unless every key of the options table at `index` is in `names`. nil is fine: 0, else 1. */
static int check_options(lua_State *L, int index, const char *const names[]) {
  if (lua_isnoneornil(L, index)) return 0;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
    int i = 0;
    while (names[i] != NULL && strcmp(names[i], key) != 0) i++;
    if (names[i] == NULL) {
      lua_pushfstring(L, "unknown option '%s' (there are:", key);
      for (i = 0; names[i] != NULL; i++) {
        lua_pushfstring(L, "%s %s%s", lua_tostring(L, -1), names[i], names[i + 1] != NULL ? "," : ")");
      }
      luaL_argerror(L, index, lua_tostring(L, -1));
    }
  }
  return 1;
}

static int field_choice(lua_State *L, int index, const char *name, const char *const choices[]) {
  int choice = 0;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    const char *text = lua_tostring(L, -1);
    while (choices[choice] != NULL && (text == NULL || strcmp(choices[choice], text) != 0)) choice++;
    if (choices[choice] == NULL) {
      luaL_argerror(L, index, lua_pushfstring(L, "%s is '%s', not '%s' or '%s'", name, luaL_tolstring(L, -1, NULL),
                                              choices[0], choices[1]));
    }
  }
  lua_pop(L, 1);
  return choice;
}

static int field_flag(lua_State *L, int index, const char *name) {
  int type = lua_getfield(L, index, name), flag = lua_toboolean(L, -1);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
    luaL_argerror(L, index, lua_pushfstring(L, "%s is a %s, not a boolean", name, lua_typename(L, type)));
  }
  lua_pop(L, 1);
  return flag;
}

static const char *const form_names[] = {"storage", "identity", NULL};
static const char *const mode_names[] = {"strict", "foreign", NULL};

/* json.encode(value [, {form, pretty, repair, name}]) -> text [, true when repaired] */
static int json_encode(lua_State *L) {
  static const char *const names[] = {"form", "pretty", "repair", "name", NULL};
  eva_lua_json_options options = {EVA_JSON_STORAGE, 0, 0, NULL};
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  if (check_options(L, 2, names)) {
    options.form = (eva_json_form)field_choice(L, 2, "form", form_names);
    options.pretty = field_flag(L, 2, "pretty");
    options.repair = field_flag(L, 2, "repair");
    lua_getfield(L, 2, "name"); /* stays on the stack */
    options.name = luaL_optstring(L, -1, NULL);
  }
  int repaired = eva_lua_json_encode(L, 1, &options);
  if (repaired) lua_pushboolean(L, 1);
  return 1 + repaired;
}

/* json.identity(value) -> text: what ids, digests and cache keys are made of */
static int json_identity(lua_State *L) {
  static const eva_lua_json_options options = {EVA_JSON_IDENTITY, 0, 0, NULL};
  luaL_checkany(L, 1);
  eva_lua_json_encode(L, 1, &options);
  return 1;
}

/* json.decode(text [, {mode, max_depth}]) -> value | nil, message, code */
static int json_decode(lua_State *L) {
  static const char *const names[] = {"mode", "max_depth", NULL};
  eva_text text = eva_check_text(L, 1);
  eva_json_mode mode = EVA_JSON_STRICT;
  lua_Integer depth_max = EVA_JSON_DEPTH_MAX;
  lua_settop(L, 2);
  if (check_options(L, 2, names)) {
    mode = (eva_json_mode)field_choice(L, 2, "mode", mode_names);
    if (lua_getfield(L, 2, "max_depth") != LUA_TNIL) depth_max = lua_tointeger(L, -1);
    if (depth_max < 1 || depth_max > EVA_JSON_DEPTH_MAX) {
      luaL_argerror(L, 2, lua_pushfstring(L, "max_depth is not within 1 and %d", EVA_JSON_DEPTH_MAX));
    }
  }
  eva_error error;
  if (eva_lua_json_decode(L, text, mode, (int)depth_max, &error) != EVA_OK) return eva_push_error(L, &error);
  return 1;
}

/* json.canonical(text, form [, mode]) -> text | nil, message, code */
static int json_canonical(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  eva_json_form form = (eva_json_form)luaL_checkoption(L, 2, "storage", form_names);
  eva_json_mode mode = (eva_json_mode)luaL_checkoption(L, 3, "strict", mode_names);
  eva_error error;
  eva_buf *out = eva_push_buf(L);
  if (eva_json_canonical(text.data, text.len, form, mode, out, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushlstring(L, out->data, out->len);
  return 1;
}

/* json.fields(text) -> {name = storage text of its value}, the value of `id` where it is a string without escapes; or
 * nothing where the text is not an object that strict reading takes: then decode says why. */
static int json_fields(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  eva_json_field fields[EVA_JSON_MEMBERS_MAX];
  int count = 0, has_id = 0;
  eva_error error;
  if (eva_json_fields(text.data, text.len, fields, &count, &error) != EVA_OK) return 0;
  lua_settop(L, 1);
  lua_createtable(L, 0, count);
  for (int index = 0; index < count; index++) {
    eva_text key = fields[index].key, value = fields[index].text;
    lua_pushlstring(L, key.data, key.len);
    lua_pushlstring(L, value.data, value.len);
    lua_rawset(L, 2);
    if (fields[index].is_plain_string && eva_text_equal(key, EVA_TEXT_LITERAL("id"))) {
      lua_pushlstring(L, value.data + 1, value.len - 2);
      has_id = 1;
    }
  }
  return 1 + has_id;
}

/* json.repair(text) -> text, true when something was not UTF-8 and became U+FFFD */
static int json_repair(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  if (eva_utf8_valid(text.data, text.len)) {
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 0);
    return 2;
  }
  eva_buf *out = eva_push_buf(L);
  eva_utf8_repair(text.data, text.len, out);
  lua_pushlstring(L, out->data, out->len);
  lua_pushboolean(L, 1);
  return 2;
}

/* json.array([table]) -> the table, marked as an array (it is `[]` even when empty) */
static int json_array(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_getmetatable(L, EVA_JSON_ARRAY_METATABLE);
  if (lua_getmetatable(L, 1)) {
    luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table already has a metatable of another kind");
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  lua_settop(L, 1);
  return 1;
}

/* json.is_array(value) -> boolean: was it decoded from an array, or marked by json.array? */
static int json_is_array(lua_State *L) {
  int is_array = 0;
  if (lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1)) {
    luaL_getmetatable(L, EVA_JSON_ARRAY_METATABLE);
    is_array = lua_rawequal(L, -1, -2);
  }
  lua_pushboolean(L, is_array);
  return 1;
}

static const luaL_Reg json_functions[] = {
    {"encode",    json_encode   },
    {"identity",  json_identity },
    {"decode",    json_decode   },
    {"canonical", json_canonical},
    {"fields",    json_fields   },
    {"repair",    json_repair   },
    {"array",     json_array    },
    {"is_array",  json_is_array },
    {NULL,        NULL          },
};

int luaopen_evalua_json(lua_State *L) {
  luaL_newmetatable(L, EVA_JSON_ARRAY_METATABLE);
  lua_pop(L, 1);
  luaL_newlib(L, json_functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  return 1;
}
