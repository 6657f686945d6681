/* Reading the clocks, and writing RFC 3339 times without the C library's time zones. */
#include "base/clock.h"

#include <time.h>

enum { MS_PER_SECOND = 1000, SECONDS_PER_DAY = 86400 };

static const int64_t TIME_MIN_MS = INT64_C(-62167219200000); /* 0000-01-01T00:00:00.000Z */
static const int64_t TIME_MAX_MS = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */

uint64_t eva_clock_monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int64_t eva_clock_wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

static char *put_digits(char *out, int64_t value, int count) {
  for (int i = count - 1; i >= 0; i--) {
    out[i] = (char)('0' + value % 10);
    value /= 10;
  }
  return out + count;
}

/* Proleptic Gregorian date of a day number (0 is 1970-01-01), counted in eras of 400 years that start on 1 March. */
static void date_of_day(int64_t day, int64_t *year, int64_t *month, int64_t *day_of_month) {
  day += 719468; /* days from 0000-03-01 */
  int64_t era = (day >= 0 ? day : day - 146096) / 146097;
  int64_t day_of_era = day - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * day_of_year + 2) / 153;
  *day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  *year = year_of_era + era * 400 + (*month <= 2);
}

char *eva_clock_format(int64_t wall_ms, char *out) {
  if (wall_ms < TIME_MIN_MS) wall_ms = TIME_MIN_MS;
  if (wall_ms > TIME_MAX_MS) wall_ms = TIME_MAX_MS;
  int64_t day_ms = (int64_t)SECONDS_PER_DAY * MS_PER_SECOND;
  int64_t day = wall_ms / day_ms, rest = wall_ms % day_ms;
  if (rest < 0) {
    rest += day_ms;
    day--;
  }
  int64_t year, month, day_of_month;
  date_of_day(day, &year, &month, &day_of_month);
  int64_t second = rest / MS_PER_SECOND;
  char *at = put_digits(out, year, 4);
  *at++ = '-';
  at = put_digits(at, month, 2);
  *at++ = '-';
  at = put_digits(at, day_of_month, 2);
  *at++ = 'T';
  at = put_digits(at, second / 3600, 2);
  *at++ = ':';
  at = put_digits(at, second / 60 % 60, 2);
  *at++ = ':';
  at = put_digits(at, second % 60, 2);
  *at++ = '.';
  at = put_digits(at, rest % MS_PER_SECOND, 3);
  *at++ = 'Z';
  *at = '\0';
  return out;
}
