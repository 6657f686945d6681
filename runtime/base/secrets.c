/* The set of secrets, and the search for all of them at once; see secrets.h. */
#include "base/secrets.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
  PREFIX = EVA_SECRET_SHORTEST_BYTES, /* bytes that are looked up before patterns are compared */
  SEEN_BITS = 16,
  ENCODED_BYTES = 8,  /* shorter pieces of base64 could be anything */
  ENCODE_FROM = 6,    /* bytes of a value whose encodings are looked for */
  JSON_DEPTH = 4,     /* JSON in a string of JSON in ... */
  NAME_BYTES_MAX = 128
};

typedef struct pattern {
  char *bytes; /* a value, or what an encoding makes of it */
  size_t len;
  size_t name; /* index */
  int is_number;
} pattern;

static pattern *patterns; /* longest first */
static size_t pattern_count, pattern_cap;
static char **names, **values; /* [name_count] */
static size_t *value_lens;
static size_t name_count;
static unsigned char seen[(1 << SEEN_BITS) / 8]; /* by the hash of a pattern's first bytes */

/* ==== Patterns ==== */

static uint32_t hash_of(const char *bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof word);
  return word * 2654435761u >> (32 - SEEN_BITS);
}

/* Text that in JSON may stand without quotes: a replacement must then bring its own. */
static int is_number(const char *bytes, size_t len) {
  for (size_t at = 0; at < len; at++) {
    if (!strchr("0123456789+-.eE", bytes[at])) return 0;
  }
  return 1;
}

static void add_pattern(const char *bytes, size_t len, size_t name) {
  if (len < PREFIX) return;
  for (size_t index = 0; index < pattern_count; index++) {
    if (patterns[index].len == len && memcmp(patterns[index].bytes, bytes, len) == 0) return;
  }
  if (pattern_count == pattern_cap) {
    pattern_cap = pattern_cap ? pattern_cap * 2 : 32;
    patterns = eva_realloc(patterns, pattern_cap * sizeof *patterns);
  }
  size_t place = pattern_count++;
  for (; place > 0 && patterns[place - 1].len < len; place--) patterns[place] = patterns[place - 1];
  pattern made = {eva_alloc(len), len, name, is_number(bytes, len)};
  memcpy(made.bytes, bytes, len);
  patterns[place] = made;
  uint32_t hash = hash_of(bytes);
  seen[hash / 8] |= (unsigned char)(1u << (hash % 8));
}

/* ==== Encodings ==== */

/* What base64 makes of the value wherever it stands: of its three alignments those digits that hold nothing else. */
static void add_base64(eva_text value, size_t name, const char *alphabet) {
  for (size_t offset = 0; offset < 3; offset++) {
    size_t first = (offset * 8 + 5) / 6, end = (offset + value.len) * 8 / 6;
    if (end < first + ENCODED_BYTES) continue;
    char *digits = eva_alloc(end - first);
    for (size_t digit = first; digit < end; digit++) {
      unsigned bits = 0;
      for (size_t bit = digit * 6; bit < digit * 6 + 6; bit++) {
        unsigned byte = bit / 8 < offset ? 0 : (unsigned char)value.data[bit / 8 - offset];
        bits = bits << 1 | (byte >> (7 - bit % 8) & 1);
      }
      digits[digit - first] = alphabet[bits];
    }
    add_pattern(digits, end - first, name);
    free(digits);
  }
}

static void add_percent(eva_text value, size_t name, const char *format, int space_is_plus) {
  eva_buf text = {0};
  for (size_t at = 0; at < value.len; at++) {
    unsigned char c = (unsigned char)value.data[at];
    if (isalnum(c) || strchr("-._~", c)) eva_buf_add_char(&text, (char)c);
    else if (c == ' ' && space_is_plus) eva_buf_add_char(&text, '+');
    else if (*format == 'X') eva_buf_printf(&text, "%%%02X", c);
    else eva_buf_printf(&text, "%%%02x", c);
  }
  add_pattern(text.data, text.len, name);
  eva_buf_free(&text);
}

