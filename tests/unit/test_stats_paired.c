/* Paired tests, verdicts and adjusted p-values against published vectors and brute force. */
#include "near.h"

#include <stdlib.h>
#include <string.h>

#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"
#include "stats/summary.h"

static const double B[] = {.2, .9, .75, .5, 1, 0, .6, .85};
static const double D[] = {.12, -.05, .20, .03, 0, .15, -.02, .08};

static void paired_vector(void **state) {
  (void)state;
  const double a[] = {1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1};
  const double b[] = {1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1};
  eva_paired_options options = eva_paired_defaults();
  eva_paired result = eva_compare_paired(b, a, 12, NULL, &options);
  NEAR(result.candidate_mean, .75);
  NEAR(result.baseline_mean, .5);
  NEAR(result.delta, .25);
  NEAR(eva_standard_error(a, 12), .130558242);
  NEAR(eva_standard_error(b, 12), .1507556723);
  double unpaired = hypot(eva_standard_error(a, 12), eva_standard_error(b, 12));
  NEAR(unpaired, .1994310088);
  NEAR(.25 / unpaired, 1.253566341);
  NEAR(2 * (1 - eva_normal_cdf(.25 / unpaired)), .2099996718);
  NEAR(result.standard_error, .130558242);
  NEAR(result.delta / result.standard_error, 1.914854216);
  NEAR(eva_t_two_sided(result.delta / result.standard_error, 11), .08186423117);
  assert_interval(result.ci, -.0373567531, .5373567531);
  assert_int_equal(result.improved, 3);
  assert_int_equal(result.regressed, 0);
  assert_int_equal(result.same, 9);
  assert_int_equal(result.test, EVA_TEST_MCNEMAR);
  assert_true(result.p_value == .25);
  NEAR(result.effect_size, .25 / sqrt(eva_variance((double[]){0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0}, 12)));
  NEAR(result.mde, 2.8015852182 * .130558242);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
}

