/* Numbers that are equal but for rounding: what the tests of statistics compare with. */
#ifndef EVA_TEST_NEAR_H
#define EVA_TEST_NEAR_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/summary.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Equal but for a share of `expected`, or both about zero. */
static inline void near_by(double actual, double expected, double relative, const char *file, int line) {
  double scale = fabs(expected) > 1e-300 ? fabs(expected) : 1;
  if (!(fabs(actual - expected) <= relative * scale)) {
    print_error("%s:%d: got %.17g, expected %.17g\n", file, line, actual, expected);
    _fail(file, line);
  }
}

#define NEAR(actual, expected) near_by(actual, expected, 6e-10, __FILE__, __LINE__)
#define CLOSE(actual, expected, relative) near_by(actual, expected, relative, __FILE__, __LINE__)

static inline void interval_near(eva_interval actual, double low, double high, const char *file, int line) {
  near_by(actual.low, low, 6e-10, file, line);
  near_by(actual.high, high, 6e-10, file, line);
}

#define assert_interval(actual, low, high) interval_near(actual, low, high, __FILE__, __LINE__)

#endif
