/* Trials of an item reduced to one value, against published vectors and closed forms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/reduce.h"

static void near_to(double actual, double expected) {
  if (!(fabs(actual - expected) <= 6e-10 * (expected != 0 ? fabs(expected) : 1))) {
    fail_msg("got %.17g, expected %.17g", actual, expected);
  }
}

/* n trials of which c passed; NAN where there is no value. */
static double of_passes(eva_reducer reducer, int k, int n, int c) {
  eva_fold fold = {.reduction = {.trials = n, .reducer = reducer, .k = k}};
  double value = NAN;
  for (int trial = 0; trial < n; trial++) eva_fold_trial(&fold, 0, trial < c);
  if (!eva_fold_value(&fold, &value)) value = NAN;
  eva_fold_free(&fold);
  return value;
}

static double of_scores(eva_reducer reducer, const double *scores, size_t count) {
  eva_fold fold = {.reduction = {.trials = (int)count, .reducer = reducer, .k = 1}};
  double value = NAN;
  for (size_t trial = 0; trial < count; trial++) {
    eva_fold_trial(&fold, 0, -1);
    eva_fold_score(&fold, scores[trial]);
  }
  if (!eva_fold_value(&fold, &value)) value = NAN;
  eva_fold_free(&fold);
  return value;
}

static void published_vectors(void **state) {
  (void)state;
  static const struct {
    int n, c, k;
    double at, all;
  } vectors[] = {
      {5, 2, 1, .4, .4},
      {5, 2, 2, .7, .1},
      {5, 2, 4, 1, 0},
      {10, 3, 5, .9166666667, 0},
      {200, 37, 10, .8773745674, 1.55151249e-08},
  };
  for (size_t index = 0; index < sizeof vectors / sizeof *vectors; index++) {
    near_to(of_passes(EVA_REDUCE_PASS_AT, vectors[index].k, vectors[index].n, vectors[index].c), vectors[index].at);
    double all = of_passes(EVA_REDUCE_PASS_K, vectors[index].k, vectors[index].n, vectors[index].c);
    assert_true(fabs(all - vectors[index].all) <= 6e-9 * (vectors[index].all > 0 ? vectors[index].all : 1));
  }
}

/* Whose sum is beyond all doubles: their mean and median are not. */
static void huge_scores(void **state) {
  (void)state;
  static const double huge[] = {1.7e308, 1.6e308, 1.5e308, 1.6e308};
  near_to(of_scores(EVA_REDUCE_MEAN, huge, 4), 1.6e308);
  near_to(of_scores(EVA_REDUCE_MEDIAN, huge, 4), 1.6e308);
}

static void fewer_trials_than_k(void **state) {
  (void)state;
  assert_true(isnan(of_passes(EVA_REDUCE_PASS_AT, 3, 2, 2)));
  assert_true(isnan(of_passes(EVA_REDUCE_PASS_K, 3, 2, 2)));
  assert_true(isnan(of_passes(EVA_REDUCE_AT_LEAST, 3, 2, 2)));
  assert_true(isnan(of_passes(EVA_REDUCE_AT_LEAST, 1, 0, 0)));
}

static void at_least(void **state) {
  (void)state;
  near_to(of_passes(EVA_REDUCE_AT_LEAST, 2, 5, 2), 1);
  near_to(of_passes(EVA_REDUCE_AT_LEAST, 3, 5, 2), 0);
}

static void of_values(void **state) {
  (void)state;
  static const double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, ties[] = {2, 1, 1, 2}, most[] = {.5, 1, .5};
  near_to(of_scores(EVA_REDUCE_MEAN, odd, 3), 2);
  near_to(of_scores(EVA_REDUCE_MEDIAN, odd, 3), 2);
  near_to(of_scores(EVA_REDUCE_MEDIAN, even, 4), 2.5);
  near_to(of_scores(EVA_REDUCE_MODE, ties, 4), 2);
  near_to(of_scores(EVA_REDUCE_MODE, most, 3), .5);
  near_to(of_scores(EVA_REDUCE_MAX, even, 4), 4);
  assert_true(isnan(of_scores(EVA_REDUCE_MEAN, odd, 0)));
}

static void failed_trials(void **state) {
  (void)state;
  eva_fold fold = {.reduction = {.trials = 3, .reducer = EVA_REDUCE_MEAN}};
  double value = 0;
  eva_fold_trial(&fold, 0, 1);
  eva_fold_score(&fold, 1);
  eva_fold_trial(&fold, 1, -1);
  eva_fold_trial(&fold, 0, 1);
  eva_fold_score(&fold, .5);
  assert_true(eva_fold_value(&fold, &value)); /* missing: the mean of two */
  near_to(value, .75);
  assert_int_equal(eva_fold_passed(&fold), 1);
  assert_int_equal(fold.failed, 1);
  eva_fold_clear(&fold);
  fold.reduction = (eva_reduction){.trials = 3, .reducer = EVA_REDUCE_PASS_K, .k = 2};
  eva_fold_trial(&fold, 0, 1);
  eva_fold_trial(&fold, 1, -1);
  eva_fold_trial(&fold, 0, 1);
  assert_true(eva_fold_value(&fold, &value)); /* not passed: 2 of 3 */
  near_to(value, 1.0 / 3);
  assert_int_equal(eva_fold_passed(&fold), 0);
  eva_fold_free(&fold);
}

static void names(void **state) {
  (void)state;
  eva_reducer reducer;
  assert_true(eva_reducer_find("pass_at", &reducer));
  assert_int_equal(reducer, EVA_REDUCE_PASS_AT);
  assert_false(eva_reducer_find("pass", &reducer));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_vectors), cmocka_unit_test(fewer_trials_than_k), cmocka_unit_test(huge_scores),
      cmocka_unit_test(at_least),          cmocka_unit_test(of_values),           cmocka_unit_test(failed_trials),
      cmocka_unit_test(names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