static void clusters_that_agree(void **state) { /* no spread between clusters: as many agree, so much it proves */
  (void)state;
  const double before[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const double after[] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  const uint32_t two[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  const uint32_t seven[] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6};
  eva_paired_options options = eva_paired_defaults();
  eva_paired result = eva_compare_paired(before, after, 14, two, &options);
  assert_true(result.p_value == 0.5);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  result = eva_compare_paired(before, after, 14, seven, &options);
  assert_true(result.p_value == 0.015625);
  assert_int_equal(result.verdict, EVA_VERDICT_REGRESSED);
}

static void clustered_pairs(void **state) {
  (void)state;
  const double difference[] = {1, 1, 0, 0, 0, 1, 0, 0, -1, 0};
  const uint32_t difference_of[] = {0, 0, 0, 1, 1, 2, 2, 2, 3, 3};
  const double zeros[10] = {0};
  eva_paired_options options = eva_paired_defaults();
  eva_paired paired = eva_compare_paired(zeros, difference, 10, difference_of, &options);
  NEAR(paired.delta, .2);
  NEAR(eva_standard_error(difference, 10), .2);
  NEAR(paired.standard_error, .2377673933);
  NEAR(paired.delta / paired.standard_error, .8411582311);
  NEAR(paired.p_value, .4620186623);
  assert_int_equal(paired.test, EVA_TEST_T);
  assert_int_equal(paired.clusters, 4);
}

static void mcnemar_vectors(void **state) {
  (void)state;
  const struct {
    size_t b, c;
    double p;
  } cases[] = {{3, 0, .25},           {10, 2, .03857421875},     {15, 5, .04138946533},   {9, 0, .00390625},
               {6, 0, .03125},        {30, 20, .2026387511},     {8, 8, 1},               {0, 0, 1},
               {28, 4, 1.9301195e-05}, {20, 9, .0614283457},     {13, 13, 1},             {8, 2, .109375},
               {2, 2, 1},             {3, 1, .625},              {25, 5, .0003249142319}, {1, 0, 1}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    CLOSE(eva_mcnemar(cases[i].b, cases[i].c), cases[i].p, 2e-8);
    assert_true(eva_mcnemar(cases[i].b, cases[i].c) == eva_mcnemar(cases[i].c, cases[i].b));
  }
  NEAR(eva_mcnemar(30, 20), .2026387511);
  NEAR(eva_mcnemar(15, 5), .04138946533);
  NEAR(eva_mcnemar_mid(10, 2), .0224609375);
}

/* All 2^n outcomes of n fair coins, counted. */
static void mcnemar_against_brute_force(void **state) {
  (void)state;
  for (int n = 0; n <= 16; n++) {
    for (int b = 0; b <= n; b++) {
      int least = b < n - b ? b : n - b;
      unsigned long hits = 0;
      for (unsigned long outcome = 0; outcome < 1UL << n; outcome++) {
        hits += __builtin_popcountl(outcome) <= least;
      }
      double p = 2 * (double)hits / (double)(1UL << n);
      CLOSE(eva_mcnemar((size_t)b, (size_t)(n - b)), p > 1 ? 1 : p, 1e-13);
    }
  }
}

/* Large counts: both branches agree where they meet, the beta function agrees, and nothing overflows. */
static void mcnemar_large_counts(void **state) {
  (void)state;
  CLOSE(eva_mcnemar(450, 550), 2 * eva_beta_cdf(.5, 550, 451), 1e-10);
  CLOSE(eva_mcnemar(450, 551), 2 * eva_beta_cdf(.5, 551, 451), 1e-10);
  CLOSE(eva_mcnemar(49000, 50000), 2 * eva_beta_cdf(.5, 50000, 49001), 1e-8);
  double huge = eva_mcnemar(500000000, 500100000);
  CLOSE(huge, 2 * eva_normal_cdf(-99999 / sqrt(1000100000.0)), 1e-3);
  assert_true(eva_mcnemar(1000000, 1000001) <= 1);
  assert_true(eva_mcnemar(1000000, 0) == 0); /* below the smallest double */
  assert_true(eva_mcnemar(1000, 0) > 0);
}

static void sign_flip_vector(void **state) {
  (void)state;
  NEAR(eva_mean(D, 8), .06375);
  NEAR(eva_standard_error(D, 8), .0312214155);
  double t = eva_mean(D, 8) / eva_standard_error(D, 8);
  NEAR(t, 2.041867705);
  NEAR(eva_t_two_sided(t, 7), .080490708);
  assert_true(eva_sign_flip(D, 8, 1) == .09375);
  const double zeros[8] = {0};
  assert_true(eva_sign_flip(zeros, 8, 1) == 1);
  assert_true(isnan(eva_sign_flip(zeros, 0, 1)));
}

static void sign_flip_against_brute_force(void **state) {
  (void)state;
  eva_random random = eva_random_of(7);
  for (size_t n = 1; n <= 12; n++) {
    for (int repeat = 0; repeat < 20; repeat++) {
      double d[12];
      for (size_t i = 0; i < n; i++) { /* whole numbers, so sums are exact; ties and zeros are common */
        d[i] = (double)eva_random_below(&random, 9) - 3;
      }
      double observed = 0;
      for (size_t i = 0; i < n; i++) {
        observed += d[i];
      }
      unsigned hits = 0;
      for (unsigned signs = 0; signs < 1U << n; signs++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
          sum += signs >> i & 1 ? d[i] : -d[i];
        }
        hits += fabs(sum) >= fabs(observed);
      }
      CLOSE(eva_sign_flip(d, n, 1), (double)hits / (double)(1U << n), 1e-14);
    }
  }
}

/* 17 nonzero differences are drawn, not counted: close to the exact p, equal for equal seeds, never 0. */
static void sign_flip_draws(void **state) {
  (void)state;
  double d[17];
  for (size_t i = 0; i < 17; i++) {
    d[i] = (i % 4 == 0 ? -1.0 : 1.0) * (double)(i + 1);
  }
  double p = eva_sign_flip(d, 17, 1);
  unsigned hits = 0;
  double observed = 0;
  for (size_t i = 0; i < 17; i++) {
    observed += d[i];
  }
  for (unsigned signs = 0; signs < 1U << 17; signs++) {
    double sum = 0;
    for (size_t i = 0; i < 17; i++) {
      sum += signs >> i & 1 ? d[i] : -d[i];
    }
    hits += fabs(sum) >= fabs(observed);
  }
  double exact = (double)hits / (double)(1U << 17);
  assert_true(fabs(p - exact) < 5 * sqrt(exact * (1 - exact) / EVA_FLIP_DRAWS)); /* five standard errors */
  assert_true(p == eva_sign_flip(d, 17, 1));
  assert_true(p != eva_sign_flip(d, 17, 2));
  double up[40];
  for (size_t i = 0; i < 40; i++) {
    up[i] = 1;
  }
  assert_true(eva_sign_flip(up, 40, 1) == 1.0 / (EVA_FLIP_DRAWS + 1));
}

