/* Intervals of a proportion, and the exact McNemar test. */
#include "stats/proportion.h"

#include <math.h>

#include "stats/special.h"

/* Up to here 2^-n is a normal double and the binomial sum can be done without logarithms (exactly for small n). */
enum { DIRECT_TRIALS_MAX = 1000 };

static const eva_interval NO_INTERVAL = {NAN, NAN};

static int usable(size_t successes, size_t n, double confidence) {
  return n > 0 && successes <= n && confidence > 0 && confidence < 1;
}

eva_interval eva_wilson(size_t successes, size_t n, double confidence) {
  if (!usable(successes, n, confidence)) {
    return NO_INTERVAL;
  }
  double count = (double)n;
  double rate = (double)successes / count;
  double z = eva_normal_quantile(0.5 + confidence / 2);
  double divisor = 1 + z * z / count;
  double centre = (rate + z * z / (2 * count)) / divisor;
  double half = z / divisor * sqrt(rate * (1 - rate) / count + z * z / (4 * count * count));
  /* At the ends the bound is the end itself; rounding would leave 3e-18 or 1 - 1e-16. */
  double low = successes == 0 ? 0 : centre - half;
  double high = successes == n ? 1 : centre + half;
  return (eva_interval){low < 0 ? 0 : low, high > 1 ? 1 : high};
}

eva_interval eva_clopper_pearson(size_t successes, size_t n, double confidence) {
  if (!usable(successes, n, confidence)) {
    return NO_INTERVAL;
  }
  double alpha = 1 - confidence;
  double k = (double)successes;
  double rest = (double)(n - successes);
  return (eva_interval){successes == 0 ? 0 : eva_beta_quantile(alpha / 2, k, rest + 1),
                        successes == n ? 1 : eva_beta_quantile(1 - alpha / 2, k + 1, rest)};
}

eva_interval eva_newcombe(size_t a, size_t n_a, size_t b, size_t n_b, double confidence) {
  if (!usable(a, n_a, confidence) || !usable(b, n_b, confidence)) {
    return NO_INTERVAL;
  }
  double rate_a = (double)a / (double)n_a;
  double rate_b = (double)b / (double)n_b;
  eva_interval of_a = eva_wilson(a, n_a, confidence);
  eva_interval of_b = eva_wilson(b, n_b, confidence);
  double delta = rate_a - rate_b;
  return (eva_interval){delta - hypot(rate_a - of_a.low, of_b.high - rate_b),
                        delta + hypot(of_a.high - rate_a, rate_b - of_b.low)};
}

static double log_beta(double a, double b) {
  return eva_log_gamma(a) + eva_log_gamma(b) - eva_log_gamma(a + b);
}

double eva_beta_superiority(size_t a, size_t n_a, size_t b, size_t n_b) {
  if (a > n_a || b > n_b) {
    return NAN;
  }
  double alpha_a = (double)a + 1;
  double beta_a = (double)(n_a - a) + 1;
  double beta_b = (double)(n_b - b) + 1;
  eva_sum sum = {0, 0};
  for (size_t i = 0; i <= b; i++) {
    double step = (double)i;
    eva_sum_add(&sum, exp(log_beta(alpha_a + step, beta_a + beta_b) - log(beta_b + step) - log_beta(1 + step, beta_b) -
                          log_beta(alpha_a, beta_a)));
  }
  double probability = eva_sum_total(&sum);
  return probability > 1 ? 1 : probability;
}

/* P(X <= k) and P(X = k) of X ~ Binomial(n, 1/2), k <= n / 2. */
static void lower_half_binomial(size_t k, size_t n, double *cumulative, double *point) {
  if (n <= DIRECT_TRIALS_MAX) {
    double term = ldexp(1, -(int)n);
    double sum = term;
    for (size_t i = 0; i < k; i++) {
      term = term * (double)(n - i) / (double)(i + 1);
      sum += term;
    }
    *cumulative = sum;
    *point = term;
    return;
  }
  /* From the largest term down, relative to it: ratios shrink, so the sum ends early and never overflows. */
  double trials = (double)n;
  double count = (double)k;
  double log_point =
      eva_log_gamma(trials + 1) - eva_log_gamma(count + 1) - eva_log_gamma(trials - count + 1) - trials * M_LN2;
  double ratio = 1;
  double relative = 1;
  for (size_t i = k; i > 0; i--) {
    ratio *= (double)i / (double)(n - i + 1);
    relative += ratio;
    if (ratio < 1e-18 * relative) {
      break;
    }
  }
  *point = exp(log_point);
  *cumulative = exp(log_point + log(relative));
}

double eva_mcnemar(size_t b, size_t c) {
  if (b == c) {
    return 1;
  }
  double cumulative;
  double point;
  lower_half_binomial(b < c ? b : c, b + c, &cumulative, &point);
  return cumulative >= 0.5 ? 1 : 2 * cumulative;
}

double eva_mcnemar_mid(size_t b, size_t c) {
  if (b == c) {
    return 1;
  }
  double cumulative;
  double point;
  lower_half_binomial(b < c ? b : c, b + c, &cumulative, &point);
  double p = 2 * cumulative - point;
  return p > 1 ? 1 : p;
}
