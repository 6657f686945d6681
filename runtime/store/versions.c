/* What a version is as a whole: its digest, and how it differs from another. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/datasets.h"
#include "store/items.h"
#include "store/items_write.h"
#include "store/store_private.h"

static const char SQL_DIGEST_GET[] = "SELECT digest FROM dataset_versions WHERE dataset_id = ?1 AND version = ?2";
static const char SQL_DIGEST_SET[] = "UPDATE dataset_versions SET digest = ?3 WHERE dataset_id = ?1 AND version = ?2";
static const char SQL_ROW[] = "SELECT " EVA_ITEM_ROW_COLUMNS " FROM items WHERE item_key = ?1";

static eva_code read_digest(eva_store *store, const char *dataset_id, int64_t version, char *out, eva_error *error) {
  eva_statement *select = NULL;
  out[0] = '\0';
  eva_code code = eva_store_prepare(store, SQL_DIGEST_GET, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, dataset_id);
  eva_bind_int(select, 2, version);
  code = eva_step_one(select, error);
  if (code == EVA_E_NOT_FOUND) return EVA_OK; /* version 0 */
  if (code) return code;
  eva_text text = eva_column_text(select, 0);
  if (text.len == EVA_SHA256_TEXT_SIZE - 1) {
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
  }
  eva_reset(select);
  return EVA_OK;
}

static eva_code compute_digest(eva_store *store, const char *dataset_id, int64_t version, char *out,
                               eva_error *error) {
  eva_item_cursor cursor;
  eva_code code = eva_items_open(store, dataset_id, version, INT64_MIN, &cursor, error);
  if (code) return code;
  eva_sha256 *state = eva_sha256_new();
  eva_item_row row;
  for (int found = 1;;) {
    code = eva_items_next(&cursor, &found, &row, error);
    if (code || !found) break;
    eva_sha256_add(state, row.digest.data, row.digest.len);
    eva_sha256_add(state, "\n", 1);
  }
  unsigned char bytes[EVA_SHA256_SIZE];
  eva_sha256_finish(state, bytes);
  eva_hex(bytes, sizeof bytes, out);
  return code;
}

/* Keeps a computed digest. That this fails (read-only, busy) costs only the next computation. */
static void keep_digest(eva_store *store, const char *dataset_id, int64_t version, const char *digest) {
  eva_error ignored;
  eva_statement *update = NULL;
  int own = !eva_store_in_transaction(store);
  if (own && eva_store_begin(store, &ignored) != EVA_OK) return;
  eva_code code = eva_store_prepare(store, SQL_DIGEST_SET, &update, &ignored);
  if (!code) {
    eva_bind_string(update, 1, dataset_id);
    eva_bind_int(update, 2, version);
    eva_bind_string(update, 3, digest);
    code = eva_run(update, &ignored);
  }
  (void)eva_store_leave(store, own, code, &ignored);
}

eva_code eva_version_digest(eva_store *store, const char *dataset_id, int64_t version, char *out, eva_error *error) {
  int64_t latest = 0;
  eva_code code = eva_version_check(store, dataset_id, version, &latest, error);
  if (!code) code = read_digest(store, dataset_id, version, out, error);
  if (code || out[0]) return code;
  code = compute_digest(store, dataset_id, version, out, error);
  if (!code && version > 0) keep_digest(store, dataset_id, version, out);
  return code;
}

/* Differences: rows are shared between versions, so only rows that one side has alone are looked at. */

typedef struct side_row {
  int64_t item_key;
  char *item_id;
  size_t id_len;
  int64_t position;
} side_row;

typedef struct side {
  side_row *rows;
  size_t count;
} side;

static int compare_key(const void *left, const void *right) {
  const eva_version_key *a = left, *b = right;
  return (a->item_key > b->item_key) - (a->item_key < b->item_key);
}

static int compare_id(const void *left, const void *right) {
  const side_row *a = left, *b = right;
  size_t common = a->id_len < b->id_len ? a->id_len : b->id_len;
  int order = memcmp(a->item_id, b->item_id, common);
  return order ? order : (a->id_len > b->id_len) - (a->id_len < b->id_len);
}

static void free_side(side *rows) {
  for (size_t index = 0; index < rows->count; index++) free(rows->rows[index].item_id);
  free(rows->rows);
  *rows = (side){0};
}

