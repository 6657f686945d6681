/* Special functions: normal, Student t, incomplete beta. */
#include "stats/special.h"

#include <math.h>

enum { FRACTION_STEPS_MAX = 20000, BISECTION_STEPS_MAX = 1100 };
static const double TINY = 1e-300;
/* Above this many degrees of freedom t and normal agree to about eight digits and the fraction gets slow. */
static const double NORMAL_DF = 1e8;
/* From here on the series of log_gamma_half_step has sixteen digits. */
static const double SERIES_MIN = 50;

double eva_log_gamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

double eva_normal_cdf(double z) {
  return 0.5 * erfc(-z / sqrt(2.0));
}

double eva_normal_quantile(double probability) {
  if (!(probability > 0 && probability < 1)) {
    return NAN;
  }
  if (probability == 0.5) {
    return 0;
  }
  if (probability > 0.5) { /* the lower tail keeps its digits; 1 - p is exact here */
    return -eva_normal_quantile(1 - probability);
  }
  double low = -40;
  double high = 0;
  for (int step = 0; step < BISECTION_STEPS_MAX; step++) {
    double middle = (low + high) / 2;
    if (middle <= low || middle >= high) {
      break;
    }
    if (eva_normal_cdf(middle) < probability) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}

/* The continued fraction of I_x(a, b) without its leading factor. */
static double beta_fraction(double a, double b, double x) {
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < TINY ? TINY : d);
  double value = d;
  for (int m = 1; m < FRACTION_STEPS_MAX; m++) {
    double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + even * d;
    d = 1 / (fabs(d) < TINY ? TINY : d);
    c = 1 + even / c;
    c = fabs(c) < TINY ? TINY : c;
    value *= d * c;
    double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + odd * d;
    d = 1 / (fabs(d) < TINY ? TINY : d);
    c = 1 + odd / c;
    c = fabs(c) < TINY ? TINY : c;
    value *= d * c;
    if (fabs(d * c - 1) < 1e-16) {
      break;
    }
  }
  return value;
}

/* log Gamma(a + 1/2) - log Gamma(a). For large a the difference of two large logarithms would lose its digits, so the
 * asymptotic series is used (from DLMF 5.11.8). */
static double log_gamma_half_step(double a) {
  if (a < SERIES_MIN) {
    return eva_log_gamma(a + 0.5) - eva_log_gamma(a);
  }
  double inverse = 1 / a;
  double square = inverse * inverse;
  return 0.5 * log(a) - inverse * (1.0 / 8 - square * (1.0 / 192 - square * (1.0 / 640 - square * 17.0 / 14336)));
}

static double log_beta_inverse(double a, double b) { /* -log B(a, b) */
  if (b == 0.5) {
    return log_gamma_half_step(a) - 0.5 * log(M_PI);
  }
  if (a == 0.5) {
    return log_gamma_half_step(b) - 0.5 * log(M_PI);
  }
  return eva_log_gamma(a + b) - eva_log_gamma(a) - eva_log_gamma(b);
}

/* I_x(a, b) where y = 1 - x is given too, since either may be known more exactly than 1 minus the other. */
static double beta_cdf(double x, double y, double a, double b) {
  if (x <= 0) {
    return 0;
  }
  if (y <= 0) {
    return 1;
  }
  double log_x = x > 0.5 ? log1p(-y) : log(x);
  double log_y = y > 0.5 ? log1p(-x) : log(y);
  double factor = exp(log_beta_inverse(a, b) + a * log_x + b * log_y);
  if (x < (a + 1) / (a + b + 2)) {
    return factor * beta_fraction(a, b, x) / a;
  }
  return 1 - factor * beta_fraction(b, a, y) / b;
}

double eva_beta_cdf(double x, double a, double b) {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) {
    return NAN;
  }
  return beta_cdf(x, 1 - x, a, b);
}

double eva_beta_quantile(double probability, double a, double b) {
  if (!(a > 0 && b > 0 && probability >= 0 && probability <= 1)) {
    return NAN;
  }
  double low = 0;
  double high = 1;
  for (int step = 0; step < BISECTION_STEPS_MAX; step++) {
    double middle = (low + high) / 2;
    if (middle <= low || middle >= high) {
      break;
    }
    if (eva_beta_cdf(middle, a, b) < probability) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}

double eva_t_two_sided(double t, double df) {
  if (isnan(t) || !(df > 0)) {
    return NAN;
  }
  if (isinf(t)) {
    return 0;
  }
  if (df >= NORMAL_DF) {
    return erfc(fabs(t) / sqrt(2.0));
  }
  double square = t * t;
  if (isinf(square)) {
    return 0;
  }
  return beta_cdf(df / (df + square), square / (df + square), df / 2, 0.5);
}

double eva_t_cdf(double t, double df) {
  double tail = eva_t_two_sided(t, df) / 2;
  return t >= 0 ? 1 - tail : tail;
}

double eva_t_quantile(double probability, double df) {
  if (!(probability > 0 && probability < 1) || !(df > 0)) {
    return NAN;
  }
  if (probability == 0.5) {
    return 0;
  }
  if (probability < 0.5) {
    return -eva_t_quantile(1 - probability, df);
  }
  double tail = 2 * (1 - probability);
  double low = 0;
  double high = 1;
  while (eva_t_two_sided(high, df) > tail && high < 1e150) {
    high *= 2;
  }
  for (int step = 0; step < BISECTION_STEPS_MAX; step++) {
    double middle = (low + high) / 2;
    if (middle <= low || middle >= high) {
      break;
    }
    if (eva_t_two_sided(middle, df) > tail) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}