/* As JSON writes it, `depth` times over, with and without the escape of `/`. */
static void add_json(eva_text value, size_t name, int depth, int escape_slash) {
  eva_buf text = {0};
  for (size_t at = 0; at < value.len; at++) {
    unsigned char c = (unsigned char)value.data[at];
    const char *found = c ? strchr("\"\"\\\\\nn\tt\rr\bb\ff", c) : NULL;
    if (found && (c == '"' || c == '\\')) eva_buf_printf(&text, "\\%c", c);
    else if (found && c < ' ') eva_buf_printf(&text, "\\%c", found[1]);
    else if (c < ' ') eva_buf_printf(&text, "\\u%04x", c);
    else if (c == '/' && escape_slash) eva_buf_add_string(&text, "\\/");
    else eva_buf_add_char(&text, (char)c);
  }
  add_pattern(text.data, text.len, name);
  if (depth > 1) add_json(eva_buf_text(&text), name, depth - 1, 0);
  eva_buf_free(&text);
}

static void add_encodings(eva_text value, size_t name) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  add_base64(value, name, digits);
  add_base64(value, name, url_digits);
  add_percent(value, name, "X", 0);
  add_percent(value, name, "x", 0);
  add_percent(value, name, "X", 1);
  add_json(value, name, JSON_DEPTH, 0);
  add_json(value, name, JSON_DEPTH, 1);
}

/* ==== The set ==== */

/* Words of the store's own: replacing them would break it, and nobody's key is one of them. */
static int is_own_word(eva_text value) {
  static const char *const words[] = {"error",     "timeout",  "limited", "skipped", "completed", "failed",
                                      "cancelled", "interrupted", "running", "pending", "pass", "fail",
                                      "inconclusive", "none",  "function", "agent",   "workflow",  "scorer",
                                      "processor", "http",     "command", "unscored", "true",     "false",
                                      "null",      "latest",   NULL};
  for (const char *const *word = words; *word; word++) {
    if (strlen(*word) == value.len && memcmp(*word, value.data, value.len) == 0) return 1;
  }
  return 0;
}

/* The name as it can stand inside any JSON text. */
static char *clean_name(const char *name) {
  char text[NAME_BYTES_MAX];
  snprintf(text, sizeof text, "%s", name);
  for (char *c = text; *c; c++) {
    if (!isalnum((unsigned char)*c) && !strchr("_-. ", *c)) *c = '_';
  }
  return eva_strdup(text);
}

void eva_secrets_add(const char *name, eva_text value) {
  if (!value.data || value.len < EVA_SECRET_SHORTEST_BYTES || is_own_word(value)) return;
  for (size_t index = 0; index < name_count; index++) {
    if (value_lens[index] == value.len && memcmp(values[index], value.data, value.len) == 0) return;
  }
  size_t index = name_count++;
  names = eva_realloc(names, name_count * sizeof *names);
  values = eva_realloc(values, name_count * sizeof *values);
  value_lens = eva_realloc(value_lens, name_count * sizeof *value_lens);
  names[index] = clean_name(name);
  values[index] = eva_alloc(value.len + 1);
  memcpy(values[index], value.data, value.len);
  values[index][value.len] = 0;
  value_lens[index] = value.len;
  add_pattern(value.data, value.len, index);
  if (value.len >= ENCODE_FROM) add_encodings(value, index);
}

size_t eva_secrets_count(void) { return name_count; }

eva_text eva_secrets_value(const char *name) {
  for (size_t index = 0; index < name_count; index++) {
    if (strcmp(names[index], name) == 0) return (eva_text){values[index], value_lens[index]};
  }
  return EVA_TEXT_NONE;
}

/* ==== What looks like a key ==== */

static int ends_with(const char *text, size_t len, const char *end) {
  size_t end_len = strlen(end);
  return len >= end_len && strncasecmp(text + len - end_len, end, end_len) == 0;
}

int eva_secrets_is_name(const char *name) {
  static const char *const words[] = {"KEY", "KEYS", "TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASS",
                                      "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "PAT", "AUTH", "AUTHORIZATION",
                                      "BEARER", "COOKIE", "PWD", NULL};
  static const char *const ends[] = {"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", NULL};
  for (const char *at = name; *at;) {
    size_t whole = strcspn(at, "_-. "), len = whole;
    while (len > 0 && isdigit((unsigned char)at[len - 1])) len--; /* API_KEY2 */
    for (const char *const *word = words; *word; word++) {
      if (strlen(*word) == len && strncasecmp(at, *word, len) == 0) return 1;
    }
    for (const char *const *end = ends; *end; end++) {
      if (ends_with(at, len, *end)) return 1;
    }
    at += whole + (at[whole] != 0);
  }
  return 0;
}

