/* Text metrics that compare characters and sets: Hamming, Jaro, Dice, Jaccard; and words. */
#include "data/text.h"

#include <stdlib.h>
#include <string.h>

#include "data/utf8.h"

enum { NOT_UTF8_BASE = 0x110000 };

/* ==== Code points ==== */

static eva_points points_of(eva_text text) {
  eva_points points = {eva_alloc(text.len * sizeof(uint32_t)), 0};
  for (size_t at = 0; at < text.len;) {
    size_t size;
    int32_t point = eva_utf8_decode(text.data + at, text.len - at, &size);
    if (point < 0) {
      point = NOT_UTF8_BASE + (unsigned char)text.data[at];
      size = 1;
    }
    points.data[points.len++] = (uint32_t)point;
    at += size;
  }
  return points;
}

void eva_points_free(eva_points *points) {
  free(points->data);
  *points = (eva_points){0};
}

eva_code eva_points_of_pair(eva_text a, eva_text b, size_t limit, eva_points *a_out, eva_points *b_out,
                            eva_error *error) {
  size_t longer = a.len > b.len ? a.len : b.len;
  if (longer > limit * EVA_UTF8_MAX_BYTES) { /* too long however it is encoded: do not decode it first */
    return eva_error_set(error, EVA_E_LIMIT, NULL,
                         "a text of %zu bytes is too long to compare (at most %zu characters)", longer, limit);
  }
  *a_out = points_of(a);
  *b_out = points_of(b);
  longer = a_out->len > b_out->len ? a_out->len : b_out->len;
  if (longer <= limit) return EVA_OK;
  eva_points_free(a_out);
  eva_points_free(b_out);
  return eva_error_set(error, EVA_E_LIMIT, NULL, "a text of %zu characters is too long to compare (at most %zu)",
                       longer, limit);
}

