/* A small seeded generator and what is computed with it: the bootstrap of a mean. */
#ifndef EVA_STATS_RANDOM_H
#define EVA_STATS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"). Equal seeds give equal
 * sequences on every machine. */
typedef struct eva_random {
  uint64_t state;
} eva_random;

eva_random eva_random_of(uint64_t seed);
uint64_t eva_random_next(eva_random *random);   /* 64 random bits */
double eva_random_unit(eva_random *random);     /* uniform in [0, 1): the upper 53 bits times 2^-53 */
size_t eva_random_below(eva_random *random, size_t n); /* 0 .. n-1 as floor(unit * n); n > 0 */

/* Fills means[0 .. draws-1] with the means of `draws` resamples of values[0 .. n-1] with replacement, n > 0
 * (Efron 1979, "Bootstrap methods: another look at the jackknife"). */
void eva_bootstrap_means(const double *values, size_t n, uint64_t seed, double *means, size_t draws);

#endif
