/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef EVA_DATA_UTF8_H
#define EVA_DATA_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { EVA_UTF8_REPLACEMENT = 0xFFFD, EVA_UTF8_MAX_BYTES = 4 };

/* Decodes one character at data[0 .. len), len >= 1. Returns its code point and its length in *size; for bytes that
 * are not UTF-8 it returns -1 and in *size the bytes that one U+FFFD stands for (the maximal subpart, as WHATWG and
 * Unicode recommend). */
int32_t eva_utf8_decode(const char *data, size_t len, size_t *size);

/* Writes a code point (a valid one, not a surrogate) to out[EVA_UTF8_MAX_BYTES]; returns the number of bytes. */
size_t eva_utf8_encode(uint32_t code_point, char *out);

int eva_utf8_valid(const char *data, size_t len);

/* The length of the valid prefix: len when all is valid. */
size_t eva_utf8_valid_prefix(const char *data, size_t len);

/* Appends the text to `out` with U+FFFD for what is not UTF-8. Returns 1 when something was replaced, else 0. */
int eva_utf8_repair(const char *data, size_t len, eva_buf *out);

/* How many of at most `max` leading bytes end at a character: for messages that quote long text. */
size_t eva_utf8_cut(const char *data, size_t len, size_t max);

/* Characters in the text; every maximal subpart that is not UTF-8 counts as one. */
size_t eva_utf8_count(const char *data, size_t len);

#endif
