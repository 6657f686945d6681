/* Diagnostics for people: one line each, on stderr only (stdout carries results). */
#ifndef EVA_BASE_LOG_H
#define EVA_BASE_LOG_H

#include <stddef.h>

typedef enum eva_log_level {
  EVA_LOG_ERROR,
  EVA_LOG_WARNING, /* shown by default, with errors */
  EVA_LOG_INFO,
  EVA_LOG_DEBUG
} eva_log_level;

void eva_log_set_level(eva_log_level level);   /* shows this level and the ones above it in the list */
int eva_log_shows(eva_log_level level);        /* 1 when a message of this level would be written */
/* The level called "error", "warning", "info" or "debug" into *level: 1, or 0 for another name. */
int eva_log_level_named(const char *name, eva_log_level *level);

/* Writes `text` to stderr as it may be shown: control characters but tab and newline, and characters that turn the
 * direction of text, become '?'; a line that CI systems would read as a command is moved by a space. */
void eva_log_text(const char *text, size_t len);

/* Writes "evalua: warning: <message>\n" in one write, so that lines of several processes do not mix. Control characters
 * other than tab and newline become '?', because messages may quote what others sent. Keeps errno. */
void eva_log(eva_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
