/* Distributions, summaries, proportions and agreement against published vectors and closed forms. */
#include "near.h"

#include <stdlib.h>
#include <string.h>

#include "stats/agreement.h"
#include "stats/power.h"
#include "stats/proportion.h"
#include "stats/random.h"
#include "stats/special.h"
#include "stats/summary.h"

static const double A[] = {1, 0, 1, 1, 0, 1, 1, 0, 1, 1};
static const double B[] = {.2, .9, .75, .5, 1, 0, .6, .85};
static const double D[] = {.12, -.05, .20, .03, 0, .15, -.02, .08};

static void quantiles(void **state) {
  (void)state;
  NEAR(eva_normal_quantile(.975), 1.959963985);
  NEAR(eva_normal_quantile(.8), 0.8416212336);
  NEAR(eva_normal_quantile(.95), 1.644853627);
  CLOSE(eva_normal_quantile(.975), 1.959963984540054, 1e-15);
  assert_true(eva_normal_quantile(.5) == 0);
  const double df[] = {1, 2, 3, 4, 9, 19, 29, 99};
  const double t[] = {12.70620474, 4.30265273, 3.182446305, 2.776445105, 2.262157163, 2.093024054, 2.045229642,
                      1.984216952};
  for (size_t i = 0; i < COUNT(df); i++) {
    NEAR(eva_t_quantile(.975, df[i]), t[i]);
    NEAR(eva_t_quantile(.025, df[i]), -t[i]);
  }
  assert_true(isnan(eva_normal_quantile(0)) && isnan(eva_normal_quantile(1)) && isnan(eva_normal_quantile(NAN)));
  assert_true(isnan(eva_t_quantile(.9, 0)) && isnan(eva_t_two_sided(NAN, 3)));
}

/* Closed forms of the t distribution for one and two degrees of freedom, and the normal limit. */
static void t_against_closed_forms(void **state) {
  (void)state;
  for (double t = -30; t <= 30; t += .37) {
    CLOSE(eva_t_cdf(t, 1), .5 + atan(t) / M_PI, 1e-11);
    CLOSE(eva_t_cdf(t, 2), .5 + t / (2 * sqrt(2 + t * t)), 1e-11);
  }
  for (double t = 0; t <= 8; t += .25) {
    CLOSE(eva_t_two_sided(t, 5e7), erfc(t / sqrt(2)), 1e-4);
    CLOSE(eva_t_two_sided(t, 99999), eva_t_two_sided(t, 100001), 1e-2);
  }
  assert_true(eva_t_two_sided(INFINITY, 4) == 0);
  assert_true(eva_t_two_sided(0, 4) == 1);
  /* 1 + z^2 terms of the Cornish-Fisher expansion at a million degrees of freedom (Abramowitz and Stegun 26.7.5). */
  double z = eva_normal_quantile(.975);
  CLOSE(eva_t_quantile(.975, 1e6), z + (z * z * z + z) / 4e6, 1e-10);
}

static void single_sample(void **state) {
  (void)state;
  NEAR(eva_mean(A, 10), .7);
  NEAR(eva_mean((const double[]){1.7e308, 1.5e308}, 2) / 1e308, 1.6); /* though their sum is beyond all doubles */
  NEAR(eva_variance(A, 10), .2333333333);
  NEAR(eva_standard_error(A, 10), .1527525232);
  NEAR(sqrt(.7 * .3 / 10), .1449137675);
  double z = eva_normal_quantile(.975);
  NEAR(.7 - z * eva_standard_error(A, 10), .400610556);
  NEAR(.7 + z * eva_standard_error(A, 10), .999389444);
  assert_interval(eva_t_interval(eva_mean(A, 10), eva_standard_error(A, 10), 9, .95), .3544497856, 1.045550214);
  eva_summary a = eva_summarize(A, 10, NULL, .95);
  assert_true(a.binary);
  assert_interval(a.ci, .3967781475, .8922087326); /* Wilson, since the values are 0 and 1 */
  assert_int_equal(a.histogram.counts[0], 3);
  assert_int_equal(a.histogram.counts[9], 7);
  eva_summary b = eva_summarize(B, 8, NULL, .95);
  NEAR(b.mean, .6);
  NEAR(sqrt(eva_variance(B, 8)), .35152728);
  NEAR(b.standard_error, .1242836617);
  assert_interval(b.ci, .3061158394, .8938841606);
  NEAR(b.p50, .675);
  assert_false(b.binary);
  double copy[COUNT(B)];
  memcpy(copy, B, sizeof copy);
  NEAR(eva_percentile(copy, 8, 50), .675);
  NEAR(eva_percentile(copy, 8, 95), .965);
  NEAR(eva_percentile(copy, 8, 99), .993);
}