int eva_point_is_space(uint32_t point) {
  if (point < 0x80) return point == ' ' || (point >= '\t' && point <= '\r');
  return point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

size_t eva_text_words(eva_text text) {
  size_t count = 0;
  int in_word = 0;
  for (size_t at = 0; at < text.len;) {
    size_t size;
    int32_t point = eva_utf8_decode(text.data + at, text.len - at, &size);
    int is_space = point >= 0 && eva_point_is_space((uint32_t)point);
    count += !is_space && !in_word;
    in_word = !is_space;
    at += size;
  }
  return count;
}

/* ==== Place by place ==== */

eva_code eva_text_hamming(eva_text a, eva_text b, int64_t *out, eva_error *error) {
  eva_points x, y;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_LENGTH_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  size_t shorter = x.len < y.len ? x.len : y.len, longer = x.len > y.len ? x.len : y.len;
  *out = (int64_t)(longer - shorter);
  for (size_t i = 0; i < shorter; i++) *out += x.data[i] != y.data[i];
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

/* ==== Jaro and Jaro-Winkler ==== */

/* Marks each character of x that has a partner in y within the window, and the partner; returns how many. */
static size_t mark_common(const eva_points *x, const eva_points *y, unsigned char *x_marks, unsigned char *y_marks) {
  size_t longer = x->len > y->len ? x->len : y->len;
  size_t window = longer / 2 > 0 ? longer / 2 - 1 : 0;
  size_t common = 0;
  for (size_t i = 0; i < x->len; i++) {
    size_t low = i > window ? i - window : 0;
    size_t high = i + window < y->len ? i + window + 1 : y->len;
    for (size_t j = low; j < high; j++) {
      if (!y_marks[j] && y->data[j] == x->data[i]) {
        x_marks[i] = y_marks[j] = 1;
        common++;
        break;
      }
    }
  }
  return common;
}

static size_t count_transposed(const eva_points *x, const eva_points *y, const unsigned char *x_marks,
                               const unsigned char *y_marks) {
  size_t out_of_place = 0, j = 0;
  for (size_t i = 0; i < x->len; i++) {
    if (!x_marks[i]) continue;
    while (!y_marks[j]) j++;
    out_of_place += x->data[i] != y->data[j++];
  }
  return out_of_place / 2;
}

static double jaro(const eva_points *x, const eva_points *y, size_t *common_out) {
  *common_out = 0;
  if (x->len == 0 && y->len == 0) return 1;
  if (x->len == 0 || y->len == 0) return 0;
  unsigned char *marks = eva_alloc_zeroed(x->len + y->len, 1);
  size_t common = mark_common(x, y, marks, marks + x->len);
  double weight = 0;
  if (common > 0) {
    double c = (double)common, transposed = (double)count_transposed(x, y, marks, marks + x->len);
    weight = (c / (double)x->len + c / (double)y->len + (c - transposed) / c) / 3;
  }
  free(marks);
  *common_out = common;
  return weight;
}

eva_code eva_text_jaro(eva_text a, eva_text b, double *out, eva_error *error) {
  eva_points x, y;
  size_t common;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_QUADRATIC_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  *out = jaro(&x, &y, &common);
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

eva_code eva_text_jaro_winkler(eva_text a, eva_text b, int long_tolerance, double *out, eva_error *error) {
  enum { PREFIX_MAX = 4 };
  const double boost_from = 0.7, prefix_scale = 0.1;
  eva_points x, y;
  size_t common, prefix = 0;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_QUADRATIC_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  double weight = jaro(&x, &y, &common);
  if (weight > boost_from && common > 0) {
    size_t shorter = x.len < y.len ? x.len : y.len;
    while (prefix < PREFIX_MAX && prefix < shorter && x.data[prefix] == y.data[prefix]) prefix++;
    weight += (double)prefix * prefix_scale * (1 - weight);
    if (long_tolerance && shorter > PREFIX_MAX && common > prefix + 1 && 2 * common >= shorter + prefix) {
      weight += (1 - weight) * (double)(common - prefix - 1) / (double)(x.len + y.len - 2 * prefix + 2);
    }
  }
  *out = weight;
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

/* ==== Sets of pieces ==== */

typedef struct piece {
  const uint32_t *data;
  size_t len;
} piece;

static int compare_pieces(const void *left, const void *right) {
  const piece *a = left, *b = right;
  size_t shorter = a->len < b->len ? a->len : b->len;
  for (size_t i = 0; i < shorter; i++) {
    if (a->data[i] != b->data[i]) return a->data[i] < b->data[i] ? -1 : 1;
  }
  return a->len < b->len ? -1 : a->len > b->len;
}

/* Cuts into words (size 0), or pieces of `size` characters `step` apart; a last, shorter one only if they do not
 * overlap. Returns the sorted pieces; free them. */
static piece *cut(const eva_points *points, size_t size, size_t step, size_t *count_out) {
  piece *pieces = eva_alloc((points->len + 1) * sizeof *pieces);
  size_t count = 0, at = 0;
  while (at < points->len) {
    size_t end = at;
    if (size == 0) {
      while (at < points->len && eva_point_is_space(points->data[at])) at++;
      for (end = at; end < points->len && !eva_point_is_space(points->data[end]);) end++;
      if (end > at) pieces[count++] = (piece){points->data + at, end - at};
      at = end;
      continue;
    }
    end = at + size < points->len ? at + size : points->len;
    if (end - at == size || step == size) pieces[count++] = (piece){points->data + at, end - at};
    at += step;
  }
  qsort(pieces, count, sizeof *pieces, compare_pieces);
  *count_out = count;
  return pieces;
}

static size_t drop_repeated(piece *pieces, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (kept == 0 || compare_pieces(&pieces[kept - 1], &pieces[i]) != 0) pieces[kept++] = pieces[i];
  }
  return kept;
}

static size_t count_shared(const piece *a, size_t a_count, const piece *b, size_t b_count) {
  size_t shared = 0;
  for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
    int order = compare_pieces(&a[i], &b[j]);
    shared += order == 0;
    i += order <= 0;
    j += order >= 0;
  }
  return shared;
}

eva_code eva_text_dice(eva_text a, eva_text b, double *out, eva_error *error) {
  eva_points x, y;
  size_t x_count, y_count;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_LENGTH_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  piece *x_pairs = cut(&x, 2, 1, &x_count), *y_pairs = cut(&y, 2, 1, &y_count);
  if (x_count + y_count == 0) {
    *out = eva_text_equal((eva_text){a.len > 0 ? a.data : "", a.len}, (eva_text){b.len > 0 ? b.data : "", b.len});
  } else {
    *out = 2.0 * (double)count_shared(x_pairs, x_count, y_pairs, y_count) / (double)(x_count + y_count);
  }
  free(x_pairs);
  free(y_pairs);
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}

eva_code eva_text_jaccard(eva_text a, eva_text b, size_t size, double *out, eva_error *error) {
  eva_points x, y;
  size_t x_count, y_count;
  eva_code code = eva_points_of_pair(a, b, EVA_TEXT_LENGTH_MAX, &x, &y, error);
  if (code != EVA_OK) return code;
  piece *x_pieces = cut(&x, size, size, &x_count), *y_pieces = cut(&y, size, size, &y_count);
  x_count = drop_repeated(x_pieces, x_count);
  y_count = drop_repeated(y_pieces, y_count);
  size_t shared = count_shared(x_pieces, x_count, y_pieces, y_count);
  size_t together = x_count + y_count - shared;
  *out = together > 0 ? (double)shared / (double)together : 1;
  free(x_pieces);
  free(y_pieces);
  eva_points_free(&x);
  eva_points_free(&y);
  return EVA_OK;
}