static void multiplicity(void **state) {
  (void)state;
  const double p[] = {.001, .008, .039, .041, .042, .06, .074, .205, .212, .216};
  const double holm[] = {.01, .072, .312, .312, .312, .312, .312, .615, .615, .615};
  const double bh[] = {.01, .04, .084, .084, .084, .1, .1057142857, .216, .216, .216};
  double adjusted[10];
  eva_holm(p, 10, adjusted);
  for (size_t i = 0; i < 10; i++) {
    NEAR(adjusted[i], holm[i]);
  }
  eva_benjamini_hochberg(p, 10, adjusted);
  for (size_t i = 0; i < 10; i++) {
    NEAR(adjusted[i], bh[i]);
  }
  eva_holm(p, 0, adjusted);
}

/* Holm is the closure of Bonferroni: the adjusted p of i is the largest over all subsets that hold i of
 * min(1, size * smallest p in it). */
static void holm_against_closed_testing(void **state) {
  (void)state;
  eva_random random = eva_random_of(3);
  for (int repeat = 0; repeat < 200; repeat++) {
    size_t n = 1 + eva_random_below(&random, 8);
    double p[8];
    for (size_t i = 0; i < n; i++) {
      p[i] = eva_random_unit(&random) * (repeat % 2 ? .1 : 1);
    }
    double adjusted[8];
    eva_holm(p, n, adjusted);
    for (size_t i = 0; i < n; i++) {
      double worst = 0;
      for (unsigned subset = 1; subset < 1U << n; subset++) {
        if (!(subset >> i & 1)) {
          continue;
        }
        double least = 1;
        for (size_t j = 0; j < n; j++) {
          least = (subset >> j & 1) && p[j] < least ? p[j] : least;
        }
        double value = __builtin_popcount(subset) * least;
        worst = value > worst ? value : worst;
      }
      CLOSE(adjusted[i], worst > 1 ? 1 : worst, 1e-14);
    }
  }
}

/* Compares 0/1 pairs given as counts: `up` improved, `down` regressed, the rest unchanged. */
static eva_paired compare_counts(size_t n, size_t up, size_t down, double margin) {
  double *values = calloc(2 * n, sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i < n; i++) {
    values[i] = i >= up && i < up + down;
    values[n + i] = i < up;
  }
  eva_paired_options options = eva_paired_defaults();
  options.margin = margin;
  eva_paired result = eva_compare_paired(values, values + n, n, NULL, &options);
  free(values);
  return result;
}

static void verdicts(void **state) {
  (void)state;
  eva_paired result = compare_counts(100, 2, 8, .05);
  NEAR(result.delta, -.06);
  assert_interval(result.ci, -.1219170242, .001917024161);
  CLOSE(result.p_value, .109375, 1e-12);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  result = compare_counts(100, 2, 2, .05);
  assert_interval(result.ci, -.0398842614, .0398842614);
  assert_int_equal(result.verdict, EVA_VERDICT_NO_WORSE);
  assert_int_equal(compare_counts(100, 2, 2, 0).verdict, EVA_VERDICT_INCONCLUSIVE);
  result = compare_counts(20, 1, 3, .05);
  assert_interval(result.ci, -.3093024054, .1093024054);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  result = compare_counts(100, 25, 5, .05);
  assert_interval(result.ci, .09831468642, .3016853136);
  assert_int_equal(result.verdict, EVA_VERDICT_IMPROVED);
  assert_int_equal(compare_counts(100, 5, 25, .05).verdict, EVA_VERDICT_REGRESSED);
  /* gsm8k: 175b_verification against 175b_finetuning, then 6b_verification against it. */
  result = compare_counts(100, 28, 4, 0);
  CLOSE(result.p_value, 1.9301195e-05, 1e-7);
  assert_int_equal(result.verdict, EVA_VERDICT_IMPROVED);
  result = compare_counts(100, 13, 13, 0);
  assert_true(result.p_value == 1 && result.delta == 0);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  /* 20 against 9 of 250: the t interval excludes 0, McNemar does not agree, so it is no regression. */
  result = compare_counts(250, 9, 20, 0);
  CLOSE(result.p_value, .0614283457, 1e-8);
  assert_true(result.ci.high < 0);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  result = compare_counts(250, 20, 9, 0);
  assert_int_equal(result.verdict, EVA_VERDICT_NO_WORSE);
}

