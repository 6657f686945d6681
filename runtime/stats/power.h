/* How much data a question needs, and chances over repeated trials. */
#ifndef EVA_STATS_POWER_H
#define EVA_STATS_POWER_H

#include <stddef.h>

/* (z(1 - alpha/2) + z(power)) * standard_error: the smallest difference that a two-sided test at alpha finds with that
 * power (Miller 2024, arXiv 2411.00640, section 5; 2.8016 standard errors for 0.05 and 0.8). */
double eva_detectable_difference(double standard_error, double alpha, double power);

/* The variance of one paired question difference: omega^2 between questions plus the noise of each side divided by its
 * trials (same paper, formula 9). */
double eva_difference_variance(double omega_squared, double noise_a, double noise_b, double trials_a, double trials_b);

/* The number of questions (not rounded up) that finds `difference` with that power. */
double eva_sample_size(double difference, double variance, double alpha, double power);

/* Given `correct` of n trials, the unbiased chance that k draws without repetition hold at least one correct trial
 * (Chen et al. 2021, arXiv 2107.03374) and that all k are correct (Yao et al. 2024, tau-bench, arXiv 2406.12045).
 * NaN unless correct <= n, 1 <= k <= n. */
double eva_pass_at(size_t n, size_t correct, size_t k);
double eva_pass_all(size_t n, size_t correct, size_t k);

#endif
