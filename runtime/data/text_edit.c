/* Text metrics over alignments: Levenshtein and longest common subsequence by 64 characters at once (Myers 1999, Hyyro
 * 2003), and Damerau-Levenshtein in linear space (Zhao and Sahni 2019). */
#include <stdlib.h>
#include <string.h>

#include "data/text.h"

enum { WORD_BITS = 64 };

/* ==== Where each character of a pattern stands ==== */

/* The bits of one 64-character block in which a character stands; sorted by character, then block. */
typedef struct match {
  uint32_t point;
  uint32_t block;
  uint64_t bits;
} match;

typedef struct pattern {
  match *matches;
  size_t match_count;
  size_t block_count;
  size_t len;
} pattern;

static int compare_matches(const void *left, const void *right) {
  const match *a = left, *b = right;
  if (a->point != b->point) return a->point < b->point ? -1 : 1;
  return a->block < b->block ? -1 : a->block > b->block;
}

static pattern pattern_of(const eva_points *points) {
  pattern p = {eva_alloc(points->len * sizeof(match)), 0, (points->len + WORD_BITS - 1) / WORD_BITS, points->len};
  for (size_t i = 0; i < points->len; i++) {
    p.matches[i] = (match){points->data[i], (uint32_t)(i / WORD_BITS), UINT64_C(1) << (i % WORD_BITS)};
  }
  qsort(p.matches, points->len, sizeof(match), compare_matches);
  for (size_t i = 0; i < points->len; i++) {
    if (p.match_count > 0 && compare_matches(&p.matches[p.match_count - 1], &p.matches[i]) == 0) {
      p.matches[p.match_count - 1].bits |= p.matches[i].bits;
    } else {
      p.matches[p.match_count++] = p.matches[i];
    }
  }
  return p;
}