static void verdict_edges(void **state) {
  (void)state;
  eva_paired_options options = eva_paired_defaults();
  eva_paired result = eva_compare_paired(B, B, 8, NULL, &options);
  assert_true(result.delta == 0 && result.p_value == 1 && result.ci.low == 0 && result.ci.high == 0);
  assert_int_equal(result.same, 8);
  assert_int_equal(result.verdict, EVA_VERDICT_NO_WORSE);
  assert_true(isnan(result.effect_size));
  result = eva_compare_paired(B, B, 0, NULL, &options);
  assert_int_equal(result.verdict, EVA_VERDICT_INCOMPARABLE);
  assert_int_equal(result.test, EVA_TEST_NONE);
  result = eva_compare_paired(B, B + 1, 1, NULL, &options);
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
  assert_true(isnan(result.ci.low) && !isnan(result.delta) && result.p_value == 1);
  /* Lower is better: the same numbers turn round. */
  double slow[20];
  double quick[20];
  for (size_t i = 0; i < 20; i++) {
    slow[i] = 100 + (double)i;
    quick[i] = slow[i] - 10 - (double)(i % 3);
  }
  options.higher_is_better = 0;
  result = eva_compare_paired(slow, quick, 20, NULL, &options);
  assert_int_equal(result.verdict, EVA_VERDICT_IMPROVED);
  assert_int_equal(result.improved, 20);
  assert_true(result.delta < 0 && result.test == EVA_TEST_PERMUTATION);
  assert_int_equal(eva_compare_paired(quick, slow, 20, NULL, &options).verdict, EVA_VERDICT_REGRESSED);
  /* A constant loss of exactly the margin is inside it, whatever rounding does to 0.75 - 0.8. */
  const double before[] = {.8, .8, .8, .8};
  const double after[] = {.75, .75, .75, .75};
  options = eva_paired_defaults();
  options.margin = .05;
  assert_int_equal(eva_compare_paired(before, after, 4, NULL, &options).verdict, EVA_VERDICT_NO_WORSE);
}

static void test_choice_by_size(void **state) {
  (void)state;
  enum { PAIRS = 1001 };
  double baseline[PAIRS] = {0};
  double candidate[PAIRS];
  for (size_t i = 0; i < PAIRS; i++) {
    candidate[i] = (double)(i % 7) / 7 - .3;
  }
  eva_paired_options options = eva_paired_defaults();
  assert_int_equal(eva_compare_paired(baseline, candidate, 1000, NULL, &options).test, EVA_TEST_PERMUTATION);
  eva_paired result = eva_compare_paired(baseline, candidate, 1001, NULL, &options);
  assert_int_equal(result.test, EVA_TEST_T);
  CLOSE(result.p_value, eva_t_two_sided(result.delta / result.standard_error, 1000), 1e-12);
  memset(candidate, 0, sizeof candidate);
  candidate[0] = candidate[1] = .5; /* few differences are counted exactly, however many pairs there are */
  result = eva_compare_paired(baseline, candidate, 1001, NULL, &options);
  assert_int_equal(result.test, EVA_TEST_PERMUTATION);
  assert_true(result.p_value == .5);
  const uint32_t one_cluster[PAIRS] = {0};
  result = eva_compare_paired(baseline, candidate, 1001, one_cluster, &options);
  assert_true(isnan(result.p_value) && isnan(result.ci.low));
  assert_int_equal(result.verdict, EVA_VERDICT_INCONCLUSIVE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(paired_vector),
      cmocka_unit_test(clustered_pairs), cmocka_unit_test(clusters_that_agree),
      cmocka_unit_test(mcnemar_vectors),
      cmocka_unit_test(mcnemar_against_brute_force),
      cmocka_unit_test(mcnemar_large_counts),
      cmocka_unit_test(sign_flip_vector),
      cmocka_unit_test(sign_flip_against_brute_force),
      cmocka_unit_test(sign_flip_draws),
      cmocka_unit_test(multiplicity),
      cmocka_unit_test(holm_against_closed_testing),
      cmocka_unit_test(verdicts),
      cmocka_unit_test(verdict_edges),
      cmocka_unit_test(test_choice_by_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
