/* What 95 % means: over 2,000 simulated runs of fixed seed the intervals cover the truth as often as they say, and two
 * runs of the same noisy target are seldom called regressed. All through the functions that reports and compare use. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/metric.h"
#include "stats/paired.h"
#include "stats/random.h"
#include "stats/summary.h"

enum { SIMULATIONS = 2000, ITEMS_MAX = 600 };

static const double COVERED_MIN = 0.935;
static const double COVERED_MAX = 0.965;
static const double REGRESSED_MAX = 0.05;

/* A normal deviate (Box and Muller 1958). */
static double normal(eva_random *random) {
  double u = 1 - eva_random_unit(random);
  return sqrt(-2 * log(u)) * cos(2 * M_PI * eva_random_unit(random));
}

static void assert_covered(int covered, const char *what) {
  double share = (double)covered / SIMULATIONS;
  print_message("# %s: %.2f %% covered\n", what, 100 * share);
  if (share < COVERED_MIN || share > COVERED_MAX) {
    print_error("%s: %.4f of the intervals cover the truth\n", what, share);
    fail();
  }
}

static int covers(eva_interval interval, double truth) { return interval.low <= truth && truth <= interval.high; }

static void means_of_items(void **state) {
  (void)state;
  eva_random random = eva_random_of(1);
  int graded = 0;
  int binary = 0;
  for (int i = 0; i < SIMULATIONS; i++) {
    double values[100];
    for (int item = 0; item < 40; item++) values[item] = eva_random_unit(&random);
    graded += covers(eva_summarize(values, 40, NULL, 0.95).ci, 0.5);
    for (int item = 0; item < 100; item++) values[item] = eva_random_unit(&random) < 0.7;
    binary += covers(eva_summarize(values, 100, NULL, 0.95).ci, 0.7);
  }
  assert_covered(graded, "mean of 40 graded scores");
  assert_covered(binary, "share of 100 binary scores");
}

/* C clusters of `size` items that share a part of their score. */
static void draw_clusters(eva_random *random, size_t clusters, size_t size, double shared, double *values,
                          uint32_t *cluster) {
  for (size_t c = 0; c < clusters; c++) {
    double common = normal(random);
    for (size_t i = 0; i < size; i++) {
      values[c * size + i] = 0.5 + shared * common + normal(random);
      cluster[c * size + i] = (uint32_t)c;
    }
  }
}

static void means_of_clusters(void **state) {
  (void)state;
  static const size_t clusters[] = {50, 100};
  static const char *const names[] = {"mean of 50 clusters", "mean of 100 clusters"};
  eva_random random = eva_random_of(2);
  for (int which = 0; which < 2; which++) {
    int covered = 0;
    int naive = 0;
    for (int i = 0; i < SIMULATIONS; i++) {
      double values[ITEMS_MAX];
      uint32_t cluster[ITEMS_MAX];
      size_t n = clusters[which] * 6;
      draw_clusters(&random, clusters[which], 6, 1, values, cluster);
      covered += covers(eva_summarize(values, n, cluster, 0.95).ci, 0.5);
      naive += covers(eva_summarize(values, n, NULL, 0.95).ci, 0.5);
    }
    assert_covered(covered, names[which]);
    assert_true((double)naive / SIMULATIONS < 0.85); /* what is claimed without clusters is wrong */
  }
}

/* The interval of a difference, for items and for clusters of them. */
static void differences(void **state) {
  (void)state;
  eva_random random = eva_random_of(3);
  eva_paired_options options = eva_paired_defaults();
  int items = 0;
  int clustered = 0;
  for (int i = 0; i < SIMULATIONS; i++) {
    double before[ITEMS_MAX];
    double after[ITEMS_MAX];
    double gain[ITEMS_MAX];
    uint32_t cluster[ITEMS_MAX];
    draw_clusters(&random, 50, 6, 0.8, gain, cluster);
    for (int item = 0; item < 300; item++) {
      before[item] = normal(&random);
      after[item] = before[item] + gain[item];
    }
    clustered += covers(eva_compare_paired(before, after, 300, cluster, &options).ci, 0.5);
    for (int item = 0; item < 40; item++) after[item] = before[item] + 0.1 + 0.3 * normal(&random);
    items += covers(eva_compare_paired(before, after, 40, NULL, &options).ci, 0.1);
  }
  assert_covered(items, "difference over 40 items");
  assert_covered(clustered, "difference over 50 clusters");
}

static void assert_quiet(int regressed, int improved, const char *what) {
  print_message("# %s: %.2f %% regressed, %.2f %% improved\n", what, 100.0 * regressed / SIMULATIONS,
                100.0 * improved / SIMULATIONS);
  assert_true((double)regressed / SIMULATIONS <= REGRESSED_MAX);
  assert_true((double)improved / SIMULATIONS <= REGRESSED_MAX);
}