static void proportions(void **state) {
  (void)state;
  assert_interval(eva_wilson(7, 10, .95), .3967781475, .8922087326);
  assert_interval(eva_wilson(17, 20, .95), .6395811353, .9476312541);
  assert_interval(eva_wilson(850, 1000, .95), .8265313416, .8707899275);
  assert_interval(eva_wilson(5, 5, .95), .5655175352, 1);
  assert_interval(eva_wilson(0, 5, .95), 0, .4344824648);
  assert_interval(eva_wilson(0, 100, .95), 0, .03699349821);
  assert_interval(eva_wilson(100, 100, .95), .9630065018, 1);
  assert_true(eva_wilson(0, 100, .95).low == 0 && eva_wilson(100, 100, .95).high == 1);
  assert_interval(eva_clopper_pearson(7, 10, .95), .3475471499, .9332604888);
  assert_interval(eva_clopper_pearson(17, 20, .95), .6210731735, .9679290628);
  assert_interval(eva_clopper_pearson(5, 5, .95), .4781762499, 1);
  assert_interval(eva_clopper_pearson(0, 100, .95), 0, .03621669265);
  assert_interval(eva_newcombe(17, 20, 12, 20, .95), -.02768178073, .4846898327);
  assert_interval(eva_newcombe(56, 70, 48, 80, .95), .0524314724, .333872654);
  NEAR(eva_beta_superiority(7, 10, 9, 10), .8446115288);
  NEAR(eva_beta_superiority(5, 10, 5, 10), .5);
  NEAR(eva_beta_superiority(70, 100, 90, 100), .9998111343);
  assert_true(isnan(eva_wilson(0, 0, .95).low) && isnan(eva_wilson(2, 1, .95).low));
}

/* The Wilson bounds are the two rates p whose score test of p just keeps: (k/n - p)^2 = z^2 p (1 - p) / n. */
static void wilson_solves_the_score_equation(void **state) {
  (void)state;
  double z = eva_normal_quantile(.975);
  for (size_t n = 1; n <= 60; n++) {
    for (size_t k = 0; k <= n; k++) {
      eva_interval ci = eva_wilson(k, n, .95);
      double rate = (double)k / (double)n;
      assert_true(ci.low >= 0 && ci.low <= rate && rate <= ci.high && ci.high <= 1);
      const double bounds[] = {ci.low, ci.high};
      for (size_t i = 0; i < 2; i++) {
        double p = bounds[i];
        assert_true(fabs((rate - p) * (rate - p) - z * z * p * (1 - p) / (double)n) < 1e-12);
      }
      eva_interval mirrored = eva_wilson(n - k, n, .95);
      assert_true(fabs(mirrored.low - (1 - ci.high)) < 1e-12);
    }
  }
}

static void clusters(void **state) {
  (void)state;
  const double equal[] = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0};
  const uint32_t equal_of[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  eva_cluster_error errors = eva_cluster_errors(equal, equal_of, 16);
  assert_int_equal(errors.clusters, 4);
  NEAR(errors.naive, .1290994449);
  NEAR(errors.miller, .2002602473);
  NEAR(errors.cr0, .1976423538);
  NEAR(errors.cr1, .2282177323);
  assert_interval(eva_summarize(equal, 16, equal_of, .95).ci, -.2262906789, 1.226290679);
  const double unequal[] = {.9, .8, .4, .5, .3, .7, .2, .1, .2, .3};
  const uint32_t unequal_of[] = {0, 0, 1, 1, 1, 2, 3, 3, 3, 3};
  errors = eva_cluster_errors(unequal, unequal_of, 10);
  NEAR(eva_mean(unequal, 10), .44);
  NEAR(errors.naive, .08717797887);
  NEAR(errors.miller, .1323631369);
  NEAR(errors.cr0, .1294604187);
  NEAR(errors.cr1, .1494880151);
}

static void epochs(void **state) {
  (void)state;
  const double rows[] = {1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0};
  const uint32_t question[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4};
  double means[5];
  double within = 0;
  for (size_t i = 0; i < 5; i++) {
    means[i] = eva_mean(rows + 4 * i, 4);
    within += eva_variance(rows + 4 * i, 4) / 5;
  }
  NEAR(eva_standard_error(means, 5), .1767766953);
  NEAR(eva_standard_error(rows, 20), .1147078669);
  NEAR(eva_cluster_errors(rows, question, 20).cr0, .158113883);
  NEAR(eva_cluster_errors(rows, question, 20).cr1, .1767766953);
  NEAR(within, .1666666667);
  NEAR(eva_variance(means, 5) - within / 4, .1145833333);
  /* Difficulty uniform on [0, 1]: variance 1/12 between questions, 1/6 within one. */
  const double trials[] = {1, 2, 4, 6, 1e15};
  const double variance[] = {.25, .1666666667, .125, .1111111111, .0833333333};
  for (size_t i = 0; i < COUNT(trials); i++) {
    NEAR(eva_difference_variance(1.0 / 12, 1.0 / 6, 0, trials[i], 1), variance[i]);
  }
}

