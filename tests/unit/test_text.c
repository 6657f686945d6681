/* Text metrics: known values, and the fast algorithms against the plain ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/text.h"

typedef eva_code (*distance_function)(eva_text a, eva_text b, int64_t *out, eva_error *error);
typedef eva_code (*similarity_function)(eva_text a, eva_text b, double *out, eva_error *error);

static int64_t distance(distance_function function, const char *a, const char *b) {
  eva_error error;
  int64_t out = -1, back = -2;
  assert_int_equal(function(eva_text_of(a), eva_text_of(b), &out, &error), EVA_OK);
  assert_int_equal(function(eva_text_of(b), eva_text_of(a), &back, &error), EVA_OK);
  assert_int_equal(out, back);
  return out;
}

static double similarity(similarity_function function, const char *a, const char *b) {
  eva_error error;
  double out = -1;
  assert_int_equal(function(eva_text_of(a), eva_text_of(b), &out, &error), EVA_OK);
  return out;
}

static void check_near(double actual, double expected) {
  if (fabs(actual - expected) > 1e-9) fail_msg("expected %.12g, got %.12g", expected, actual);
}

static void distances_of_known_pairs(void **state) {
  (void)state;
  assert_int_equal(distance(eva_text_levenshtein, "kitten", "sitting"), 3);
  assert_int_equal(distance(eva_text_levenshtein, "", "abc"), 3);
  assert_int_equal(distance(eva_text_levenshtein, "", ""), 0);
  assert_int_equal(distance(eva_text_levenshtein, "na\xC3\xAFve", "naive"), 1);
  assert_int_equal(distance(eva_text_damerau, "ifhs", "fish"), 2);
  assert_int_equal(distance(eva_text_damerau, "abcd", "acb"), 2);
  assert_int_equal(distance(eva_text_damerau, "ca", "abc"), 2); /* 3 in the restricted kind */
  assert_int_equal(distance(eva_text_damerau, "", ""), 0);
  assert_int_equal(distance(eva_text_hamming, "karolin", "kathrin"), 3);
  assert_int_equal(distance(eva_text_hamming, "abc", "abcde"), 2);
  /* Bytes that are not UTF-8 are characters, and different ones differ. */
  assert_int_equal(distance(eva_text_levenshtein, "a\xFF", "a\xFE"), 1);
}

static void similarities_of_known_pairs(void **state) {
  (void)state;
  check_near(similarity(eva_text_jaro, "martha", "marhta"), 17.0 / 18);
  check_near(similarity(eva_text_jaro, "", ""), 1);
  check_near(similarity(eva_text_jaro, "", "a"), 0);
  check_near(similarity(eva_text_dice, "night", "nacht"), 0.25);
  check_near(similarity(eva_text_dice, "aaaa", "aa"), 0.5); /* 3 pairs and 1 pair share 1 */
  check_near(similarity(eva_text_dice, "a", "a"), 1);
  check_near(similarity(eva_text_dice, "a", "b"), 0);
  check_near(similarity(eva_text_dice, "", ""), 1);
  check_near(similarity(eva_text_lcs_ratio, "abcde", "ace"), 0.75);
  check_near(similarity(eva_text_lcs_ratio, "", ""), 1);
  check_near(similarity(eva_text_lcs_ratio, "", "x"), 0);
  eva_error error;
  double out;
  assert_int_equal(eva_text_jaccard(eva_text_of("a b  b"), eva_text_of("b c"), 0, &out, &error), EVA_OK);
  check_near(out, 1.0 / 3);
}

/* ==== Plain algorithms to compare with ==== */

enum { PLAIN_MAX = 160 };

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void plain_tables(const char *a, const char *b, int64_t *levenshtein, int64_t *common) {
  static int64_t edits[PLAIN_MAX + 1][PLAIN_MAX + 1], shared[PLAIN_MAX + 1][PLAIN_MAX + 1];
  size_t a_len = strlen(a), b_len = strlen(b);
  for (size_t i = 0; i <= a_len; i++) {
    for (size_t j = 0; j <= b_len; j++) {
      if (i == 0 || j == 0) {
        edits[i][j] = (int64_t)(i + j);
        shared[i][j] = 0;
        continue;
      }
      int same = a[i - 1] == b[j - 1];
      edits[i][j] = least(edits[i - 1][j - 1] + !same, least(edits[i - 1][j], edits[i][j - 1]) + 1);
      shared[i][j] = same ? shared[i - 1][j - 1] + 1 : -least(-shared[i - 1][j], -shared[i][j - 1]);
    }
  }
  *levenshtein = edits[a_len][b_len];
  *common = shared[a_len][b_len];
}

