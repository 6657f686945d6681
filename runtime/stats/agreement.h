/* How far two or more raters agree beyond chance. Labels are small numbers 0 .. label_count-1. */
#ifndef EVA_STATS_AGREEMENT_H
#define EVA_STATS_AGREEMENT_H

#include <stddef.h>
#include <stdint.h>

/* Cohen's kappa of two raters over n units (Cohen 1960): (observed - expected) / (1 - expected). NaN for n = 0 and
 * where both always give one and the same label, since chance alone would agree then. */
double eva_kappa(const uint32_t *x, const uint32_t *y, size_t n, size_t label_count);

/* Krippendorff's alpha for nominal labels and any number of ratings per unit (Krippendorff 2011, "Computing
 * Krippendorff's alpha-reliability"). Unit u holds labels[ends[u-1] .. ends[u]-1]; units with fewer than two ratings
 * do not count. NaN when nothing is pairable or only one label occurs. */
double eva_krippendorff_nominal(const uint32_t *labels, const size_t *ends, size_t unit_count, size_t label_count);

#endif
