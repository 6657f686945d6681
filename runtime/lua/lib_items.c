/* evalua.native.items: the items of a JSONL file, line by line. A line that needs no closer look comes out packed,
 * ready for the store, without a Lua value for anything in it; other lines are given as text for item.lua to judge. */
#include "lua/lib_items.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/secrets.h"
#include "data/json.h"
#include "lua/call.h"
#include "store/key_map.h"

static const char READER_TYPE[] = "evalua.items";
static const char PACKED_TYPE[] = "evalua.item.packed"; /* marks a table that item.check need not look at */

/* What item.lua and source.lua allow; beyond it the line is left to them, and they say so. */
enum { ID_BYTES_MAX = 1000, LINE_BYTES_MAX = 64 * 1024 * 1024, AUTO_ID_DIGITS = 16, LARGE_BYTES = 1024 * 1024 };

struct eva_item_reader {
  FILE *file; /* NULL when it could not be opened */
  char *path;
  char *line; /* of getline */
  size_t line_room;
  eva_text text;    /* the line in hand, without a leading byte order mark */
  int is_kept;      /* the line in hand is the next one too */
  int failure;      /* errno of what went wrong with reading */
  long long number; /* of the line in hand */
  eva_buf scratch;
  eva_buf kept;     /* texts of eva_item_reader_take */
  size_t kept_room; /* bytes of it that may be filled */
  char auto_id[EVA_SHA256_TEXT_SIZE];
};

eva_item_reader *eva_lua_check_item_reader(lua_State *L, int index) { return luaL_checkudata(L, index, READER_TYPE); }

/* ==== Packing ==== */

static int field_of(eva_text name) {
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    if (eva_text_equal(name, eva_text_of(eva_item_field_names[field]))) return field;
  }
  return -1;
}

/* Whether item.lua would take this value of the field as it is: of some fields it looks inside. */
static int is_plain(int field, eva_text text) {
  switch (field) {
    case EVA_ITEM_METADATA: return text.data[0] == '{';
    case EVA_ITEM_TAGS:
    case EVA_ITEM_SCORERS:
    case EVA_ITEM_EXPECT:
    case EVA_ITEM_SOURCE: return 0;
    default: return 1;
  }
}

/* The string between its quotes, which has no escapes; none when it can be no id. */
static eva_text id_of(const eva_json_field *field) {
  eva_text text = field->text;
  if (!field->is_plain_string || text.len < 3 || text.len - 2 > ID_BYTES_MAX) return EVA_TEXT_NONE;
  if (memchr(text.data, 0x7f, text.len)) return EVA_TEXT_NONE; /* JSON lets no other control character pass unescaped */
  return (eva_text){text.data + 1, text.len - 2};
}

static int has_secret(eva_item_reader *reader, eva_text text) {
  if (eva_secrets_count() == 0) return 0;
  eva_buf_clear(&reader->scratch);
  return eva_secrets_redact(text, &reader->scratch);
}

/* The id of an item that states none; see item.auto_id. */
static int make_auto_id(eva_item_reader *reader, eva_item *item) {
  eva_text input = item->fields[EVA_ITEM_INPUT];
  unsigned char digest[EVA_SHA256_SIZE];
  eva_error error;
  eva_buf_clear(&reader->scratch);
  if (eva_json_canonical(input.data, input.len, EVA_JSON_IDENTITY, EVA_JSON_STRICT, &reader->scratch, &error)) return 0;
  eva_sha256_of(reader->scratch.data, reader->scratch.len, digest);
  eva_hex(digest, sizeof digest, reader->auto_id);
  item->item_id = (eva_text){reader->auto_id, AUTO_ID_DIGITS};
  item->auto_id = 1;
  return 1;
}

