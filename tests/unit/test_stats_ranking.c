/* Average precision and the expected score of a judge: published values, and what has no value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "stats/ranking.h"

static void average_precision(void **state) {
  (void)state;
  const unsigned char some[] = {1, 0, 1, 1, 0}, none[] = {0, 0}, last[] = {0, 0, 0, 1};
  assert_true(fabs(eva_average_precision(some, 5) - 0.8055555556) < 5e-11);
  assert_true(eva_average_precision(some, 1) == 1);
  assert_true(eva_average_precision(last, 4) == 0.25);
  assert_true(isnan(eva_average_precision(none, 2)));
  assert_true(isnan(eva_average_precision(none, 0)));
}

static void expected_score(void **state) {
  (void)state;
  const double values[] = {8, 7, 9, 10, 6}, chances[] = {0.6, 0.25, 0.1, 0.03, 0.005}, wrong[] = {0.5, NAN, 0, 0, 2};
  double score = eva_expected_score(values, chances, 5, 0.01);
  assert_true(fabs(score - 7.908163265) < 5e-10);
  assert_true(fabs(score / 10 - 0.7908163265) < 5e-11);
  assert_true(eva_expected_score(values, chances, 5, 0.5) == 8);
  assert_true(isnan(eva_expected_score(values, chances, 5, 0.9)));
  assert_true(isnan(eva_expected_score(values, wrong, 5, 0)));
  assert_true(isnan(eva_expected_score(values, chances, 0, 0)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(average_precision),
      cmocka_unit_test(expected_score),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
