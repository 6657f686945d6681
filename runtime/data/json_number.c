/* Doubles to the shortest text that reads back the same, and back. Nothing here depends on the locale. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

enum { EXACT_POWER_MAX = 22, EXACT_DIGITS_MAX = 15, FAST_DECIMALS_MAX = 9 };

static const double EXACT_INTEGER_MAX = 9007199254740992.0; /* 2^53: every integer up to here is a double */

static const double powers_of_ten[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The mantissa and the power of ten are both exact, so one operation rounds once, which is correct rounding (Clinger).
 * 0 when that does not hold. */
static int parse_exact(const char *text, size_t len, double *out) {
  size_t i = text[0] == '-';
  int64_t mantissa = 0;
  int digits = 0, exponent = 0, in_fraction = 0;
  for (; i < len; i++) {
    char c = text[i];
    if (c == '.') {
      in_fraction = 1;
    } else if (c == 'e' || c == 'E') {
      break;
    } else {
      if (mantissa > 0 || c != '0') digits++;
      if (digits > EXACT_DIGITS_MAX) return 0;
      mantissa = mantissa * 10 + (c - '0');
      exponent -= in_fraction;
    }
  }
  if (i < len) {
    int sign = text[i + 1] == '-' ? -1 : 1, value = 0;
    for (i += text[i + 1] == '-' || text[i + 1] == '+' ? 2 : 1; i < len; i++) {
      value = value * 10 + (text[i] - '0');
      if (value > 1000) return 0;
    }
    exponent += sign * value;
  }
  if (mantissa > 0 && (exponent < -EXACT_POWER_MAX || exponent > EXACT_POWER_MAX)) return 0;
  double value = (double)mantissa;
  if (mantissa > 0) value = exponent < 0 ? value / powers_of_ten[-exponent] : value * powers_of_ten[exponent];
  *out = text[0] == '-' ? -value : value;
  return 1;
}

double eva_json_parse_double(const char *text, size_t len) {
  double value;
  if (parse_exact(text, len, &value)) return value;
  char small[128];
  if (len < sizeof small) {
    memcpy(small, text, len);
    small[len] = '\0';
    return strtod(small, NULL);
  }
  eva_buf copy = {0}; /* strtod wants a NUL; such numbers are rare */
  eva_buf_add(&copy, text, len);
  value = strtod(copy.data, NULL);
  eva_buf_free(&copy);
  return value;
}

static size_t format_integer(int64_t value, char *out) {
  char digits[24];
  int count = 0;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[count++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  size_t len = 0;
  if (value < 0) out[len++] = '-';
  while (count > 0) out[len++] = digits[--count];
  out[len] = '\0';
  return len;
}

/* Decimals such as 0.25 or 12.5: m / 10^k with m of at most 15 digits is the only such decimal that reads as `value`,
 * and the smallest k gives it without trailing zeros. 0 when there is none with few decimals. */
static size_t format_short_decimal(double value, char *out) {
  double magnitude = fabs(value);
  if (magnitude < 1e-3 || magnitude >= 1e9) return 0;
  for (int k = 1; k <= FAST_DECIMALS_MAX; k++) {
    double scaled = nearbyint(magnitude * powers_of_ten[k]);
    if (scaled >= 1e15) return 0;
    if (scaled / powers_of_ten[k] != magnitude) continue;
    int64_t whole = (int64_t)scaled / (int64_t)powers_of_ten[k];
    int64_t fraction = (int64_t)scaled % (int64_t)powers_of_ten[k];
    size_t len = 0;
    if (value < 0) out[len++] = '-';
    len += format_integer(whole, out + len);
    out[len++] = '.';
    for (int i = k - 1; i >= 0; i--) {
      out[len + (size_t)i] = (char)('0' + fraction % 10);
      fraction /= 10;
    }
    len += (size_t)k;
    out[len] = '\0';
    return len;
  }
  return 0;
}

/* printf's exponent "e+300" or "e-07" becomes "e300" or "e-7"; a text that looks like an integer gets ".0". */
static size_t tidy(char *out) {
  char *exponent = strchr(out, 'e');
  if (exponent == NULL) {
    if (strchr(out, '.') == NULL) memcpy(out + strlen(out), ".0", 3);
    return strlen(out);
  }
  char *to = exponent + 1, *from = to;
  if (*from == '-') to++;
  from++;
  while (*from == '0') from++;
  memmove(to, from, strlen(from) + 1);
  return strlen(out);
}

size_t eva_json_format_double(double value, eva_json_form form, char *out) {
  if (value == nearbyint(value)) {
    if (form == EVA_JSON_IDENTITY && fabs(value) <= EXACT_INTEGER_MAX) return format_integer((int64_t)value, out);
    if (fabs(value) < 1e15) {
      size_t len = value == 0 && signbit(value) ? 1 : 0;
      if (len > 0) out[0] = '-';
      len += format_integer((int64_t)value, out + len);
      memcpy(out + len, ".0", 3);
      return len + 2;
    }
  }
  size_t len = format_short_decimal(value, out);
  if (len > 0) return len;
  /* 15 digits always survive a double, 17 always tell doubles apart. Subnormals have fewer: 5e-324 is all there is. */
  for (int digits = fabs(value) < 2.2250738585072014e-308 ? 1 : EXACT_DIGITS_MAX; digits <= 17; digits++) {
    snprintf(out, EVA_JSON_NUMBER_SIZE, "%.*g", digits, value);
    if (strtod(out, NULL) == value) break;
  }
  return tidy(out);
}

void eva_json_write_double(eva_buf *out, double value, eva_json_form form) {
  eva_buf_reserve(out, EVA_JSON_NUMBER_SIZE);
  out->len += eva_json_format_double(value, form, out->data + out->len);
}

void eva_json_write_integer(eva_buf *out, int64_t value) {
  eva_buf_reserve(out, EVA_JSON_NUMBER_SIZE);
  out->len += format_integer(value, out->data + out->len);
}