/* Reads the rows of `keys` that `other` (sorted by key) does not have, sorted by id. */
static eva_code read_side(eva_store *store, const eva_version_key *keys, size_t count, const eva_version_key *other,
                          size_t other_count, side *out, eva_error *error) {
  size_t room = 0;
  for (size_t index = 0; index < count; index++) {
    if (bsearch(&keys[index], other, other_count, sizeof *other, compare_key)) continue;
    eva_statement *select = NULL;
    eva_code code = eva_store_prepare(store, SQL_ROW, &select, error);
    if (code) return code;
    eva_bind_int(select, 1, keys[index].item_key);
    code = eva_step_one(select, error);
    if (code) return code;
    eva_item_row row;
    eva_item_row_read(select, &row);
    if (out->count == room) out->rows = eva_realloc(out->rows, (room = room ? 2 * room : 64) * sizeof *out->rows);
    side_row *added = &out->rows[out->count++];
    *added = (side_row){keys[index].item_key, eva_alloc(row.item.item_id.len + 1), row.item.item_id.len, row.position};
    memcpy(added->item_id, row.item.item_id.data, row.item.item_id.len);
    eva_reset(select);
  }
  if (out->count) qsort(out->rows, out->count, sizeof *out->rows, compare_id);
  return EVA_OK;
}

typedef struct difference {
  int kind;
  const side_row *row;
} difference;

static int compare_difference(const void *left, const void *right) {
  const difference *a = left, *b = right;
  if (a->row->position != b->row->position) return a->row->position > b->row->position ? 1 : -1;
  return compare_id(a->row, b->row);
}

/* 1 when two rows of one item differ in content, not only in place. */
static eva_code content_differs(eva_store *store, const side_row *a, const side_row *b, int *differs,
                                eva_error *error) {
  static const char sql_other[] = "SELECT " EVA_ITEM_ROW_COLUMNS " FROM items WHERE item_key = ?1 ";
  eva_statement *left = NULL, *right = NULL;
  eva_code code = eva_store_prepare(store, SQL_ROW, &left, error);
  if (!code) code = eva_store_prepare(store, sql_other, &right, error);
  if (code) return code;
  eva_bind_int(left, 1, a->item_key);
  eva_bind_int(right, 1, b->item_key);
  code = eva_step_one(left, error);
  if (!code) code = eva_step_one(right, error);
  if (!code) {
    eva_item_row row_a, row_b;
    eva_item_row_read(left, &row_a);
    eva_item_row_read(right, &row_b);
    *differs = !eva_item_equal(&row_a.item, &row_b.item);
  }
  eva_reset(left);
  eva_reset(right);
  return code;
}

/* Merges the two sides, both sorted by id, into a list of differences. */
static eva_code merge_sides(eva_store *store, const side *from, const side *to, difference *out, size_t *count,
                            eva_error *error) {
  size_t a = 0, b = 0;
  *count = 0;
  while (a < from->count || b < to->count) {
    int order = a == from->count ? 1 : b == to->count ? -1 : compare_id(&from->rows[a], &to->rows[b]);
    if (order < 0) {
      out[(*count)++] = (difference){'r', &from->rows[a++]};
    } else if (order > 0) {
      out[(*count)++] = (difference){'a', &to->rows[b++]};
    } else {
      int differs = 0;
      eva_code code = content_differs(store, &from->rows[a], &to->rows[b], &differs, error);
      if (code) return code;
      if (differs) out[(*count)++] = (difference){'c', &to->rows[b]};
      a++;
      b++;
    }
  }
  return EVA_OK;
}

static eva_code report(eva_store *store, const side *from, const side *to, eva_diff_callback each, void *context,
                       eva_error *error) {
  size_t count = 0;
  difference *list = eva_alloc((from->count + to->count + 1) * sizeof *list);
  eva_code code = merge_sides(store, from, to, list, &count, error);
  if (!code) qsort(list, count, sizeof *list, compare_difference);
  for (size_t index = 0; !code && index < count; index++) {
    eva_item_diff one = {list[index].kind, {list[index].row->item_id, list[index].row->id_len}};
    each(context, &one);
  }
  free(list);
  return code;
}

eva_code eva_version_diff(eva_store *store, const char *dataset_id, int64_t from, int64_t to, eva_diff_callback each,
                          void *context, eva_error *error) {
  eva_version_key *keys[2] = {NULL, NULL};
  size_t counts[2] = {0, 0};
  side sides[2] = {{0}, {0}};
  eva_store_pin(store);
  eva_code code = eva_version_keys(store, dataset_id, from, &keys[0], &counts[0], error);
  if (!code) code = eva_version_keys(store, dataset_id, to, &keys[1], &counts[1], error);
  if (!code) {
    qsort(keys[0], counts[0], sizeof *keys[0], compare_key);
    qsort(keys[1], counts[1], sizeof *keys[1], compare_key);
    code = read_side(store, keys[0], counts[0], keys[1], counts[1], &sides[0], error);
  }
  if (!code) code = read_side(store, keys[1], counts[1], keys[0], counts[0], &sides[1], error);
  if (!code) code = report(store, &sides[0], &sides[1], each, context, error);
  eva_store_unpin(store);
  for (int index = 0; index < 2; index++) {
    free_side(&sides[index]);
    free(keys[index]);
  }
  return code;
}
