/* The tests behind comparisons against brute force: numeric integration, enumeration, definitions read literally. None
 * of the code under test is used to say what is right. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/metric.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/proportion.h"
#include "stats/special.h"
#include "stats/summary.h"

enum { CASES = 300, SMALL_MAX = 9 };

static uint64_t state_of_test = 20260101;

/* A generator of the test's own (Knuth's MMIX constants). */
static unsigned draw_below(unsigned n) {
  state_of_test = state_of_test * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)((state_of_test >> 33) % n);
}

static void near(double actual, double expected, double tolerance, const char *what, int round) {
  if (fabs(actual - expected) <= tolerance * (1 + fabs(expected))) return;
  print_error("%s, case %d: got %.15g, brute force says %.15g\n", what, round, actual, expected);
  fail();
}

/* Student's t ------------------------------------------------------------------------------------------------------- */

static double t_density(double t, double df) {
  return exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(t * t / df)) / sqrt(df * M_PI);
}

/* The mass between 0 and t: Simpson's rule over the angle u = atan(t), in which the tails are short. */
static double mass_up_to(double t, double df) {
  enum { STEPS = 4000 };
  double end = atan(t);
  double width = end / STEPS;
  double sum = 0;
  for (int i = 0; i <= STEPS; i++) {
    double u = width * i;
    double stretch = 1 / (cos(u) * cos(u));
    double weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
    sum += weight * t_density(tan(u), df) * stretch;
  }
  return sum * width / 3;
}

static double quantile_by_search(double probability, double df) {
  double low = 0;
  double high = 200;
  for (int i = 0; i < 60; i++) {
    double middle = (low + high) / 2;
    *(0.5 + mass_up_to(middle, df) < probability ? &low : &high) = middle;
  }
  return (low + high) / 2;
}

static void paired_t_is_its_definition(void **state) {
  (void)state;
  for (int round = 0; round < 60; round++) {
    size_t n = 2 + draw_below(SMALL_MAX - 2);
    double before[SMALL_MAX];
    double after[SMALL_MAX];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
      before[i] = draw_below(1000) / 100.0;
      after[i] = draw_below(1000) / 100.0;
      sum += after[i] - before[i];
    }
    double mean = sum / (double)n;
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += pow(after[i] - before[i] - mean, 2);
    double error = sqrt(squares / (double)(n - 1) / (double)n);
    double df = (double)n - 1;
    eva_paired_options options = eva_paired_defaults();
    eva_paired result = eva_compare_paired(before, after, n, NULL, &options);
    near(result.delta, mean, 1e-12, "delta", round);
    near(result.standard_error, error, 1e-12, "standard error", round);
    double half = quantile_by_search(0.975, df) * error;
    near(result.ci.low, mean - half, 1e-6, "low", round);
    near(result.ci.high, mean + half, 1e-6, "high", round);
    near(eva_t_two_sided(mean / error, df), 1 - 2 * mass_up_to(fabs(mean / error), df), 1e-8, "p", round);
  }
}

/* Counting all cases ------------------------------------------------------------------------------------------------ */

static void mcnemar_is_the_count_of_all_signs(void **state) {
  (void)state;
  for (int b = 0; b <= 8; b++) {
    for (int c = 0; c <= 8; c++) {
      int n = b + c;
      int least = b < c ? b : c;
      long hits = 0;
      for (long signs = 0; signs < 1L << n; signs++) {
        int ones = __builtin_popcountl((unsigned long)signs);
        hits += (ones < n - ones ? ones : n - ones) <= least;
      }
      near(eva_mcnemar((size_t)b, (size_t)c), (double)hits / (double)(1L << n), 1e-12, "mcnemar", 100 * b + c);
    }
  }
}

static void sign_flips_are_all_tried(void **state) {
  (void)state;
  for (int round = 0; round < CASES; round++) {
    int n = 1 + (int)draw_below(SMALL_MAX);
    double differences[SMALL_MAX];
    long sum = 0; /* in hundredths, so that sums are exact */
    long hundredths[SMALL_MAX];
    for (int i = 0; i < n; i++) {
      hundredths[i] = (long)draw_below(21) - 10;
      differences[i] = (double)hundredths[i] / 100;
      sum += hundredths[i];
    }
    long hits = 0;
    for (long signs = 0; signs < 1L << n; signs++) {
      long flipped = 0;
      for (int i = 0; i < n; i++) flipped += signs >> i & 1 ? hundredths[i] : -hundredths[i];
      hits += labs(flipped) >= labs(sum);
    }
    near(eva_sign_flip(differences, (size_t)n, 1), (double)hits / (double)(1L << n), 1e-12, "sign flips", round);
  }
}

/* The bounds of Wilson are the shares p that the score test just does not refuse. */
static double wilson_by_search(double share, double n, double end) {
  static const double Z = 1.959963984540054;
  double inside = share;
  double outside = end;
  for (int i = 0; i < 200; i++) {
    double middle = (inside + outside) / 2;
    *(fabs(share - middle) <= Z * sqrt(middle * (1 - middle) / n) ? &inside : &outside) = middle;
  }
  return inside;
}