/* Items differ in how hard they are; the target answers each by chance, twice. */
static void noisy_binary_target(void **state) {
  (void)state;
  eva_random random = eva_random_of(4);
  eva_paired_options options = eva_paired_defaults();
  int regressed = 0;
  int improved = 0;
  for (int i = 0; i < SIMULATIONS; i++) {
    double before[200];
    double after[200];
    for (int item = 0; item < 200; item++) {
      double chance = eva_random_unit(&random);
      before[item] = eva_random_unit(&random) < chance;
      after[item] = eva_random_unit(&random) < chance;
    }
    eva_paired result = eva_compare_paired(before, after, 200, NULL, &options);
    regressed += result.verdict == EVA_VERDICT_REGRESSED;
    improved += result.verdict == EVA_VERDICT_IMPROVED;
  }
  assert_quiet(regressed, improved, "the same target twice, binary");
}

static void noisy_graded_target(void **state) {
  (void)state;
  eva_random random = eva_random_of(5);
  eva_paired_options options = eva_paired_defaults();
  int regressed = 0;
  int improved = 0;
  for (int i = 0; i < SIMULATIONS; i++) {
    double before[20];
    double after[20];
    for (int item = 0; item < 20; item++) {
      double level = eva_random_unit(&random);
      before[item] = level + 0.2 * normal(&random);
      after[item] = level + 0.2 * normal(&random);
    }
    options.seed = (uint64_t)i + 1;
    eva_paired result = eva_compare_paired(before, after, 20, NULL, &options);
    regressed += result.verdict == EVA_VERDICT_REGRESSED;
    improved += result.verdict == EVA_VERDICT_IMPROVED;
  }
  assert_quiet(regressed, improved, "the same target twice, graded");
}

static void noisy_clustered_target(void **state) {
  (void)state;
  eva_random random = eva_random_of(6);
  eva_paired_options options = eva_paired_defaults();
  int regressed = 0;
  int improved = 0;
  for (int i = 0; i < SIMULATIONS; i++) {
    double before[ITEMS_MAX];
    double after[ITEMS_MAX];
    uint32_t cluster[ITEMS_MAX];
    draw_clusters(&random, 50, 6, 1, before, cluster);
    draw_clusters(&random, 50, 6, 1, after, cluster);
    eva_paired result = eva_compare_paired(before, after, 300, cluster, &options);
    regressed += result.verdict == EVA_VERDICT_REGRESSED;
    improved += result.verdict == EVA_VERDICT_IMPROVED;
  }
  assert_quiet(regressed, improved, "the same target twice, 50 clusters");
}

/* The bootstrap of metrics: macro F1 of a target that is right by chance. The truth is what a very long run gives. */
static void draw_labels(eva_random *random, size_t n, uint32_t *labels) {
  for (size_t i = 0; i < n; i++) {
    uint32_t truth = (uint32_t)eva_random_below(random, 3);
    labels[2 * i + 1] = truth;
    labels[2 * i] = eva_random_unit(random) < 0.7 ? truth : (uint32_t)eva_random_below(random, 3);
  }
}

static void bootstrap_of_f1(void **state) {
  (void)state;
  enum { RUNS = 300, ITEMS = 60 };
  eva_metric_options options = {.kind = EVA_METRIC_F1, .average = EVA_AVERAGE_MACRO};
  eva_paired_options paired = eva_paired_defaults();
  eva_random random = eva_random_of(8);
  int covered = 0;
  int regressed = 0;
  for (int i = 0; i < RUNS; i++) {
    uint32_t labels[2][2 * ITEMS];
    eva_metric *metrics[2];
    draw_labels(&random, ITEMS, labels[0]);
    for (size_t item = 0; item < ITEMS; item++) { /* the same items again */
      uint32_t truth = labels[0][2 * item + 1];
      labels[1][2 * item + 1] = truth;
      labels[1][2 * item] = eva_random_unit(&random) < 0.7 ? truth : (uint32_t)eva_random_below(&random, 3);
    }
    for (int side = 0; side < 2; side++) {
      eva_metric_data data = {.n = ITEMS, .labels = labels[side], .raters = 2, .label_count = 3};
      metrics[side] = eva_metric_new(&options, &data);
    }
    covered += covers(eva_metric_summarize(metrics[0], NULL, 0.95, 1).ci, 0.8);
    regressed += eva_metric_compare(metrics[0], metrics[1], NULL, &paired).verdict == EVA_VERDICT_REGRESSED;
    eva_metric_free(metrics[0]);
    eva_metric_free(metrics[1]);
  }
  print_message("# macro F1 of 60 items: %.1f %% covered, %.1f %% regressed\n", 100.0 * covered / RUNS,
                100.0 * regressed / RUNS);
  assert_in_range(covered, (int)(0.915 * RUNS), (int)(0.985 * RUNS));
  assert_true(regressed <= (int)(0.05 * RUNS));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(means_of_items),      cmocka_unit_test(means_of_clusters),
      cmocka_unit_test(differences),         cmocka_unit_test(noisy_binary_target),
      cmocka_unit_test(noisy_graded_target), cmocka_unit_test(noisy_clustered_target),
      cmocka_unit_test(bootstrap_of_f1),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
