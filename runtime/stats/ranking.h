/* Scores of a judge that are more than one number: precision along a ranking, expectation over the answers it might have
 * given. */
#ifndef EVA_STATS_RANKING_H
#define EVA_STATS_RANKING_H

#include <stddef.h>

/* Average precision: the mean, over the relevant places of a ranking, of the share of relevant ones up to there
 * (Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 8.4). NAN where none is relevant. */
double eva_average_precision(const unsigned char *relevant, size_t n);

/* The expectation of a score over the values a judge gave a probability to, those below `least` left out and the others
 * weighted to 1 (G-Eval, Liu et al. 2023, equation 1). NAN where nothing is left or a probability is no number from 0 to
 * 1. */
double eva_expected_score(const double *values, const double *probabilities, size_t n, double least);

#endif
