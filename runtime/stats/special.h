/* Special functions: the normal and Student t distributions and the incomplete beta function behind them.
 *
 * Pure functions of doubles. An argument outside the domain gives NaN, which callers turn into "no value". */
#ifndef EVA_STATS_SPECIAL_H
#define EVA_STATS_SPECIAL_H

/* Phi(z) = erfc(-z / sqrt 2) / 2 (Abramowitz and Stegun 7.1.22 with 26.2.29). */
double eva_normal_cdf(double z);

/* The z with Phi(z) = probability, by bisection to the last bit. 0 < probability < 1. */
double eva_normal_quantile(double probability);

/* Regularised incomplete beta function I_x(a, b), a > 0, b > 0, 0 <= x <= 1, by Lentz's evaluation of the continued
 * fraction (DLMF 8.17.22; Press et al., Numerical Recipes, section 6.4). */
double eva_beta_cdf(double x, double a, double b);

/* The x with I_x(a, b) = probability, by bisection. */
double eva_beta_quantile(double probability, double a, double b);

/* P(|T| >= |t|) of Student's t: I_{df/(df + t^2)}(df/2, 1/2) (Abramowitz and Stegun 26.7.1). Accurate in the tail,
 * where 1 - cdf would be lost to rounding. df > 0; infinite t gives 0. */
double eva_t_two_sided(double t, double df);

/* P(T <= t). */
double eva_t_cdf(double t, double df);

/* The t with P(T <= t) = probability, 0 < probability < 1, df > 0, by bisection on the two-sided tail. */
double eva_t_quantile(double probability, double df);

/* log Gamma(x), x > 0; does not touch the global signgam. */
double eva_log_gamma(double x);

#endif