/* Lowrance and Wagner's table, with a border of row and column -1. */
static int64_t plain_damerau(const char *a, const char *b) {
  static int64_t d[PLAIN_MAX + 2][PLAIN_MAX + 2];
  int64_t a_len = (int64_t)strlen(a), b_len = (int64_t)strlen(b), last_row[256] = {0};
  for (int64_t i = 0; i <= a_len + 1; i++) d[i][0] = a_len + b_len;
  for (int64_t j = 0; j <= b_len + 1; j++) d[0][j] = a_len + b_len;
  for (int64_t i = 1; i <= a_len + 1; i++) d[i][1] = i - 1;
  for (int64_t j = 1; j <= b_len + 1; j++) d[1][j] = j - 1;
  for (int64_t i = 1; i <= a_len; i++) {
    int64_t last_column = 0;
    for (int64_t j = 1; j <= b_len; j++) {
      int64_t k = last_row[(unsigned char)b[j - 1]], l = last_column;
      int same = a[i - 1] == b[j - 1];
      if (same) last_column = j;
      int64_t best = least(d[i][j] + !same, least(d[i + 1][j], d[i][j + 1]) + 1);
      d[i + 1][j + 1] = least(best, d[k][l] + (i - k - 1) + 1 + (j - l - 1));
    }
    last_row[(unsigned char)a[i - 1]] = i;
  }
  return d[a_len + 1][b_len + 1];
}

static void random_text(char *out, int length_max, int letters) {
  int len = rand() % (length_max + 1);
  for (int i = 0; i < len; i++) out[i] = (char)('a' + rand() % letters);
  out[len] = '\0';
}

static void fast_equals_plain(void **state) {
  (void)state;
  srand(7);
  for (int i = 0; i < 3000; i++) {
    char a[PLAIN_MAX + 1], b[PLAIN_MAX + 1];
    int length_max = i % 10 == 0 ? PLAIN_MAX : 12, letters = 2 + i % 4;
    random_text(a, length_max, letters);
    random_text(b, length_max, letters);
    int64_t levenshtein, common;
    plain_tables(a, b, &levenshtein, &common);
    assert_int_equal(distance(eva_text_levenshtein, a, b), levenshtein);
    assert_int_equal(distance(eva_text_damerau, a, b), plain_damerau(a, b));
    size_t together = strlen(a) + strlen(b);
    if (together > 0) check_near(similarity(eva_text_lcs_ratio, a, b), 2.0 * (double)common / (double)together);
  }
}

static void long_texts_are_refused(void **state) {
  (void)state;
  eva_buf buf = {0};
  eva_error error;
  int64_t out;
  double ratio;
  for (int i = 0; i < EVA_TEXT_QUADRATIC_MAX; i++) eva_buf_add(&buf, "\xC3\xA9", 2);
  eva_text small = EVA_TEXT_LITERAL("x");
  assert_int_equal(eva_text_damerau(eva_buf_text(&buf), small, &out, &error), EVA_OK);
  eva_buf_add_char(&buf, 'x');
  assert_int_equal(eva_text_damerau(eva_buf_text(&buf), small, &out, &error), EVA_E_LIMIT);
  assert_non_null(strstr(error.message, "20001 characters"));
  assert_int_equal(eva_text_jaro(small, eva_buf_text(&buf), &ratio, &error), EVA_E_LIMIT);
  assert_int_equal(eva_text_levenshtein(eva_buf_text(&buf), small, &out, &error), EVA_OK);
  assert_int_equal(out, EVA_TEXT_QUADRATIC_MAX);
  while (buf.len <= (size_t)EVA_TEXT_LENGTH_MAX * 4) eva_buf_add_string(&buf, "more and more");
  assert_int_equal(eva_text_levenshtein(eva_buf_text(&buf), small, &out, &error), EVA_E_LIMIT);
  assert_int_equal(eva_text_lcs_ratio(eva_buf_text(&buf), small, &ratio, &error), EVA_E_LIMIT);
  eva_buf_free(&buf);
}

static void words_and_folding(void **state) {
  (void)state;
  assert_int_equal(eva_text_words(eva_text_of("")), 0);
  assert_int_equal(eva_text_words(eva_text_of("  two\twords\n")), 2);
  assert_int_equal(eva_text_words(eva_text_of("a\xC2\xA0" "b\xE3\x80\x80" "c")), 3);
  static const char *const cases[][2] = {
      {"ABC xyz 123", "abc xyz 123"},
      {"\xC3\x84\xC3\x96\xC3\x9C\xC3\x9F", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F"}, /* German; sharp s stays */
      {"\xE1\xBA\x9E", "\xC3\x9F"},                                             /* capital sharp s */
      {"\xCE\xA3\xCF\x82", "\xCF\x83\xCF\x83"},                                 /* both sigmas */
      {"\xD0\x9F\xD0\xA0", "\xD0\xBF\xD1\x80"},                                 /* Cyrillic */
      {"\xC4\x80\xC4\x81", "\xC4\x81\xC4\x81"},                                 /* every other one */
      {"\xF0\x90\x90\x80", "\xF0\x90\x90\xA8"},                                 /* Deseret */
      {"\xFF" "A", "\xFF" "a"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    eva_buf out = {0};
    eva_text_fold(eva_text_of(cases[i][0]), &out);
    assert_string_equal(out.data, cases[i][1]);
    eva_buf_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distances_of_known_pairs),
      cmocka_unit_test(similarities_of_known_pairs),
      cmocka_unit_test(fast_equals_plain),
      cmocka_unit_test(long_texts_are_refused),
      cmocka_unit_test(words_and_folding),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