/* The item of the line in hand; 0 when it is for item.lua. */
static int pack(eva_item_reader *reader, eva_item *item) {
  eva_json_field fields[EVA_JSON_MEMBERS_MAX];
  int count = 0;
  eva_error error;
  memset(item, 0, sizeof *item);
  if (reader->text.len > LINE_BYTES_MAX) return 0;
  if (eva_json_fields(reader->text.data, reader->text.len, fields, &count, &error) != EVA_OK) return 0;
  for (int index = 0; index < count; index++) {
    eva_text key = fields[index].key, text = fields[index].text;
    if (has_secret(reader, text)) return 0;
    if (eva_text_equal(key, EVA_TEXT_LITERAL("id"))) {
      item->item_id = id_of(&fields[index]);
      if (!item->item_id.data) return 0;
      continue;
    }
    int field = field_of(key);
    if (field < 0) return 0;
    if (field != EVA_ITEM_INPUT && eva_text_equal(text, EVA_TEXT_LITERAL("null"))) continue;
    if (!is_plain(field, text)) return 0;
    item->fields[field] = text;
  }
  if (!item->fields[EVA_ITEM_INPUT].data) return 0;
  return item->item_id.data || make_auto_id(reader, item);
}

static void push_packed(lua_State *L, const eva_item *item) {
  lua_createtable(L, 0, 4);
  eva_push_text(L, item->item_id);
  lua_setfield(L, -2, "item_id");
  if (item->auto_id) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "auto_id");
  }
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    if (!item->fields[field].data) continue;
    eva_push_text(L, item->fields[field]);
    lua_setfield(L, -2, eva_item_field_names[field]);
  }
  luaL_setmetatable(L, PACKED_TYPE);
}

/* ==== Lines ==== */

static int is_blank(eva_text line) {
  for (size_t at = 0; at < line.len; at++) {
    if (line.data[at] != ' ' && (line.data[at] < '\t' || line.data[at] > '\r')) return 0;
  }
  return 1;
}

/* Takes the next line that has something in it in hand; 0 at the end and on failure. */
static int next_line(eva_item_reader *reader) {
  if (reader->is_kept) return 1;
  while (reader->file && !reader->failure) {
    errno = 0;
    ssize_t len = getline(&reader->line, &reader->line_room, reader->file);
    if (len < 0) {
      reader->failure = feof(reader->file) ? 0 : errno ? errno : EIO;
      free(reader->line);
      reader->line = NULL;
      reader->line_room = 0;
      return 0;
    }
    reader->text = (eva_text){reader->line, (size_t)len};
    if (reader->number++ == 0 && len >= 3 && memcmp(reader->line, "\xef\xbb\xbf", 3) == 0) {
      reader->text.data += 3;
      reader->text.len -= 3;
    }
    if (!is_blank(reader->text)) return 1;
  }
  return 0;
}

static size_t size_of(const eva_item *item) {
  size_t size = item->item_id.len;
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) size += item->fields[field].len;
  return size;
}

static void keep_text(eva_buf *kept, eva_text *text) {
  if (!text->data) return;
  size_t start = kept->len;
  eva_buf_add(kept, text->data, text->len);
  text->data = kept->data + start;
}

/* Copies the texts of the item and its place; 0 when there is no room beside those that are there. */
static int keep(eva_item_reader *reader, eva_item *item, eva_text *place) {
  enum { KEPT_BYTES = 65536, NUMBER_BYTES = 32 };
  char number[NUMBER_BYTES]; /* ":12" */
  eva_buf *kept = &reader->kept;
  size_t size = size_of(item) + strlen(reader->path) + NUMBER_BYTES;
  if (kept->len == 0) eva_buf_reserve(kept, size > KEPT_BYTES ? size : KEPT_BYTES); /* what is in it must not move, so
                                                                                       nothing below may ask for more */
  if (kept->len + size > reader->kept_room && kept->len > 0) return 0;
  if (kept->len == 0) reader->kept_room = size > KEPT_BYTES ? size : KEPT_BYTES;
  keep_text(kept, &item->item_id);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) keep_text(kept, &item->fields[field]);
  size_t start = kept->len;
  snprintf(number, sizeof number, ":%lld", reader->number);
  eva_buf_add_string(kept, reader->path);
  eva_buf_add_string(kept, number);
  *place = (eva_text){kept->data + start, kept->len - start};
  return 1;
}

