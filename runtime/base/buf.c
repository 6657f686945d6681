/* The growable byte buffer and the allocation functions that never return NULL. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, OUT_OF_MEMORY_EXIT = 4 /* "the run could not be completed" */ };

static _Noreturn void out_of_memory(size_t size) {
  fprintf(stderr, "evalua: out of memory: %zu more bytes were needed\n", size);
  _Exit(OUT_OF_MEMORY_EXIT);
}

void *eva_alloc(size_t size) {
  void *memory = malloc(size > 0 ? size : 1);
  if (memory == NULL) out_of_memory(size);
  return memory;
}

void *eva_alloc_zeroed(size_t count, size_t size) {
  void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
  if (memory == NULL) out_of_memory(count > 0 && size > SIZE_MAX / count ? SIZE_MAX : count * size);
  return memory;
}

void *eva_realloc(void *old, size_t size) {
  void *memory = realloc(old, size > 0 ? size : 1);
  if (memory == NULL) out_of_memory(size);
  return memory;
}

char *eva_strdup(const char *string) {
  size_t size = strlen(string) + 1;
  return memcpy(eva_alloc(size), string, size);
}

eva_text eva_text_of(const char *string) {
  return string == NULL ? EVA_TEXT_NONE : (eva_text){string, strlen(string)};
}

int eva_text_equal(eva_text a, eva_text b) {
  if (a.data == NULL || b.data == NULL) return a.data == b.data;
  return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

void eva_buf_reserve(eva_buf *buf, size_t more) {
  if (more < buf->cap - buf->len) return; /* strictly less: the NUL needs a byte too */
  if (more >= SIZE_MAX / 2 - buf->len) out_of_memory(more);
  size_t needed = buf->len + more + 1;
  size_t cap = buf->cap + buf->cap / 2;
  if (cap < FIRST_CAPACITY) cap = FIRST_CAPACITY;
  if (cap < needed) cap = needed;
  buf->data = eva_realloc(buf->data, cap);
  buf->cap = cap;
  buf->data[buf->len] = '\0';
}

void eva_buf_add(eva_buf *buf, const void *data, size_t len) {
  eva_buf_reserve(buf, len);
  if (len > 0) memcpy(buf->data + buf->len, data, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
}

void eva_buf_add_char(eva_buf *buf, char c) {
  eva_buf_reserve(buf, 1);
  buf->data[buf->len++] = c;
  buf->data[buf->len] = '\0';
}

void eva_buf_add_string(eva_buf *buf, const char *string) {
  eva_buf_add(buf, string, strlen(string));
}

void eva_buf_vprintf(eva_buf *buf, const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  eva_buf_reserve(buf, FIRST_CAPACITY);
  int len = vsnprintf(buf->data + buf->len, buf->cap - buf->len, format, arguments);
  if (len >= 0 && (size_t)len >= buf->cap - buf->len) {
    eva_buf_reserve(buf, (size_t)len);
    len = vsnprintf(buf->data + buf->len, buf->cap - buf->len, format, again);
  }
  va_end(again);
  if (len > 0) buf->len += (size_t)len;
  buf->data[buf->len] = '\0';
}

void eva_buf_printf(eva_buf *buf, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  eva_buf_vprintf(buf, format, arguments);
  va_end(arguments);
}

void eva_buf_clear(eva_buf *buf) {
  buf->len = 0;
  if (buf->data != NULL) buf->data[0] = '\0';
}

void eva_buf_free(eva_buf *buf) {
  free(buf->data);
  *buf = (eva_buf){0};
}

eva_text eva_buf_text(const eva_buf *buf) {
  return (eva_text){buf->data != NULL ? buf->data : "", buf->len};
}
