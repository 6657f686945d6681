/* Counts of successes: intervals of a proportion and tests of two. */
#ifndef EVA_STATS_PROPORTION_H
#define EVA_STATS_PROPORTION_H

#include <stddef.h>

#include "stats/summary.h"

/* The score interval of successes/n, clamped to [0, 1] (Wilson 1927). n = 0 or successes > n gives none. */
eva_interval eva_wilson(size_t successes, size_t n, double confidence);

/* The exact interval, from beta quantiles (Clopper and Pearson 1934). */
eva_interval eva_clopper_pearson(size_t successes, size_t n, double confidence);

/* The hybrid score interval of a/n_a - b/n_b for independent samples (Newcombe 1998, method 10). */
eva_interval eva_newcombe(size_t a, size_t n_a, size_t b, size_t n_b, double confidence);

/* P(rate of b > rate of a) under uniform Beta(1, 1) priors, as a finite sum (Miller 2015, "Formulas for Bayesian A/B
 * testing"). */
double eva_beta_superiority(size_t a, size_t n_a, size_t b, size_t n_b);

/* Exact two-sided McNemar test of the discordant pairs b and c: min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2)
 * (McNemar 1947; Edwards 1948). 1 without discordant pairs. Any counts: no overflow, no underflow to a wrong 0 before
 * the result itself does. */
double eva_mcnemar(size_t b, size_t c);

/* The mid-p version: half of the weight of the observed table (Fagerland, Lydersen, Laake 2013). */
double eva_mcnemar_mid(size_t b, size_t c);

#endif
