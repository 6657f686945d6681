/* Writing JSON: strings, and the writer that sorts each object's members when it is closed. */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

/* 0: copy, 1: look closer (not ASCII), else the letter behind the backslash ('u' for \u00XX). */
static const unsigned char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\', [0x80 ... 0xFF] = 1};

int eva_json_write_string(eva_buf *out, const char *data, size_t len) {
  int is_utf8 = 1;
  eva_buf_reserve(out, len + 2);
  eva_buf_add_char(out, '"');
  for (size_t at = 0; at < len;) {
    size_t run = at;
    while (at < len && escapes[(unsigned char)data[at]] == 0) at++;
    if (at > run) eva_buf_add(out, data + run, at - run);
    if (at >= len) break;
    unsigned char c = (unsigned char)data[at], kind = escapes[c];
    if (kind == 1) {
      size_t size;
      if (eva_utf8_decode(data + at, len - at, &size) >= 0) {
        eva_buf_add(out, data + at, size);
      } else {
        eva_buf_add(out, "\xEF\xBF\xBD", 3);
        is_utf8 = 0;
      }
      at += size;
      continue;
    }
    char text[6] = {'\\', (char)kind, '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    eva_buf_add(out, text, kind == 'u' ? 6 : 2);
    at++;
  }
  eva_buf_add_char(out, '"');
  return is_utf8;
}

void eva_json_writer_start(eva_json_writer *writer, eva_buf *out, eva_json_form form) {
  writer->out = out;
  writer->form = form;
  writer->pretty = 0;
  writer->keep_last = 0;
  writer->depth = 0;
  writer->after_key = 0;
  writer->not_utf8 = 0;
  writer->member_count = 0;
  eva_buf_clear(&writer->keys);
  eva_buf_clear(&writer->sorted);
}

void eva_json_writer_free(eva_json_writer *writer) {
  eva_buf_free(&writer->keys);
  eva_buf_free(&writer->sorted);
  free(writer->members);
  writer->members = NULL;
  writer->member_count = writer->member_cap = 0;
}

static void add_separator(const eva_json_writer *writer, eva_buf *out, int is_first, int depth) {
  if (!is_first) eva_buf_add_char(out, ',');
  if (!writer->pretty) return;
  eva_buf_add_char(out, '\n');
  for (int i = 0; i < depth; i++) eva_buf_add(out, "  ", 2);
}

/* Before a value: nothing behind a key (the key brought the separator) and at the top. */
static void before_value(eva_json_writer *writer) {
  if (!writer->after_key && writer->depth > 0) {
    const eva_json_level *level = &writer->levels[writer->depth - 1];
    add_separator(writer, writer->out, writer->out->len == level->start, writer->depth);
  }
  writer->after_key = 0;
}

/* Behind a value: the member it belongs to ends here. */
static void after_value(eva_json_writer *writer) {
  if (writer->depth > 0 && writer->levels[writer->depth - 1].is_object) {
    writer->members[writer->member_count - 1].end = writer->out->len;
  }
}

static void put_raw(eva_json_writer *writer, const char *text, size_t len) {
  before_value(writer);
  eva_buf_add(writer->out, text, len);
  after_value(writer);
}

void eva_json_put_null(eva_json_writer *writer) {
  put_raw(writer, "null", 4);
}

void eva_json_put_bool(eva_json_writer *writer, int value) {
  put_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void eva_json_put_integer(eva_json_writer *writer, int64_t value) {
  before_value(writer);
  eva_json_write_integer(writer->out, value);
  after_value(writer);
}

void eva_json_put_double(eva_json_writer *writer, double value) {
  before_value(writer);
  eva_json_write_double(writer->out, value, writer->form);
  after_value(writer);
}

void eva_json_put_string(eva_json_writer *writer, const char *data, size_t len) {
  before_value(writer);
  if (!eva_json_write_string(writer->out, data, len)) writer->not_utf8 = 1;
  after_value(writer);
}

void eva_json_put_key(eva_json_writer *writer, const char *data, size_t len, size_t source) {
  if (writer->member_count == writer->member_cap) {
    writer->member_cap = writer->member_cap > 0 ? writer->member_cap * 2 : 32;
    writer->members = eva_realloc(writer->members, writer->member_cap * sizeof *writer->members);
  }
  const eva_json_level *level = &writer->levels[writer->depth - 1];
  add_separator(writer, writer->out, writer->out->len == level->start, writer->depth);
  eva_json_member *member = &writer->members[writer->member_count++];
  *member = (eva_json_member){writer->keys.len, len, writer->out->len, writer->out->len, source};
  eva_buf_add(&writer->keys, data, len);
  if (!eva_json_write_string(writer->out, data, len)) writer->not_utf8 = 1;
  eva_buf_add(writer->out, ": ", writer->pretty ? 2 : 1);
  writer->after_key = 1;
}

int eva_json_put_begin(eva_json_writer *writer, int is_object) {
  if (writer->depth >= EVA_JSON_DEPTH_MAX) return 0;
  before_value(writer);
  eva_buf_add_char(writer->out, is_object ? '{' : '[');
  writer->levels[writer->depth++] =
      (eva_json_level){writer->member_count, writer->keys.len, writer->out->len, is_object};
  return 1;
}

/* By key bytes, then by place. */
static int compare_members(const char *keys, const eva_json_member *a, const eva_json_member *b) {
  size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
  int order = shorter > 0 ? memcmp(keys + a->key, keys + b->key, shorter) : 0;
  if (order != 0) return order;
  if (a->key_len != b->key_len) return a->key_len < b->key_len ? -1 : 1;
  return a->start < b->start ? -1 : a->start > b->start;
}

static int compare_for_sort(const void *a, const void *b, void *keys) {
  return compare_members(keys, a, b);
}

static int same_key(const char *keys, const eva_json_member *a, const eva_json_member *b) {
  return a->key_len == b->key_len && memcmp(keys + a->key, keys + b->key, a->key_len) == 0;
}

/* 1 when the members already stand in order without duplicates: nothing has to move. */
static int is_sorted(const char *keys, const eva_json_member *members, size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (same_key(keys, &members[i - 1], &members[i]) || compare_members(keys, &members[i - 1], &members[i]) > 0) {
      return 0;
    }
  }
  return 1;
}

static void sort_members(const char *keys, eva_json_member *members, size_t count) {
  enum { INSERTION_MAX = 24 };
  if (count > INSERTION_MAX) {
    qsort_r(members, count, sizeof *members, compare_for_sort, (void *)(uintptr_t)keys);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    eva_json_member moved = members[i];
    size_t at = i;
    for (; at > 0 && compare_members(keys, &members[at - 1], &moved) > 0; at--) members[at] = members[at - 1];
    members[at] = moved;
  }
}

/* Rewrites the open object's text with its members in order. Returns a duplicate that is not allowed, or NULL. */
static const eva_json_member *rearrange(eva_json_writer *writer, const eva_json_level *level) {
  size_t count = writer->member_count - level->first_member;
  if (count < 2) return NULL;
  eva_json_member *members = writer->members + level->first_member;
  const char *keys = writer->keys.data;
  if (is_sorted(keys, members, count)) return NULL;
  sort_members(keys, members, count);
  eva_buf_clear(&writer->sorted);
  for (size_t i = 0; i < count; i++) {
    if (i + 1 < count && same_key(keys, &members[i], &members[i + 1])) {
      if (!writer->keep_last) return &members[i + 1];
      continue;
    }
    add_separator(writer, &writer->sorted, writer->sorted.len == 0, writer->depth);
    eva_buf_add(&writer->sorted, writer->out->data + members[i].start, members[i].end - members[i].start);
  }
  writer->out->len = level->start;
  eva_buf_add(writer->out, writer->sorted.data, writer->sorted.len);
  return NULL;
}

const eva_json_member *eva_json_put_end(eva_json_writer *writer) {
  eva_json_level level = writer->levels[writer->depth - 1];
  if (level.is_object) {
    const eva_json_member *duplicate = rearrange(writer, &level);
    if (duplicate != NULL) return duplicate;
    writer->member_count = level.first_member;
    writer->keys.len = level.first_key;
  }
  writer->depth--;
  if (writer->pretty && writer->out->len > level.start) {
    eva_buf_add_char(writer->out, '\n');
    for (int i = 0; i < writer->depth; i++) eva_buf_add(writer->out, "  ", 2);
  }
  eva_buf_add_char(writer->out, level.is_object ? '}' : ']');
  after_value(writer);
  return NULL;
}