static int is_key_itself(const char *value, size_t len) {
  static const char *const begins[] = {"sk-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA",
                                       "AIza", "hf_", "eyJ", "-----BEGIN", NULL};
  if (len < 2 * EVA_SECRET_FOUND_BYTES) return 0;
  for (const char *const *begin = begins; *begin; begin++) {
    if (strncmp(value, *begin, strlen(*begin)) == 0) return 1;
  }
  return 0;
}

/* postgres://user:password@host: the password. */
static int add_password(const char *name, const char *value) {
  const char *host = strstr(value, "://");
  if (!host) return 0;
  host += 3;
  size_t len = strcspn(host, "/?#");
  const char *at = memchr(host, '@', len), *colon = memchr(host, ':', len);
  if (at && colon && colon < at) eva_secrets_add(name, (eva_text){colon + 1, (size_t)(at - colon - 1)});
  return 1;
}

void eva_secrets_consider(const char *name, const char *value) {
  size_t len = strlen(value);
  if (add_password(name, value) || len < EVA_SECRET_FOUND_BYTES) return;
  if (strcmp(name, "PWD") == 0 || strcmp(name, "OLDPWD") == 0) return;
  if (!is_key_itself(value, len)) {
    if (!eva_secrets_is_name(name)) return;
    if (strspn(value, "0123456789") == len && len < 12) return; /* KEY_REPEAT_MS=12345678 */
    if (strchr(value, '/') && access(value, F_OK) == 0) return; /* SSH_AUTH_SOCK, a key's file */
  }
  eva_secrets_add(name, (eva_text){value, len});
}

void eva_secrets_scan(char *const *environment) {
  for (char *const *entry = environment; entry && *entry; entry++) {
    char name[NAME_BYTES_MAX];
    size_t len = strcspn(*entry, "=");
    if ((*entry)[len] != '=' || len == 0 || len >= sizeof name) continue;
    memcpy(name, *entry, len);
    name[len] = 0;
    eva_secrets_consider(name, *entry + len + 1);
  }
}

/* ==== Replacing ==== */

static const pattern *pattern_at(const char *at, size_t left) {
  uint32_t hash = hash_of(at);
  if (!(seen[hash / 8] >> (hash % 8) & 1)) return NULL;
  for (size_t index = 0; index < pattern_count; index++) {
    const pattern *candidate = &patterns[index];
    if (candidate->len <= left && memcmp(candidate->bytes, at, candidate->len) == 0) return candidate;
  }
  return NULL;
}

/* Whether a number stands bare where JSON has a value: between what may be around one. */
static int is_bare(eva_text text, size_t at, size_t len) {
  size_t before = at, after = at + len;
  while (before > 0 && strchr(" \t\r\n", text.data[before - 1])) before--;
  while (after < text.len && strchr(" \t\r\n", text.data[after])) after++;
  if (before > 0 && !strchr(":,[", text.data[before - 1])) return 0;
  return after == text.len || strchr(",]}", text.data[after]) != NULL;
}

int eva_secrets_redact(eva_text text, eva_buf *out) {
  size_t copied = 0;
  int found = 0;
  if (pattern_count == 0 || text.len < PREFIX) return 0;
  for (size_t at = 0; at + PREFIX <= text.len;) {
    const pattern *hit = pattern_at(text.data + at, text.len - at);
    if (!hit) {
      at++;
      continue;
    }
    const char *quote = hit->is_number && is_bare(text, at, hit->len) ? "\"" : "";
    eva_buf_add(out, text.data + copied, at - copied);
    eva_buf_printf(out, "%s[%s]%s", quote, names[hit->name], quote);
    at += hit->len;
    copied = at;
    found = 1;
  }
  if (found) eva_buf_add(out, text.data + copied, text.len - copied);
  return found;
}