int eva_item_reader_take(eva_item_reader *reader, eva_item *items, eva_text *places, int most) {
  int count = 0;
  if (reader->kept_room > LARGE_BYTES) eva_buf_free(&reader->kept); /* once was enough */
  eva_buf_clear(&reader->kept);
  while (count < most && next_line(reader)) {
    reader->is_kept = !pack(reader, &items[count]) || !keep(reader, &items[count], &places[count]);
    if (reader->is_kept) break;
    count++;
  }
  return count;
}

/* reader:next(for_packing) -> a packed item, or the text of a line, and "path:line"; nil at the end; nil, message where
 * the file cannot be read. Without for_packing it is always the text. */
static int l_next(lua_State *L) {
  eva_item_reader *reader = eva_lua_check_item_reader(L, 1);
  eva_item item;
  if (!next_line(reader)) {
    if (!reader->failure) return 0;
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", reader->path, strerror(reader->failure));
    return 2;
  }
  if (lua_toboolean(L, 2) && !reader->is_kept && pack(reader, &item)) {
    push_packed(L, &item);
  } else {
    eva_push_text(L, reader->text);
  }
  reader->is_kept = 0;
  lua_pushfstring(L, "%s:%I", reader->path, (LUAI_UACINT)reader->number);
  return 2;
}

static void start_over(eva_item_reader *reader) {
  reader->number = 0;
  reader->is_kept = 0;
  if (!reader->failure && fseek(reader->file, 0, SEEK_SET) != 0) reader->failure = errno;
}

/* reader:check(items, bytes) -> how many of the first items, as many at most and with so many bytes, are packed as they
 * stand and have ids of their own; nil where one needs a closer look. The reader starts over. */
static int l_check(lua_State *L) {
  eva_item_reader *reader = eva_lua_check_item_reader(L, 1);
  lua_Integer items = luaL_checkinteger(L, 2), bytes = luaL_checkinteger(L, 3), count = 0;
  eva_key_map ids = {0}; /* by their hashes: ids that only seem equal get a closer look too */
  eva_item item;
  int is_fine = 1;
  while (is_fine && count < items && bytes > 0 && next_line(reader)) {
    is_fine = pack(reader, &item);
    int64_t hash = is_fine ? eva_text_hash(item.item_id) : 0;
    if (is_fine && !item.auto_id && eva_key_map_get(&ids, hash)) is_fine = 0;
    eva_key_map_set(&ids, hash, 1);
    bytes -= (lua_Integer)reader->text.len;
    count++;
  }
  eva_key_map_free(&ids);
  is_fine &= !reader->failure;
  start_over(reader);
  if (!is_fine) return 0;
  lua_pushinteger(L, count);
  return 1;
}

static int l_gc(lua_State *L) {
  eva_item_reader *reader = eva_lua_check_item_reader(L, 1);
  if (reader->file) fclose(reader->file);
  free(reader->line);
  free(reader->path);
  eva_buf_free(&reader->scratch);
  eva_buf_free(&reader->kept);
  *reader = (eva_item_reader){0};
  return 0;
}

/* items.open(path) -> reader | nil, message */
static int l_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  eva_item_reader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
  *reader = (eva_item_reader){0};
  luaL_setmetatable(L, READER_TYPE);
  reader->file = fopen(path, "rbe");
  if (!reader->file) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
  }
  reader->path = eva_alloc(strlen(path) + 1);
  memcpy(reader->path, path, strlen(path) + 1);
  return 1;
}

int luaopen_evalua_native_items(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", l_next}, {"check", l_check}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  luaL_newmetatable(L, READER_TYPE);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  luaL_newmetatable(L, PACKED_TYPE);
  lua_setfield(L, -2, "packed"); /* the metatable of packed items */
  return 1;
}
