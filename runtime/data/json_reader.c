/* The pull reader: one event a call, no recursion, strings without escapes are slices of the text. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

/* What may come next. */
enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COMMA_OR_END, WANT_NOTHING, FAILED };

enum { BYTE_ORDER_MARK_SIZE = 3 };

void eva_json_reader_start(eva_json_reader *reader, eva_text text, eva_json_mode mode, int depth_max,
                           eva_error *error) {
  reader->text = text.data != NULL ? text.data : "";
  reader->len = text.len;
  reader->at = 0;
  reader->token = 0;
  reader->mode = mode;
  reader->depth_max = depth_max > 0 && depth_max < EVA_JSON_DEPTH_MAX ? depth_max : EVA_JSON_DEPTH_MAX;
  reader->depth = 0;
  reader->expect = WANT_VALUE;
  reader->error = error;
  if (mode == EVA_JSON_FOREIGN && text.len >= BYTE_ORDER_MARK_SIZE && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
    reader->at = BYTE_ORDER_MARK_SIZE;
  }
}

void eva_json_reader_free(eva_json_reader *reader) {
  eva_buf_free(&reader->scratch);
}

static eva_json_event fail_at(eva_json_reader *reader, eva_code code, size_t offset, const char *message) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < offset && i < reader->len; i++) {
    unsigned char c = (unsigned char)reader->text[i];
    if (c == '\n') {
      line++;
      column = 1;
    } else if ((c & 0xC0) != 0x80) {
      column++;
    }
  }
  char where[64];
  snprintf(where, sizeof where, "line %zu column %zu", line, column);
  eva_error_set(reader->error, code, where, "%s", message);
  reader->expect = FAILED;
  return EVA_JSON_ERROR;
}

eva_json_event eva_json_reader_fail(eva_json_reader *reader, eva_code code, size_t offset, const char *format, ...) {
  char message[EVA_ERROR_MESSAGE_MAX];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return fail_at(reader, code, offset, message);
}

static eva_json_event fail_here(eva_json_reader *reader, const char *message) {
  return fail_at(reader, EVA_E_PARSE, reader->at, message);
}

/* Says what stands at reader->at instead of what was wanted. */
static eva_json_event fail_unexpected(eva_json_reader *reader, const char *wanted) {
  if (reader->at >= reader->len) {
    return eva_json_reader_fail(reader, EVA_E_PARSE, reader->at, "the text ends where %s should be", wanted);
  }
  const char *at = reader->text + reader->at;
  size_t size;
  int32_t code_point = eva_utf8_decode(at, reader->len - reader->at, &size);
  if (code_point > 0x20 && code_point != 0x7F && !(code_point >= 0x80 && code_point < 0xA0)) {
    return eva_json_reader_fail(reader, EVA_E_PARSE, reader->at, "'%.*s' where %s should be", (int)size, at, wanted);
  }
  return eva_json_reader_fail(reader, EVA_E_PARSE, reader->at, "byte 0x%02X where %s should be",
                              (unsigned)(unsigned char)*at, wanted);
}

