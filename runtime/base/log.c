/* Log lines on stderr, with levels, free of terminal escapes. */
#include "base/log.h"

#include <stdio.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secrets.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static eva_log_level shown_level = EVA_LOG_WARNING;

void eva_log_set_level(eva_log_level level) {
  shown_level = level;
}

int eva_log_shows(eva_log_level level) {
  return level <= shown_level;
}

int eva_log_level_named(const char *name, eva_log_level *level) {
  for (int i = EVA_LOG_ERROR; i <= EVA_LOG_DEBUG; i++) {
    if (strcmp(name, level_names[i]) == 0) {
      *level = (eva_log_level)i;
      return 1;
    }
  }
  return 0;
}

/* C0 controls, DEL, and C1 controls in their UTF-8 form (C2 80 to C2 9F). */
static void mask_controls(eva_buf *line, size_t start) {
  for (size_t i = start; i < line->len; i++) {
    unsigned char c = (unsigned char)line->data[i];
    if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7F) line->data[i] = '?';
    if (c == 0xC2 && i + 1 < line->len && (unsigned char)line->data[i + 1] < 0xA0) {
      line->data[i] = '?';
      line->data[++i] = '?';
    }
  }
}

/* The bytes of the character at `text` that must not reach a terminal, or 0. */
static size_t unsafe_bytes(const unsigned char *text, size_t len) {
  if ((text[0] < ' ' && text[0] != '\n' && text[0] != '\t') || text[0] == 0x7f) return 1;
  if (len >= 2 && text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f) return 2; /* C1: CSI among them */
  if (len >= 3 && text[0] == 0xe2 && text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) return 3;
  if (len >= 3 && text[0] == 0xe2 && text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9) return 3;
  return 0;
}

void eva_log_text(const char *text, size_t len) {
  int at_start = 1;
  eva_buf clean = {0};
  if (eva_secrets_redact((eva_text){text, len}, &clean)) text = clean.data, len = clean.len;
  for (size_t at = 0; at < len;) {
    const unsigned char *c = (const unsigned char *)text + at;
    size_t unsafe = unsafe_bytes(c, len - at);
    if (at_start && (*c == ':' || *c == '#')) fputc(' ', stderr);
    at_start = *c == '\n';
    fputc(unsafe ? '?' : *c, stderr);
    at += unsafe ? unsafe : 1;
  }
  eva_buf_free(&clean);
}

void eva_log(eva_log_level level, const char *format, ...) {
  if (!eva_log_shows(level)) return;
  int saved_errno = errno;
  eva_buf line = {0};
  eva_buf_printf(&line, "evalua: %s: ", level_names[level]);
  size_t start = line.len;
  va_list arguments;
  va_start(arguments, format);
  eva_buf_vprintf(&line, format, arguments);
  va_end(arguments);
  mask_controls(&line, start);
  eva_buf_add_char(&line, '\n');
  eva_buf clean = {0};
  if (eva_secrets_redact(eva_buf_text(&line), &clean)) {
    eva_buf_free(&line);
    line = clean;
  }
  for (size_t written = 0; written < line.len;) {
    ssize_t count = write(STDERR_FILENO, line.data + written, line.len - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += (size_t)count;
  }
  eva_buf_free(&line);
  errno = saved_errno;
}
