/* Distances and similarities of texts, by Unicode characters (code points). A byte that is not UTF-8 counts as a
 * character of its own.
 *
 * Every function fills *out and returns EVA_OK, or EVA_E_LIMIT when a text is longer than the limit it names. */
#ifndef EVA_DATA_TEXT_H
#define EVA_DATA_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
  EVA_TEXT_LENGTH_MAX = 100000,  /* characters, for metrics that run on 64 characters at once */
  EVA_TEXT_QUADRATIC_MAX = 20000 /* characters, for metrics that compare every pair */
};

/* Insertions, deletions and substitutions that make one text the other. */
eva_code eva_text_levenshtein(eva_text a, eva_text b, int64_t *out, eva_error *error);
/* The same, and transpositions of neighbours, also around other edits (unrestricted; at most QUADRATIC_MAX). */
eva_code eva_text_damerau(eva_text a, eva_text b, int64_t *out, eva_error *error);
/* Places where the texts differ; what one is longer counts too. */
eva_code eva_text_hamming(eva_text a, eva_text b, int64_t *out, eva_error *error);

/* Similarities, 0 to 1. Two empty texts are alike: 1. */
eva_code eva_text_jaro(eva_text a, eva_text b, double *out, eva_error *error); /* at most QUADRATIC_MAX */
/* Jaro raised for a common prefix of up to 4 characters where it is above 0.7 (Winkler); with long_tolerance also for
 * long texts that agree in most characters. */
eva_code eva_text_jaro_winkler(eva_text a, eva_text b, int long_tolerance, double *out, eva_error *error);
/* Sorensen-Dice over pairs of neighbouring characters, counted as often as they stand there. Texts of one character
 * have no pairs: 1 if equal, else 0. */
eva_code eva_text_dice(eva_text a, eva_text b, double *out, eva_error *error);
/* Twice the longest common subsequence over the sum of the lengths. */
eva_code eva_text_lcs_ratio(eva_text a, eva_text b, double *out, eva_error *error);
/* Jaccard over the sets of words (size 0), or of consecutive pieces of `size` characters (as jellyfish cuts them). */
eva_code eva_text_jaccard(eva_text a, eva_text b, size_t size, double *out, eva_error *error);

/* Words: runs of characters that are not Unicode white space. */
size_t eva_text_words(eva_text text);
/* Appends the text with simple Unicode case folding; what is not UTF-8 stays as it is. */
void eva_text_fold(eva_text text, eva_buf *out);

/* ==== For the metrics themselves ==== */

typedef struct eva_points {
  uint32_t *data; /* code points; bytes that are not UTF-8 are 0x110000 + byte */
  size_t len;
} eva_points;

/* Decodes both texts, refusing more than `limit` characters. Free both with eva_points_free when EVA_OK. */
eva_code eva_points_of_pair(eva_text a, eva_text b, size_t limit, eva_points *a_out, eva_points *b_out,
                            eva_error *error);
void eva_points_free(eva_points *points);
int eva_point_is_space(uint32_t point);

#endif