/* The index of the first match of a character, or match_count. */
static size_t find_matches(const pattern *p, uint32_t point) {
  size_t low = 0, high = p->match_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (p->matches[middle].point < point) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* The bits of `block`, walking *at along the matches of `point`; blocks are asked for in order. */
static uint64_t next_bits(const pattern *p, uint32_t point, uint32_t block, size_t *at) {
  if (*at < p->match_count && p->matches[*at].point == point && p->matches[*at].block == block) {
    return p->matches[(*at)++].bits;
  }
  return 0;
}

/* ==== Levenshtein ==== */

static void trim_common(eva_points *x, eva_points *y, size_t *start) {
  *start = 0;
  while (*start < x->len && *start < y->len && x->data[*start] == y->data[*start]) (*start)++;
  while (x->len > *start && y->len > *start && x->data[x->len - 1] == y->data[y->len - 1]) {
    x->len--;
    y->len--;
  }
}

/* Vertical differences of one column of the distance matrix: +1 in plus, -1 in minus. */
typedef struct column_block {
  uint64_t plus, minus;
} column_block;

static int64_t myers(const eva_points *shorter, const eva_points *longer) {
  pattern p = pattern_of(shorter);
  column_block *column = eva_alloc(p.block_count * sizeof *column);
  for (size_t i = 0; i < p.block_count; i++) column[i] = (column_block){~UINT64_C(0), 0};
  uint64_t last_row = UINT64_C(1) << ((p.len - 1) % WORD_BITS);
  int64_t distance = (int64_t)p.len;
  for (size_t j = 0; j < longer->len; j++) {
    size_t at = find_matches(&p, longer->data[j]);
    uint64_t carry_plus = 1, carry_minus = 0; /* the top row grows by one each column */
    for (size_t i = 0; i < p.block_count; i++) {
      uint64_t plus = column[i].plus, minus = column[i].minus;
      uint64_t equal = next_bits(&p, longer->data[j], (uint32_t)i, &at);
      uint64_t vertical = equal | minus;
      equal |= carry_minus;
      uint64_t horizontal = (((equal & plus) + plus) ^ plus) | equal;
      uint64_t right_plus = minus | ~(horizontal | plus), right_minus = plus & horizontal;
      if (i + 1 == p.block_count) distance += ((right_plus & last_row) != 0) - ((right_minus & last_row) != 0);
      uint64_t shifted_plus = right_plus << 1 | carry_plus, shifted_minus = right_minus << 1 | carry_minus;
      carry_plus = right_plus >> (WORD_BITS - 1);
      carry_minus = right_minus >> (WORD_BITS - 1);
      column[i] = (column_block){shifted_minus | ~(vertical | shifted_plus), shifted_plus & vertical};
    }
  }
  free(column);
  free(p.matches);
  return distance;
}

eva_code eva_text_levenshtein(eva_text a, eva_text b, int64_t *out, eva_error *error) {
  eva_points x, y;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_LENGTH_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  size_t start;
  trim_common(&x, &y, &start);
  eva_points shorter = {x.data + start, x.len - start}, longer = {y.data + start, y.len - start};
  if (shorter.len > longer.len) {
    eva_points swapped = shorter;
    shorter = longer;
    longer = swapped;
  }
  *out = shorter.len == 0 ? (int64_t)longer.len : myers(&shorter, &longer);
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

/* ==== Longest common subsequence ==== */

static size_t common_subsequence(const eva_points *x, const eva_points *y) {
  pattern p = pattern_of(x);
  uint64_t *row = eva_alloc(p.block_count * sizeof *row);
  memset(row, 0xFF, p.block_count * sizeof *row); /* zero bits are characters of the subsequence */
  for (size_t j = 0; j < y->len; j++) {
    size_t at = find_matches(&p, y->data[j]);
    uint64_t carry = 0;
    for (size_t i = 0; i < p.block_count; i++) {
      uint64_t both = row[i] & next_bits(&p, y->data[j], (uint32_t)i, &at);
      uint64_t sum = row[i] + both;
      uint64_t overflow = sum < row[i];
      sum += carry;
      carry = overflow | (sum < carry);
      row[i] = sum | (row[i] - both);
    }
  }
  size_t length = 0;
  for (size_t i = 0; i < x->len; i++) length += !(row[i / WORD_BITS] >> (i % WORD_BITS) & 1);
  free(row);
  free(p.matches);
  return length;
}

eva_code eva_text_lcs_ratio(eva_text a, eva_text b, double *out, eva_error *error) {
  eva_points x, y;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_LENGTH_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  size_t together = x.len + y.len;
  if (together == 0) {
    *out = 1;
  } else {
    size_t common = x.len == 0 || y.len == 0 ? 0 : common_subsequence(&x, &y);
    *out = 2.0 * (double)common / (double)together;
  }
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

/* ==== Damerau-Levenshtein ==== */

static int compare_points(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

/* Replaces the characters of both by small numbers, equal for equal characters; returns how many there are. */
static size_t number_points(eva_points *x, eva_points *y) {
  size_t count = 0, all = x->len + y->len;
  uint32_t *points = eva_alloc(all * sizeof *points);
  memcpy(points, x->data, x->len * sizeof *points);
  memcpy(points + x->len, y->data, y->len * sizeof *points);
  qsort(points, all, sizeof *points, compare_points);
  for (size_t i = 0; i < all; i++) {
    if (count == 0 || points[count - 1] != points[i]) points[count++] = points[i];
  }
  for (size_t i = 0; i < all; i++) {
    uint32_t *point = i < x->len ? &x->data[i] : &y->data[i - x->len];
    *point = (uint32_t)((uint32_t *)bsearch(point, points, count, sizeof *points, compare_points) - points);
  }
  free(points);
  return count;
}

static int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/* Rows are indexed from -1 (a wall of `far`). `transposed[j]` keeps the cell before the last match in column j; the
 * last row in which a character of y stood at x comes from last_row. */
static int64_t damerau(const eva_points *x, const eva_points *y, size_t point_count) {
  int32_t x_len = (int32_t)x->len, y_len = (int32_t)y->len, far = x_len + y_len + 1;
  size_t width = y->len + 2;
  int32_t *memory = eva_alloc((3 * width + point_count) * sizeof *memory);
  int32_t *row = memory + 1, *above = row + width, *transposed = above + width, *last_row = memory + 3 * width;
  for (int32_t j = -1; j <= y_len; j++) {
    row[j] = j < 0 ? far : j;
    above[j] = transposed[j] = far;
  }
  for (size_t i = 0; i < point_count; i++) last_row[i] = -1;
  for (int32_t i = 1; i <= x_len; i++) {
    int32_t *swapped = row;
    row = above;
    above = swapped;
    int32_t last_column = -1, two_above_left = row[0], before_match = far;
    row[0] = i;
    for (int32_t j = 1; j <= y_len; j++) {
      int is_match = x->data[i - 1] == y->data[j - 1];
      int32_t best = smaller(above[j - 1] + !is_match, smaller(row[j - 1], above[j]) + 1);
      if (is_match) {
        last_column = j;
        transposed[j] = above[j - 2];
        before_match = two_above_left;
      } else {
        int32_t k = last_row[y->data[j - 1]], l = last_column;
        if (j - l == 1) {
          best = smaller(best, transposed[j] + (i - k));
        } else if (i - k == 1) {
          best = smaller(best, before_match + (j - l));
        }
      }
      two_above_left = row[j];
      row[j] = best;
    }
    last_row[x->data[i - 1]] = i;
  }
  int32_t distance = row[y_len];
  free(memory);
  return distance;
}

eva_code eva_text_damerau(eva_text a, eva_text b, int64_t *out, eva_error *error) {
  eva_points x, y;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_QUADRATIC_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  *out = damerau(&x, &y, number_points(&x, &y));
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}
