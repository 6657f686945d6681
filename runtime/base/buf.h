/* A growable byte buffer, the only string builder. Data is always followed by a NUL that `len` does not count.
 *
 * Ownership: the struct owns `data`; zero it to start ({0}), free it with eva_buf_free. Running out of memory ends the
 * process with a message: every buffer's size is bounded by a named limit before it is filled. */
#ifndef EVA_BASE_BUF_H
#define EVA_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

typedef struct eva_buf {
  char *data; /* NULL until first used */
  size_t len;
  size_t cap; /* bytes allocated, with the NUL */
} eva_buf;

/* A slice of somebody else's bytes; data NULL means "no value" (SQL NULL). */
typedef struct eva_text {
  const char *data;
  size_t len;
} eva_text;

#define EVA_TEXT_NONE ((eva_text){NULL, 0})
#define EVA_TEXT_LITERAL(s) ((eva_text){"" s, sizeof(s) - 1})
eva_text eva_text_of(const char *string); /* NULL gives EVA_TEXT_NONE */
int eva_text_equal(eva_text a, eva_text b); /* none equals none only */

void eva_buf_reserve(eva_buf *buf, size_t more); /* room for `more` bytes beyond len */
void eva_buf_add(eva_buf *buf, const void *data, size_t len);
void eva_buf_add_char(eva_buf *buf, char c);
void eva_buf_add_string(eva_buf *buf, const char *string);
void eva_buf_printf(eva_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void eva_buf_vprintf(eva_buf *buf, const char *format, va_list arguments);
void eva_buf_clear(eva_buf *buf); /* len = 0, memory kept */
void eva_buf_free(eva_buf *buf);  /* frees and zeroes */
eva_text eva_buf_text(const eva_buf *buf);

/* malloc/realloc/calloc/strdup that end the process with a message instead of returning NULL. */
void *eva_alloc(size_t size);
void *eva_alloc_zeroed(size_t count, size_t size);
void *eva_realloc(void *old, size_t size);
char *eva_strdup(const char *string);

#endif
