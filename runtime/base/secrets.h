/* Values that must never be stored or shown: keys from the environment. Whatever leaves the process for the store, a log
 * or a report goes through eva_secrets_redact, which puts `[NAME]` in the place of the value and of its usual encodings
 * (base64, percent-encoding, JSON escapes).
 *
 * One set for the process; forked workers inherit it. Not thread-safe; there is one thread. */
#ifndef EVA_BASE_SECRETS_H
#define EVA_BASE_SECRETS_H

#include <stddef.h>

#include "base/buf.h"

enum {
  EVA_SECRET_SHORTEST_BYTES = 4, /* of a value that is named; shorter ones would blank out ordinary text */
  EVA_SECRET_FOUND_BYTES = 8     /* of a value that only looks like a key */
};

/* Adds a value under the name that will stand for it. Too short a value, and a word that the program itself uses (a
 * status), are left alone. The first name of a value counts. */
void eva_secrets_add(const char *name, eva_text value);
/* Adds the value of an environment variable if its name or the value itself looks like a key; the password of a URL. */
void eva_secrets_consider(const char *name, const char *value);
/* Considers every variable of an environment. */
void eva_secrets_scan(char *const *environment);
/* Whether the name of a variable looks like that of a key: API_KEY, GITHUB_TOKEN. */
int eva_secrets_is_name(const char *name);
size_t eva_secrets_count(void);
/* The value that `name` stands for; EVA_TEXT_NONE when there is none. */
eva_text eva_secrets_value(const char *name);

/* 1, with the text without secrets appended to `out`, when there were some; 0, and `out` untouched, when not. */
int eva_secrets_redact(eva_text text, eva_buf *out);

#endif
