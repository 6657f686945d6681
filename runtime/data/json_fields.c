/* An object's members as texts; see eva_json_fields. */
#include <string.h>

#include "data/json.h"

enum { KEPT_MAX = 1 << 20 }; /* after a larger text the memory is given back */

/* Kept, with its memory: this runs for every line of a file of items. */
static struct {
  eva_json_reader reader;
  eva_json_writer writer;
  eva_buf keys, texts;
  struct {
    size_t key, key_len, start, end;
  } spans[EVA_JSON_MEMBERS_MAX];
} work;

static void forget_large(size_t len) {
  if (len <= KEPT_MAX) return;
  eva_json_reader_free(&work.reader);
  eva_json_writer_free(&work.writer);
}

/* One value of the object into work.texts; its first event has been read. Returns 0 when the reader failed or a key of
 * an object inside stands twice. */
static int copy_value(eva_json_event event) {
  int depth = 0;
  for (;;) {
    if (event == EVA_JSON_ERROR || event == EVA_JSON_END) return 0;
    if (!eva_json_put_event(&work.writer, &work.reader, event)) return 0;
    if (event == EVA_JSON_ARRAY_BEGIN || event == EVA_JSON_OBJECT_BEGIN) depth++;
    if (event == EVA_JSON_ARRAY_END || event == EVA_JSON_OBJECT_END) depth--;
    if (depth == 0 && event != EVA_JSON_KEY) return 1;
    event = eva_json_read(&work.reader);
  }
}

static int is_known(int count, eva_text key) {
  for (int index = 0; index < count; index++) {
    if (work.spans[index].key_len == key.len && memcmp(work.keys.data + work.spans[index].key, key.data, key.len) == 0) {
      return 1;
    }
  }
  return 0;
}

static int read_fields(int *count) {
  eva_json_event event = eva_json_read(&work.reader);
  if (event != EVA_JSON_OBJECT_BEGIN) return 0;
  for (*count = 0; (event = eva_json_read(&work.reader)) == EVA_JSON_KEY; ++*count) {
    eva_text key = work.reader.string;
    if (*count == EVA_JSON_MEMBERS_MAX || is_known(*count, key)) return 0;
    work.spans[*count].key = work.keys.len;
    work.spans[*count].key_len = key.len;
    eva_buf_add(&work.keys, key.data, key.len);
    work.spans[*count].start = work.texts.len;
    eva_json_writer_start(&work.writer, &work.texts, EVA_JSON_STORAGE);
    if (!copy_value(eva_json_read(&work.reader))) return 0;
    work.spans[*count].end = work.texts.len;
  }
  return event == EVA_JSON_OBJECT_END && eva_json_read(&work.reader) == EVA_JSON_END;
}

eva_code eva_json_fields(const char *text, size_t len, eva_json_field fields[EVA_JSON_MEMBERS_MAX], int *count,
                         eva_error *error) {
  error->code = EVA_OK;
  eva_buf_clear(&work.keys);
  eva_buf_clear(&work.texts);
  eva_buf_reserve(&work.keys, 1); /* an empty key has an address too */
  eva_json_reader_start(&work.reader, (eva_text){text, len}, EVA_JSON_STRICT, 0, error);
  int ok = read_fields(count);
  if (work.texts.len > KEPT_MAX && !ok) eva_buf_free(&work.texts);
  forget_large(len);
  if (!ok) {
    if (!error->code) eva_error_set(error, EVA_E_PARSE, NULL, "not an object with members that each stand once");
    return error->code;
  }
  for (int index = 0; index < *count; index++) {
    eva_text value = {work.texts.data + work.spans[index].start, work.spans[index].end - work.spans[index].start};
    fields[index].key = (eva_text){work.keys.data + work.spans[index].key, work.spans[index].key_len};
    fields[index].text = value;
    fields[index].is_plain_string = value.data[0] == '"' && !memchr(value.data, '\\', value.len);
  }
  return EVA_OK;
}
