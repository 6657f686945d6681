/* Average precision and expected scores; see ranking.h. */
#include "stats/ranking.h"

#include <math.h>

double eva_average_precision(const unsigned char *relevant, size_t n) {
  size_t found = 0;
  double sum = 0;
  for (size_t place = 0; place < n; place++) {
    if (!relevant[place]) continue;
    found++;
    sum += (double)found / (double)(place + 1);
  }
  return found ? sum / (double)found : NAN;
}

double eva_expected_score(const double *values, const double *probabilities, size_t n, double least) {
  double sum = 0, weight = 0;
  for (size_t i = 0; i < n; i++) {
    if (!(probabilities[i] >= 0 && probabilities[i] <= 1)) return NAN;
    if (probabilities[i] < least) continue;
    sum += values[i] * probabilities[i];
    weight += probabilities[i];
  }
  return weight > 0 ? sum / weight : NAN;
}
