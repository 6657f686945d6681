/* Base64; see base64.h. */
#include "data/base64.h"

#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void eva_base64_encode(eva_buf *out, eva_text bytes) {
  const unsigned char *at = (const unsigned char *)bytes.data;
  size_t left = bytes.len;
  eva_buf_reserve(out, (left + 2) / 3 * 4);
  for (; left > 0; at += 3) {
    size_t count = left < 3 ? left : 3;
    unsigned group = (unsigned)at[0] << 16 | (count > 1 ? (unsigned)at[1] << 8 : 0) | (count > 2 ? at[2] : 0);
    char digits[4] = {ALPHABET[group >> 18], ALPHABET[group >> 12 & 63], count > 1 ? ALPHABET[group >> 6 & 63] : '=',
                      count > 2 ? ALPHABET[group & 63] : '='};
    eva_buf_add(out, digits, sizeof digits);
    left -= count;
  }
}

/* The six bits of a digit, or -1. */
static int value_of(char digit) {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
  if (digit >= '0' && digit <= '9') return digit - '0' + 52;
  return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

int eva_base64_decode(eva_buf *out, eva_text text) {
  size_t begin = out->len, digits = text.len;
  if (text.len % 4 != 0) return 0;
  while (digits > 0 && text.len - digits < 2 && text.data[digits - 1] == '=') digits--;
  eva_buf_reserve(out, text.len / 4 * 3);
  unsigned group = 0;
  for (size_t index = 0; index < digits; index++) {
    int value = value_of(text.data[index]);
    if (value < 0) {
      out->len = begin;
      return 0;
    }
    group = (group << 6 | (unsigned)value) & 0xffffff;
    /* The second, third and fourth digit of a group complete a byte each. */
    if (index % 4 == 1) eva_buf_add_char(out, (char)(group >> 4));
    if (index % 4 == 2) eva_buf_add_char(out, (char)(group >> 2));
    if (index % 4 == 3) eva_buf_add_char(out, (char)group);
  }
  return 1;
}