static void power_vectors(void **state) {
  (void)state;
  double sixth = 1.0 / 6;
  double ninth = 1.0 / 9;
  NEAR(eva_sample_size(.03, eva_difference_variance(ninth, 0, 0, 1, 1), .05, .8), 968.9974981);
  assert_true(ceil(eva_sample_size(.03, ninth, .05, .8)) == 969);
  NEAR(eva_sample_size(.03, eva_difference_variance(ninth, sixth, sixth, 1, 1), .05, .8), 3875.989992);
  NEAR(eva_sample_size(.03, eva_difference_variance(ninth, sixth, sixth, 10, 10), .05, .8), 1259.696747);
  const double n[] = {50, 100, 198, 500, 1000};
  const double once[] = {.2641359874, .1867723479, .1327333279, .08352713323, .05906260232};
  const double four_times[] = {.1747095338, .1235382961, .08779484406, .05524800557, .03906623938};
  for (size_t i = 0; i < COUNT(n); i++) {
    double of_one = sqrt(eva_difference_variance(ninth, sixth, sixth, 1, 1) / n[i]);
    double of_four = sqrt(eva_difference_variance(ninth, sixth, sixth, 4, 4) / n[i]);
    NEAR(eva_detectable_difference(of_one, .05, .8), once[i]);
    NEAR(eva_detectable_difference(of_four, .05, .8), four_times[i]);
  }
  NEAR(eva_detectable_difference(.05, .05, .8), .1400792609);
}

static void passes(void **state) {
  (void)state;
  NEAR(eva_pass_at(5, 2, 1), .4);
  NEAR(eva_pass_all(5, 2, 1), .4);
  NEAR(eva_pass_at(5, 2, 2), .7);
  NEAR(eva_pass_all(5, 2, 2), .1);
  assert_true(eva_pass_at(5, 2, 4) == 1 && eva_pass_all(5, 2, 4) == 0);
  NEAR(eva_pass_at(10, 3, 5), .9166666667);
  assert_true(eva_pass_all(10, 3, 5) == 0);
  assert_true(eva_pass_at(10, 0, 5) == 0 && eva_pass_all(10, 10, 5) == 1);
  NEAR(eva_pass_at(200, 37, 10), .8773745674);
  NEAR(eva_pass_all(200, 37, 10), 1.55151249e-08);
  assert_true(isnan(eva_pass_at(5, 6, 1)) && isnan(eva_pass_at(5, 2, 0)) && isnan(eva_pass_all(5, 2, 6)));
}

static void agreement(void **state) {
  (void)state;
  const char *left = "CCICIICCIC";
  const char *right = "CIICICCCII";
  uint32_t x[10];
  uint32_t y[10];
  uint32_t units[20];
  size_t ends[10];
  for (size_t i = 0; i < 10; i++) {
    units[2 * i] = x[i] = left[i] == 'C';
    units[2 * i + 1] = y[i] = right[i] == 'C';
    ends[i] = 2 * i + 2;
  }
  NEAR(eva_kappa(x, y, 10, 2), .4);
  NEAR(eva_krippendorff_nominal(units, ends, 10, 2), .4242424242);
  NEAR(eva_kappa(x, x, 10, 2), 1);
  const uint32_t same[10] = {0};
  assert_true(isnan(eva_kappa(same, same, 10, 1))); /* chance alone agrees: no kappa, and no NaN for scripts */
  assert_true(isnan(eva_krippendorff_nominal(same, ends, 5, 1)));
  assert_true(isnan(eva_kappa(x, y, 0, 2)) && isnan(eva_krippendorff_nominal(units, ends, 0, 2)));
}

