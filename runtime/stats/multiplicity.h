/* Adjusting p-values when several are judged together. */
#ifndef EVA_STATS_MULTIPLICITY_H
#define EVA_STATS_MULTIPLICITY_H

#include <stddef.h>

/* Both write n adjusted p-values in the order of p; `adjusted` may be p itself. Values are in [0, 1]. */
/* Family-wise error (Holm 1979). */
void eva_holm(const double *p, size_t n, double *adjusted);
/* False discovery rate (Benjamini and Hochberg 1995). */
void eva_benjamini_hochberg(const double *p, size_t n, double *adjusted);

#endif
