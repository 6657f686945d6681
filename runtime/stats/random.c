/* splitmix64 and the bootstrap of a mean. */
#include "stats/random.h"

#include "stats/summary.h"

eva_random eva_random_of(uint64_t seed) {
  return (eva_random){seed};
}

uint64_t eva_random_next(eva_random *random) {
  random->state += UINT64_C(0x9E3779B97F4A7C15);
  uint64_t z = random->state;
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

double eva_random_unit(eva_random *random) {
  return (double)(eva_random_next(random) >> 11) * 0x1p-53;
}

size_t eva_random_below(eva_random *random, size_t n) {
  return (size_t)(eva_random_unit(random) * (double)n);
}

void eva_bootstrap_means(const double *values, size_t n, uint64_t seed, double *means, size_t draws) {
  eva_random random = eva_random_of(seed);
  for (size_t draw = 0; draw < draws; draw++) {
    eva_sum sum = {0, 0};
    for (size_t i = 0; i < n; i++) {
      eva_sum_add(&sum, values[eva_random_below(&random, n)]);
    }
    means[draw] = eva_sum_total(&sum) / (double)n;
  }
}