static void generator_and_bootstrap(void **state) {
  (void)state;
  eva_random random = eva_random_of(42);
  assert_true(eva_random_next(&random) == UINT64_C(0xbdd732262feb6e95));
  assert_true(eva_random_next(&random) == UINT64_C(0x28efe333b266f103));
  assert_true(eva_random_next(&random) == UINT64_C(0x47526757130f9f52));
  assert_true(eva_random_next(&random) == UINT64_C(0x581ce1ff0e4ae394));
  double means[1000];
  eva_bootstrap_means(D, 8, 42, means, 1000);
  NEAR(eva_mean(means, 1000), .06444625);
  NEAR(sqrt(eva_variance(means, 1000) * 999 / 1000), .02784911217);
  NEAR(sqrt(eva_variance(means, 1000)), .02786304717);
  NEAR(eva_percentile(means, 1000, 2.5), .01125);
  NEAR(eva_percentile(means, 1000, 97.5), .12003125);
  const double v[] = {.2, .9, .4, .7}; /* every one of the 256 resamples */
  double all[256];
  for (size_t i = 0; i < 256; i++) {
    all[i] = (v[i % 4] + v[i / 4 % 4] + v[i / 16 % 4] + v[i / 64]) / 4;
  }
  NEAR(sqrt(eva_variance(all, 256) * 255 / 256), .1346291202);
  NEAR(eva_standard_error(v, 4), .1554563176);
  NEAR(eva_percentile(all, 256, 2.5), .3);
  NEAR(eva_percentile(all, 256, 97.5), .8);
  NEAR(eva_pooled_standard_error((double[]){.02, .03}, (size_t[]){100, 300}, 2), .02306452605);
}

static int compare_doubles(const void *left, const void *right) {
  double a = *(const double *)left;
  double b = *(const double *)right;
  return a < b ? -1 : a > b;
}

static void percentiles_against_sorting(void **state) {
  (void)state;
  eva_random random = eva_random_of(11);
  for (int repeat = 0; repeat < 2000; repeat++) {
    size_t n = 1 + eva_random_below(&random, 40);
    size_t kinds = 1 + eva_random_below(&random, 50); /* few kinds: many equal values */
    double values[40];
    double sorted[40];
    for (size_t i = 0; i < n; i++) {
      sorted[i] = values[i] = (double)eva_random_below(&random, kinds);
    }
    qsort(sorted, n, sizeof sorted[0], compare_doubles);
    const double asked[] = {0, 1, 25, 50, 75, 95, 99, 100};
    for (size_t i = 0; i < COUNT(asked); i++) {
      double position = (double)(n - 1) * asked[i] / 100;
      size_t k = (size_t)position;
      double next = sorted[k + 1 < n ? k + 1 : k];
      double expected = sorted[k] + (position - (double)k) * (next - sorted[k]);
      assert_true(fabs(eva_percentile(values, n, asked[i]) - expected) < 1e-9);
    }
  }
}

static void summary_edges(void **state) {
  (void)state;
  eva_summary none = eva_summarize(B, 0, NULL, .95);
  assert_true(none.n == 0 && isnan(none.mean) && isnan(none.ci.low) && !none.binary);
  eva_summary one = eva_summarize(B, 1, NULL, .95);
  assert_true(one.mean == .2 && isnan(one.standard_error) && isnan(one.ci.low));
  eva_summary one_binary = eva_summarize(A, 1, NULL, .95);
  assert_true(one_binary.ci.high == 1 && one_binary.ci.low > 0); /* Wilson's exists for one value */
  const double tenths[] = {.1, .1, .1};
  eva_summary equal = eva_summarize(tenths, 3, NULL, .95);
  assert_true(equal.standard_error == 0);
  const double wide[] = {-5, 0, 5, 15};
  eva_summary outside = eva_summarize(wide, 4, NULL, .95);
  assert_true(outside.histogram.low == -5 && outside.histogram.high == 15);
  assert_int_equal(outside.histogram.counts[0], 1);
  assert_int_equal(outside.histogram.counts[9], 1);
  const double sevens[] = {7, 7};
  eva_summary single = eva_summarize(sevens, 2, NULL, .95);
  assert_int_equal(single.histogram.bins, 1);
  assert_int_equal(single.histogram.counts[0], 2);
  const double cancelling[] = {1e16, 1, -1e16};
  assert_true(eva_mean(cancelling, 3) == 1.0 / 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quantiles),
      cmocka_unit_test(t_against_closed_forms),
      cmocka_unit_test(single_sample),
      cmocka_unit_test(proportions),
      cmocka_unit_test(wilson_solves_the_score_equation),
      cmocka_unit_test(clusters),
      cmocka_unit_test(epochs),
      cmocka_unit_test(power_vectors),
      cmocka_unit_test(passes),
      cmocka_unit_test(agreement),
      cmocka_unit_test(generator_and_bootstrap),
      cmocka_unit_test(percentiles_against_sorting),
      cmocka_unit_test(summary_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