static void wilson_inverts_the_score_test(void **state) {
  (void)state;
  for (size_t n = 1; n <= 25; n++) {
    for (size_t k = 0; k <= n; k++) {
      eva_interval interval = eva_wilson(k, n, 0.95);
      double share = (double)k / (double)n;
      near(interval.low, k == 0 ? 0 : wilson_by_search(share, (double)n, 0), 1e-9, "wilson low", (int)(100 * n + k));
      near(interval.high, k == n ? 1 : wilson_by_search(share, (double)n, 1), 1e-9, "wilson high",
           (int)(100 * n + k));
    }
  }
}

/* Holm's adjusted p is the largest Bonferroni p of all sets of hypotheses that contain it (the closure principle). */
static void holm_closes_bonferroni(void **state) {
  (void)state;
  for (int round = 0; round < CASES; round++) {
    int n = 1 + (int)draw_below(7);
    double p[SMALL_MAX];
    double adjusted[SMALL_MAX];
    for (int i = 0; i < n; i++) p[i] = draw_below(2) ? draw_below(100) / 1000.0 : draw_below(1001) / 1000.0;
    eva_holm(p, (size_t)n, adjusted);
    for (int i = 0; i < n; i++) {
      double largest = 0;
      for (int set = 0; set < 1 << n; set++) {
        if (!(set >> i & 1)) continue;
        double least = 1;
        for (int j = 0; j < n; j++) {
          if (set >> j & 1 && p[j] < least) least = p[j];
        }
        double bonferroni = fmin(1, least * __builtin_popcount((unsigned)set));
        if (bonferroni > largest) largest = bonferroni;
      }
      near(adjusted[i], largest, 1e-12, "holm", round);
    }
  }
}

/* Measures over pairs ------------------------------------------------------------------------------------------------ */

static double value_of_numbers(eva_metric_kind kind, const double *x, const double *y, size_t n, const double *weights) {
  eva_metric_options options = {.kind = kind};
  eva_metric_data data = {.n = n, .x = x, .y = y};
  eva_metric *metric = eva_metric_new(&options, &data);
  double value = eva_metric_value(metric, weights);
  eva_metric_free(metric);
  return value;
}

static double tau_by_pairs(const double *x, const double *y, size_t n) {
  double score = 0;
  double in_x = 0;
  double in_y = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = i + 1; j < n; j++) {
      double sign_x = (x[i] > x[j]) - (x[i] < x[j]);
      double sign_y = (y[i] > y[j]) - (y[i] < y[j]);
      score += sign_x * sign_y;
      in_x += sign_x * sign_x;
      in_y += sign_y * sign_y;
    }
  }
  return score / sqrt(in_x * in_y);
}

static double auc_by_pairs(const double *x, const double *y, size_t n) {
  double wins = 0;
  double count = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) {
      if (y[i] != 1 || y[j] != 0) continue;
      wins += x[i] > x[j] ? 1 : x[i] == x[j] ? 0.5 : 0;
      count++;
    }
  }
  return wins / count;
}

/* Midranks by their definition, then r by its own. */
static double rho_by_ranks(const double *x, const double *y, size_t n) {
  double sums[5] = {0};
  for (size_t i = 0; i < n; i++) {
    double rank[2] = {0.5, 0.5};
    for (size_t j = 0; j < n; j++) {
      rank[0] += x[j] < x[i] ? 1 : x[j] == x[i] ? 0.5 : 0;
      rank[1] += y[j] < y[i] ? 1 : y[j] == y[i] ? 0.5 : 0;
    }
    sums[0] += rank[0];
    sums[1] += rank[1];
    sums[2] += rank[0] * rank[0];
    sums[3] += rank[1] * rank[1];
    sums[4] += rank[0] * rank[1];
  }
  double count = (double)n;
  return (count * sums[4] - sums[0] * sums[1]) /
         sqrt((count * sums[2] - sums[0] * sums[0]) * (count * sums[3] - sums[1] * sums[1]));
}

static void same_number(double actual, double expected, const char *what, int round) {
  if (isnan(expected) || isinf(expected)) {
    if (!isnan(actual)) {
      print_error("%s, case %d: got %.15g where there is none\n", what, round, actual);
      fail();
    }
    return;
  }
  near(actual, expected, 1e-10, what, round);
}

