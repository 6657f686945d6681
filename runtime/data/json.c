/* Whole JSON texts: validating and rewriting in canonical form. */
#include "data/json.h"

#include <string.h>

enum { SCRATCH_KEPT_MAX = 1 << 20 }; /* after a larger text the scratch memory is given back */

/* One event into the writer. 0 when it refuses (depth); a duplicate key comes back in *duplicate. */
static int pump(eva_json_writer *writer, const eva_json_reader *reader, eva_json_event event,
                const eva_json_member **duplicate) {
  switch (event) {
  case EVA_JSON_NULL: eva_json_put_null(writer); break;
  case EVA_JSON_FALSE: eva_json_put_bool(writer, 0); break;
  case EVA_JSON_TRUE: eva_json_put_bool(writer, 1); break;
  case EVA_JSON_INTEGER: eva_json_put_integer(writer, reader->integer); break;
  case EVA_JSON_DOUBLE: eva_json_put_double(writer, reader->number); break;
  case EVA_JSON_STRING: eva_json_put_string(writer, reader->string.data, reader->string.len); break;
  case EVA_JSON_KEY: eva_json_put_key(writer, reader->string.data, reader->string.len, reader->token); break;
  case EVA_JSON_ARRAY_BEGIN: return eva_json_put_begin(writer, 0);
  case EVA_JSON_OBJECT_BEGIN: return eva_json_put_begin(writer, 1);
  case EVA_JSON_ARRAY_END:
  case EVA_JSON_OBJECT_END: *duplicate = eva_json_put_end(writer); return *duplicate == NULL;
  case EVA_JSON_ERROR:
  case EVA_JSON_END: break;
  }
  return 1;
}

int eva_json_put_event(eva_json_writer *writer, const eva_json_reader *reader, eva_json_event event) {
  const eva_json_member *duplicate = NULL;
  return pump(writer, reader, event, &duplicate);
}

eva_code eva_json_fail_duplicate(eva_json_reader *reader, size_t offset, const char *key, size_t len) {
  enum { SHOWN_MAX = 100 };
  size_t shown = eva_utf8_cut(key, len, SHOWN_MAX);
  eva_json_reader_fail(reader, EVA_E_PARSE, offset, "the key \"%.*s%s\" stands twice in one object", (int)shown, key,
                       shown < len ? "..." : "");
  return EVA_E_PARSE;
}

eva_code eva_json_canonical(const char *text, size_t len, eva_json_form form, eva_json_mode mode, eva_buf *out,
                            eva_error *error) {
  size_t before = out->len;
  static eva_json_reader reader; /* kept, with their memory: this runs for every field of every item stored */
  static eva_json_writer writer;
  eva_code code = EVA_OK;
  eva_json_reader_start(&reader, (eva_text){text, len}, mode, 0, error);
  eva_json_writer_start(&writer, out, form);
  writer.keep_last = mode == EVA_JSON_FOREIGN;
  for (;;) {
    const eva_json_member *duplicate = NULL;
    eva_json_event event = eva_json_read(&reader);
    if (event == EVA_JSON_END) break;
    if (event == EVA_JSON_ERROR) {
      code = error->code;
      break;
    }
    if (!pump(&writer, &reader, event, &duplicate)) {
      code = eva_json_fail_duplicate(&reader, duplicate->source, writer.keys.data + duplicate->key, duplicate->key_len);
      break;
    }
  }
  if (code != EVA_OK && out->data != NULL) {
    out->len = before;
    out->data[before] = '\0';
  }
  if (len > SCRATCH_KEPT_MAX) {
    eva_json_reader_free(&reader);
    eva_json_writer_free(&writer);
  }
  return code;
}

eva_code eva_json_validate(const char *text, size_t len, eva_json_mode mode, eva_error *error) {
  if (mode == EVA_JSON_STRICT) { /* duplicate keys are only seen by sorting */
    eva_buf out = {0};
    eva_code code = eva_json_canonical(text, len, EVA_JSON_STORAGE, mode, &out, error);
    eva_buf_free(&out);
    return code;
  }
  eva_json_reader reader = {0};
  eva_json_event event;
  eva_json_reader_start(&reader, (eva_text){text, len}, mode, 0, error);
  do {
    event = eva_json_read(&reader);
  } while (event != EVA_JSON_END && event != EVA_JSON_ERROR);
  eva_json_reader_free(&reader);
  return event == EVA_JSON_END ? EVA_OK : error->code;
}
