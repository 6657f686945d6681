/* Strict UTF-8: decoding, encoding, checking, repairing, counting. */
#include "data/utf8.h"

#include <string.h>

/* Sequence length by lead byte, and the range its second byte must be in (RFC 3629 section 4). */
static size_t lead_info(unsigned char lead, unsigned char *low, unsigned char *high) {
  *low = 0x80;
  *high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) {
    if (lead == 0xE0) *low = 0xA0;
    if (lead == 0xED) *high = 0x9F;
    return 3;
  }
  if (lead < 0xF5) {
    if (lead == 0xF0) *low = 0x90;
    if (lead == 0xF4) *high = 0x8F;
    return 4;
  }
  return 0;
}

int32_t eva_utf8_decode(const char *data, size_t len, size_t *size) {
  const unsigned char *bytes = (const unsigned char *)data;
  unsigned char low, high;
  size_t wanted = lead_info(bytes[0], &low, &high);
  *size = 1;
  if (wanted == 1) return bytes[0];
  if (wanted == 0) return -1;
  int32_t code_point = bytes[0] & (0xFF >> (wanted + 1));
  for (size_t i = 1; i < wanted; i++) {
    if (i >= len || bytes[i] < low || bytes[i] > high) return -1;
    code_point = code_point << 6 | (bytes[i] & 0x3F);
    *size = i + 1;
    low = 0x80;
    high = 0xBF;
  }
  return code_point;
}

size_t eva_utf8_encode(uint32_t code_point, char *out) {
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  if (code_point < 0x800) {
    out[0] = (char)(0xC0 | code_point >> 6);
    out[1] = (char)(0x80 | (code_point & 0x3F));
    return 2;
  }
  if (code_point < 0x10000) {
    out[0] = (char)(0xE0 | code_point >> 12);
    out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code_point & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | code_point >> 18);
  out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
  out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
  out[3] = (char)(0x80 | (code_point & 0x3F));
  return 4;
}

/* Bytes before the first that is not ASCII, eight at a time. */
static size_t ascii_prefix(const char *data, size_t len) {
  size_t i = 0;
  while (len - i >= 8) {
    uint64_t word;
    memcpy(&word, data + i, sizeof word);
    if (word & UINT64_C(0x8080808080808080)) break;
    i += 8;
  }
  while (i < len && (unsigned char)data[i] < 0x80) i++;
  return i;
}

size_t eva_utf8_valid_prefix(const char *data, size_t len) {
  size_t at = 0;
  while (at < len) {
    at += ascii_prefix(data + at, len - at);
    size_t size;
    if (at < len) {
      if (eva_utf8_decode(data + at, len - at, &size) < 0) return at;
      at += size;
    }
  }
  return len;
}

int eva_utf8_valid(const char *data, size_t len) {
  return eva_utf8_valid_prefix(data, len) == len;
}

int eva_utf8_repair(const char *data, size_t len, eva_buf *out) {
  int repaired = 0;
  eva_buf_reserve(out, len);
  for (size_t at = 0; at < len;) {
    size_t valid = eva_utf8_valid_prefix(data + at, len - at);
    eva_buf_add(out, data + at, valid);
    at += valid;
    if (at < len) {
      size_t size;
      (void)eva_utf8_decode(data + at, len - at, &size);
      eva_buf_add(out, "\xEF\xBF\xBD", 3);
      at += size;
      repaired = 1;
    }
  }
  return repaired;
}

size_t eva_utf8_cut(const char *data, size_t len, size_t max) {
  if (len <= max) return len;
  while (max > 0 && ((unsigned char)data[max] & 0xC0) == 0x80) max--;
  return max;
}

size_t eva_utf8_count(const char *data, size_t len) {
  size_t count = 0;
  for (size_t at = 0; at < len; count++) {
    size_t size;
    (void)eva_utf8_decode(data + at, len - at, &size);
    at += size;
  }
  return count;
}