/* Weights are repeated rows: the value with weights is that of the rows written out. */
static void correlations_count_all_pairs(void **state) {
  (void)state;
  enum { ROWS_MAX = 4 * SMALL_MAX };
  for (int round = 0; round < CASES; round++) {
    size_t n = 1 + draw_below(SMALL_MAX);
    double x[SMALL_MAX];
    double y[SMALL_MAX];
    double weights[SMALL_MAX];
    double all_x[ROWS_MAX];
    double all_y[ROWS_MAX];
    double truth[ROWS_MAX];
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
      x[i] = draw_below(5);
      y[i] = draw_below(4);
      weights[i] = draw_below(4);
      for (unsigned copy = 0; copy < (unsigned)weights[i]; copy++, rows++) {
        all_x[rows] = x[i];
        all_y[rows] = y[i];
        truth[rows] = y[i] > 1;
      }
    }
    same_number(value_of_numbers(EVA_METRIC_KENDALL, x, y, n, NULL), tau_by_pairs(x, y, n), "tau-b", round);
    same_number(value_of_numbers(EVA_METRIC_SPEARMAN, x, y, n, NULL), rho_by_ranks(x, y, n), "spearman", round);
    if (rows < 2) continue;
    same_number(value_of_numbers(EVA_METRIC_KENDALL, x, y, n, weights), tau_by_pairs(all_x, all_y, rows),
                "weighted tau-b", round);
    same_number(value_of_numbers(EVA_METRIC_SPEARMAN, x, y, n, weights), rho_by_ranks(all_x, all_y, rows),
                "weighted spearman", round);
    same_number(value_of_numbers(EVA_METRIC_AUC, all_x, truth, rows, NULL), auc_by_pairs(all_x, truth, rows), "auc",
                round);
  }
}

/* Kappa from the whole table of pairs, F1 from the lists of rows. */
static double kappa_by_table(const uint32_t *labels, size_t n, eva_label_weight weight) {
  double table[4][4] = {{0}};
  double rows[4] = {0};
  double columns[4] = {0};
  for (size_t i = 0; i < n; i++) {
    table[labels[2 * i]][labels[2 * i + 1]] += 1 / (double)n;
    rows[labels[2 * i]] += 1 / (double)n;
    columns[labels[2 * i + 1]] += 1 / (double)n;
  }
  double observed = 0;
  double expected = 0;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 4; j++) {
      double cost = weight == EVA_WEIGHT_NONE ? i != j : weight == EVA_WEIGHT_LINEAR ? abs(i - j) : (i - j) * (i - j);
      observed += cost * table[i][j];
      expected += cost * rows[i] * columns[j];
    }
  }
  return expected > 1e-12 ? 1 - observed / expected : NAN;
}

static double f1_by_rows(const uint32_t *labels, size_t n, eva_average average) {
  double sum = 0;
  double whole = 0;
  for (uint32_t label = 0; label < 4; label++) {
    double hits = 0;
    double predicted = 0;
    double truth = 0;
    for (size_t i = 0; i < n; i++) {
      predicted += labels[2 * i] == label;
      truth += labels[2 * i + 1] == label;
      hits += labels[2 * i] == label && labels[2 * i + 1] == label;
    }
    if (predicted + truth == 0) continue;
    double precision = predicted > 0 ? hits / predicted : 0;
    double recall = truth > 0 ? hits / truth : 0;
    double f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
    sum += average == EVA_AVERAGE_MACRO ? f1 : f1 * truth;
    whole += average == EVA_AVERAGE_MACRO ? 1 : truth;
  }
  return sum / whole;
}

static double value_of_labels(eva_metric_options options, const uint32_t *labels, size_t n) {
  eva_metric_data data = {.n = n, .labels = labels, .raters = 2, .label_count = 4};
  eva_metric *metric = eva_metric_new(&options, &data);
  double value = eva_metric_value(metric, NULL);
  eva_metric_free(metric);
  return value;
}

static void labels_are_counted_in_tables(void **state) {
  (void)state;
  for (int round = 0; round < CASES; round++) {
    size_t n = 1 + draw_below(SMALL_MAX);
    uint32_t labels[2 * SMALL_MAX];
    size_t same = 0;
    for (size_t i = 0; i < n; i++) {
      labels[2 * i] = draw_below(4);
      labels[2 * i + 1] = draw_below(3);
      same += labels[2 * i] == labels[2 * i + 1];
    }
    for (int weight = EVA_WEIGHT_NONE; weight <= EVA_WEIGHT_QUADRATIC; weight++) {
      eva_metric_options options = {.kind = EVA_METRIC_KAPPA, .weight = (eva_label_weight)weight};
      same_number(value_of_labels(options, labels, n), kappa_by_table(labels, n, (eva_label_weight)weight), "kappa",
                  round);
    }
    eva_metric_options macro = {.kind = EVA_METRIC_F1, .average = EVA_AVERAGE_MACRO};
    same_number(value_of_labels(macro, labels, n), f1_by_rows(labels, n, EVA_AVERAGE_MACRO), "macro f1", round);
    eva_metric_options weighted = {.kind = EVA_METRIC_F1, .average = EVA_AVERAGE_WEIGHTED};
    same_number(value_of_labels(weighted, labels, n), f1_by_rows(labels, n, EVA_AVERAGE_WEIGHTED), "weighted f1",
                round);
    eva_metric_options micro = {.kind = EVA_METRIC_F1, .average = EVA_AVERAGE_MICRO};
    same_number(value_of_labels(micro, labels, n), (double)same / (double)n, "micro f1", round);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(paired_t_is_its_definition),  cmocka_unit_test(mcnemar_is_the_count_of_all_signs),
      cmocka_unit_test(sign_flips_are_all_tried),    cmocka_unit_test(wilson_inverts_the_score_test),
      cmocka_unit_test(holm_closes_bonferroni),      cmocka_unit_test(correlations_count_all_pairs),
      cmocka_unit_test(labels_are_counted_in_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