static void after_value(eva_json_reader *reader) {
  reader->expect = reader->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static int is_digit(const eva_json_reader *reader) {
  return reader->at < reader->len && (unsigned)(reader->text[reader->at] - '0') <= 9;
}

/* int64 of checked digits; 0 when it does not fit. */
static int parse_integer(const char *text, size_t len, int64_t *out) {
  int negative = text[0] == '-';
  uint64_t value = 0, limit = (uint64_t)INT64_MAX + (unsigned)negative;
  for (size_t i = (size_t)negative; i < len; i++) {
    unsigned digit = (unsigned)(text[i] - '0');
    if (value > (limit - digit) / 10) return 0;
    value = value * 10 + digit;
  }
  *out = negative ? (int64_t)(0 - value) : (int64_t)value;
  return 1;
}

/* RFC 8259 section 6: -? int frac? exp? */
static eva_json_event read_number(eva_json_reader *reader) {
  size_t start = reader->at;
  int is_double = 0;
  if (reader->text[reader->at] == '-') reader->at++;
  if (!is_digit(reader)) return fail_unexpected(reader, "a digit");
  if (reader->text[reader->at] == '0') {
    reader->at++;
    if (is_digit(reader)) return fail_at(reader, EVA_E_PARSE, start, "a number may not start with 0");
  }
  while (is_digit(reader)) reader->at++;
  if (reader->at < reader->len && reader->text[reader->at] == '.') {
    is_double = 1;
    reader->at++;
    if (!is_digit(reader)) return fail_unexpected(reader, "a digit");
    while (is_digit(reader)) reader->at++;
  }
  if (reader->at < reader->len && (reader->text[reader->at] | 0x20) == 'e') {
    is_double = 1;
    reader->at++;
    if (reader->at < reader->len && (reader->text[reader->at] == '+' || reader->text[reader->at] == '-')) reader->at++;
    if (!is_digit(reader)) return fail_unexpected(reader, "a digit");
    while (is_digit(reader)) reader->at++;
  }
  const char *text = reader->text + start;
  size_t len = reader->at - start;
  int is_minus_zero = len == 2 && text[0] == '-' && text[1] == '0';
  after_value(reader);
  if (!is_double && !is_minus_zero) {
    if (parse_integer(text, len, &reader->integer)) return EVA_JSON_INTEGER;
    if (reader->mode == EVA_JSON_STRICT) {
      return fail_at(reader, EVA_E_PARSE, start, "an integer beyond 64 bits (write it as a string, or with .0)");
    }
  }
  reader->number = eva_json_parse_double(text, len);
  if (isinf(reader->number)) return fail_at(reader, EVA_E_PARSE, start, "a number that no double can hold");
  return EVA_JSON_DOUBLE;
}

/* Four hex digits at reader->at, or -1. */
static int32_t read_hex4(eva_json_reader *reader) {
  int32_t value = 0;
  if (reader->len - reader->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int c = reader->text[reader->at + (size_t)i];
    int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  reader->at += 4;
  return value;
}

/* The rest of a \uXXXX escape, reader->at behind the 'u'. Two of them make a character beyond U+FFFF. */
static int read_unicode_escape(eva_json_reader *reader, size_t escape_start) {
  int32_t code_point = read_hex4(reader);
  if (code_point < 0) {
    fail_at(reader, EVA_E_PARSE, escape_start, "\\u must be followed by four hexadecimal digits");
    return 0;
  }
  if (code_point >= 0xD800 && code_point < 0xE000) {
    int32_t low = -1;
    size_t second = reader->at;
    if (code_point < 0xDC00 && reader->len - reader->at >= 6 && memcmp(reader->text + reader->at, "\\u", 2) == 0) {
      reader->at += 2;
      low = read_hex4(reader);
    }
    if (low >= 0xDC00 && low < 0xE000) {
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    } else if (reader->mode == EVA_JSON_STRICT) {
      fail_at(reader, EVA_E_PARSE, escape_start, "half of a surrogate pair alone is no character");
      return 0;
    } else {
      reader->at = second; /* the escape behind it speaks for itself */
      code_point = EVA_UTF8_REPLACEMENT;
    }
  }
  char bytes[EVA_UTF8_MAX_BYTES];
  eva_buf_add(&reader->scratch, bytes, eva_utf8_encode((uint32_t)code_point, bytes));
  return 1;
}

static int read_escape(eva_json_reader *reader) {
  size_t start = reader->at++;
  int c = reader->at < reader->len ? reader->text[reader->at] : 0;
  reader->at++;
  switch (c) {
  case '"': case '\\': case '/': break;
  case 'b': c = '\b'; break;
  case 'f': c = '\f'; break;
  case 'n': c = '\n'; break;
  case 'r': c = '\r'; break;
  case 't': c = '\t'; break;
  case 'u': return read_unicode_escape(reader, start);
  default: fail_at(reader, EVA_E_PARSE, start, "an escape that JSON does not have"); return 0;
  }
  eva_buf_add_char(&reader->scratch, (char)c);
  return 1;
}

/* Bytes from `at` that need no attention: ASCII but quotes, backslashes and controls. */
static size_t plain_run(const eva_json_reader *reader, size_t at) {
  const unsigned char *text = (const unsigned char *)reader->text;
  while (at < reader->len && text[at] >= 0x20 && text[at] < 0x80 && text[at] != '"' && text[at] != '\\') at++;
  return at;
}

/* reader->at is on the opening quote; afterwards behind the closing one, with reader->string set. 0 on failure. */
static int read_string(eva_json_reader *reader) {
  size_t opening = reader->at++, run = reader->at;
  int has_escapes = 0;
  for (;;) {
    reader->at = plain_run(reader, reader->at);
    if (reader->at >= reader->len) {
      fail_at(reader, EVA_E_PARSE, opening, "a string that is never closed");
      return 0;
    }
    unsigned char c = (unsigned char)reader->text[reader->at];
    if (c == '"') break;
    if (c == '\\') {
      if (!has_escapes) eva_buf_clear(&reader->scratch);
      has_escapes = 1;
      eva_buf_add(&reader->scratch, reader->text + run, reader->at - run);
      if (!read_escape(reader)) return 0;
      run = reader->at;
    } else if (c < 0x20) {
      eva_json_reader_fail(reader, EVA_E_PARSE, reader->at,
                           "control character 0x%02X in a string (write it as an escape, \\u%04X)", c, c);
      return 0;
    } else {
      size_t size;
      if (eva_utf8_decode(reader->text + reader->at, reader->len - reader->at, &size) < 0) {
        eva_json_reader_fail(reader, EVA_E_PARSE, reader->at, "byte 0x%02X is not UTF-8 here", c);
        return 0;
      }
      reader->at += size;
    }
  }
  if (has_escapes) {
    eva_buf_add(&reader->scratch, reader->text + run, reader->at - run);
    reader->string = eva_buf_text(&reader->scratch);
  } else {
    reader->string = (eva_text){reader->text + run, reader->at - run};
  }
  reader->at++;
  return 1;
}

static eva_json_event begin(eva_json_reader *reader, int is_object) {
  if (reader->depth >= reader->depth_max) {
    return eva_json_reader_fail(reader, EVA_E_LIMIT, reader->at, "nested deeper than %d levels (the depth limit)",
                                reader->depth_max);
  }
  unsigned char bit = (unsigned char)(1U << (reader->depth % 8));
  unsigned char *byte = &reader->in_object[reader->depth / 8];
  *byte = (unsigned char)(is_object ? *byte | bit : *byte & ~bit);
  reader->depth++;
  reader->at++;
  reader->expect = is_object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
  return is_object ? EVA_JSON_OBJECT_BEGIN : EVA_JSON_ARRAY_BEGIN;
}

static int inside_object(const eva_json_reader *reader) {
  int level = reader->depth - 1;
  return reader->in_object[level / 8] >> (level % 8) & 1;
}

static eva_json_event end(eva_json_reader *reader) {
  int was_object = inside_object(reader);
  reader->depth--;
  reader->at++;
  after_value(reader);
  return was_object ? EVA_JSON_OBJECT_END : EVA_JSON_ARRAY_END;
}

static eva_json_event read_literal(eva_json_reader *reader, const char *word, size_t len, eva_json_event event) {
  if (reader->len - reader->at < len || memcmp(reader->text + reader->at, word, len) != 0) {
    return fail_unexpected(reader, "a value");
  }
  reader->at += len;
  after_value(reader);
  return event;
}

static eva_json_event read_value(eva_json_reader *reader) {
  switch (reader->text[reader->at]) {
  case '{': return begin(reader, 1);
  case '[': return begin(reader, 0);
  case '"':
    if (!read_string(reader)) return EVA_JSON_ERROR;
    after_value(reader);
    return EVA_JSON_STRING;
  case 'n': return read_literal(reader, "null", 4, EVA_JSON_NULL);
  case 't': return read_literal(reader, "true", 4, EVA_JSON_TRUE);
  case 'f': return read_literal(reader, "false", 5, EVA_JSON_FALSE);
  case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
    return read_number(reader);
  default: return fail_unexpected(reader, "a value");
  }
}

static void skip_space(eva_json_reader *reader) {
  const char *text = reader->text;
  size_t at = reader->at;
  while (at < reader->len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) at++;
  reader->at = at;
}

static eva_json_event read_key(eva_json_reader *reader) {
  if (reader->text[reader->at] != '"') return fail_unexpected(reader, "a key in double quotes");
  if (!read_string(reader)) return EVA_JSON_ERROR;
  skip_space(reader);
  if (reader->at >= reader->len || reader->text[reader->at] != ':') return fail_unexpected(reader, "':'");
  reader->at++;
  reader->expect = WANT_VALUE;
  return EVA_JSON_KEY;
}

eva_json_event eva_json_read(eva_json_reader *reader) {
  if (reader->expect == FAILED) return EVA_JSON_ERROR;
  skip_space(reader);
  if (reader->expect == WANT_COMMA_OR_END) {
    int is_object = inside_object(reader);
    char c = reader->at < reader->len ? reader->text[reader->at] : '\0';
    if (c == (is_object ? '}' : ']')) return end(reader);
    if (c != ',') return fail_unexpected(reader, is_object ? "',' or '}'" : "',' or ']'");
    reader->at++;
    skip_space(reader);
    reader->expect = is_object ? WANT_KEY : WANT_VALUE;
  }
  reader->token = reader->at;
  if (reader->at >= reader->len) {
    if (reader->expect == WANT_NOTHING) return EVA_JSON_END;
    return fail_unexpected(reader, reader->expect == WANT_KEY || reader->expect == WANT_KEY_OR_END
                                       ? "a key in double quotes" : "a value");
  }
  char c = reader->text[reader->at];
  switch (reader->expect) {
  case WANT_VALUE_OR_END: return c == ']' ? end(reader) : read_value(reader);
  case WANT_KEY_OR_END: return c == '}' ? end(reader) : read_key(reader);
  case WANT_KEY: return read_key(reader);
  case WANT_NOTHING: return fail_here(reader, "more text behind the value");
  default: return read_value(reader);
  }
}
