/* Detectable differences, sample sizes, pass@k and pass^k. */
#include "stats/power.h"

#include <math.h>

#include "stats/special.h"

static double quantile_sum(double alpha, double power) {
  return eva_normal_quantile(1 - alpha / 2) + eva_normal_quantile(power);
}

double eva_detectable_difference(double standard_error, double alpha, double power) {
  return quantile_sum(alpha, power) * standard_error;
}

double eva_difference_variance(double omega_squared, double noise_a, double noise_b, double trials_a, double trials_b) {
  return omega_squared + noise_a / trials_a + noise_b / trials_b;
}

double eva_sample_size(double difference, double variance, double alpha, double power) {
  double sum = quantile_sum(alpha, power);
  return sum * sum * variance / (difference * difference);
}

/* C(chosen, k) / C(n, k) as a product of k factors below 1. */
static double all_from(size_t n, size_t chosen, size_t k) {
  double probability = 1;
  for (size_t i = 0; i < k; i++) {
    if (chosen <= i) {
      return 0;
    }
    probability *= (double)(chosen - i) / (double)(n - i);
  }
  return probability;
}

double eva_pass_at(size_t n, size_t correct, size_t k) {
  if (correct > n || k == 0 || k > n) {
    return NAN;
  }
  return 1 - all_from(n, n - correct, k);
}

double eva_pass_all(size_t n, size_t correct, size_t k) {
  if (correct > n || k == 0 || k > n) {
    return NAN;
  }
  return all_from(n, correct, k);
}
