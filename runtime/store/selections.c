/* What an experiment runs, stored before its first item: (item, trial) pairs in item order. */
#include <stdlib.h>

#include "store/experiments.h"
#include "store/items.h"
#include "store/items_sql.h"
#include "store/store_private.h"

/* The items of a version in order: ?1 dataset, ?2 limit; of an older version ?3 version, ?4 levels. */
static const char SQL_PICK_LATEST[] =
    "SELECT item_id, valid_from, item_key FROM items WHERE dataset_id = ?1 AND valid_to IS NULL ORDER BY position "
    "LIMIT ?2";
static const char SQL_PICK_VERSION[] =
    "SELECT i.item_id, i.valid_from, k.item_key FROM (" EVA_SQL_VERSION_KEYS("?1", "?3", "?4") ") k "
    "CROSS JOIN items i WHERE i.item_key = k.item_key ORDER BY k.position LIMIT ?2";
#define ADD "INSERT INTO selections (experiment_id, position, item_id, item_version, trial, item_key) VALUES "
#define ROW(POSITION, ITEM, VERSION, TRIAL, KEY)                                                                   \
  "(?1, ?" #POSITION ", ?" #ITEM ", ?" #VERSION ", ?" #TRIAL ", ?" #KEY ")"
static const char SQL_ADD[] = ADD ROW(2, 3, 4, 5, 6);
/* ROWS_AT_ONCE rows in one statement cost half of what they cost one by one. */
static const char SQL_ADD_MANY[] =
    ADD ROW(2, 3, 4, 5, 6) ", " ROW(7, 8, 9, 10, 11) ", " ROW(12, 13, 14, 15, 16) ", " ROW(17, 18, 19, 20, 21) ", "
        ROW(22, 23, 24, 25, 26) ", " ROW(27, 28, 29, 30, 31) ", " ROW(32, 33, 34, 35, 36) ", "
        ROW(37, 38, 39, 40, 41) ", " ROW(42, 43, 44, 45, 46) ", " ROW(47, 48, 49, 50, 51) ", "
        ROW(52, 53, 54, 55, 56) ", " ROW(57, 58, 59, 60, 61) ", " ROW(62, 63, 64, 65, 66) ", "
        ROW(67, 68, 69, 70, 71) ", " ROW(72, 73, 74, 75, 76) ", " ROW(77, 78, 79, 80, 81);
static const char SQL_ITEM_BY_KEY[] = "SELECT item_id, valid_from FROM items WHERE item_key = ?1";

enum { NAMED_IDS_MAX = 20, ROWS_AT_ONCE = 16, ROW_PARAMETERS = 5 };

/* Rows on their way into the table. */
typedef struct selection_rows {
  eva_store *store;
  const char *experiment_id;
  int64_t count; /* rows so far, with those that wait */
  int waiting;
  eva_buf ids;   /* of those that wait */
  struct {
    size_t id_end;
    int64_t position, version, key;
    int trial;
  } rows[ROWS_AT_ONCE];
} selection_rows;

static void bind_row(const selection_rows *rows, int index, eva_statement *insert, int at) {
  size_t start = index > 0 ? rows->rows[index - 1].id_end : 0;
  eva_bind_int(insert, at, rows->rows[index].position);
  eva_bind_text(insert, at + 1, (eva_text){rows->ids.data + start, rows->rows[index].id_end - start});
  eva_bind_int(insert, at + 2, rows->rows[index].version);
  eva_bind_int(insert, at + 3, rows->rows[index].trial);
  eva_bind_int(insert, at + 4, rows->rows[index].key);
}

/* Writes what waits. */
static eva_code write_rows(selection_rows *rows, eva_error *error) {
  int at_once = rows->waiting == ROWS_AT_ONCE ? ROWS_AT_ONCE : 1;
  eva_statement *insert = NULL;
  eva_code code = EVA_OK;
  for (int index = 0; !code && index < rows->waiting; index += at_once) {
    code = eva_store_prepare(rows->store, at_once > 1 ? SQL_ADD_MANY : SQL_ADD, &insert, error);
    if (code) break;
    eva_bind_string(insert, 1, rows->experiment_id);
    for (int row = 0; row < at_once; row++) bind_row(rows, index + row, insert, 2 + row * ROW_PARAMETERS);
    code = eva_run(insert, error);
  }
  rows->waiting = 0;
  eva_buf_clear(&rows->ids);
  return code;
}

/* The trials of one item; its id is copied. */
static eva_code add_item(selection_rows *rows, eva_text item_id, int64_t version, int64_t key, int trials,
                         eva_error *error) {
  eva_code code = EVA_OK;
  for (int trial = 1; !code && trial <= trials; trial++) {
    eva_buf_add(&rows->ids, item_id.data, item_id.len);
    rows->rows[rows->waiting].id_end = rows->ids.len;
    rows->rows[rows->waiting].position = ++rows->count;
    rows->rows[rows->waiting].version = version;
    rows->rows[rows->waiting].trial = trial;
    rows->rows[rows->waiting].key = key;
    if (++rows->waiting == ROWS_AT_ONCE) code = write_rows(rows, error);
  }
  return code;
}

/* Writes the last ones, unless something failed, and tells how many there are. */
static eva_code end_rows(selection_rows *rows, eva_code code, int64_t *count, eva_error *error) {
  if (!code) code = write_rows(rows, error);
  *count = rows->count;
  eva_buf_free(&rows->ids);
  return code;
}

static eva_code check_trials(int trials, eva_error *error) {
  if (trials >= 1) return EVA_OK;
  return eva_error_set(error, EVA_E_ARGUMENT, NULL, "trials must be at least 1, not %d", trials);
}

static eva_code fill_all(selection_rows *rows, const char *dataset_id, int64_t version, int64_t limit, int trials,
                         eva_error *error) {
  int64_t latest = 0;
  eva_statement *items = NULL;
  eva_code code = eva_version_check(rows->store, dataset_id, version, &latest, error);
  if (!code) {
    code = eva_store_prepare(rows->store, version == latest ? SQL_PICK_LATEST : SQL_PICK_VERSION, &items, error);
  }
  if (code) return code;
  eva_bind_string(items, 1, dataset_id);
  eva_bind_int(items, 2, limit > 0 ? limit : INT64_MAX);
  if (version != latest) {
    eva_bind_int(items, 3, version);
    eva_bind_int(items, 4, eva_span_levels(latest));
  }
  for (int row = 1; !code;) {
    code = eva_step(items, &row, error);
    if (code || !row) break;
    code = add_item(rows, eva_column_text(items, 0), eva_column_int(items, 1), eva_column_int(items, 2), trials, error);
  }
  eva_reset(items);
  return code;
}

eva_code eva_selection_fill(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                            int64_t limit, int trials, int64_t *count, eva_error *error) {
  int own = 0;
  *count = 0;
  eva_code code = check_trials(trials, error);
  if (!code) code = eva_store_enter(store, &own, error);
  if (code) return code;
  selection_rows rows = {.store = store, .experiment_id = experiment_id};
  code = fill_all(&rows, dataset_id, version, limit, trials, error);
  code = end_rows(&rows, code, count, error);
  return eva_store_leave(store, own, code, error);
}

/* Given ids */

static int compare_keys(const void *left, const void *right) {
  const eva_version_key *a = left, *b = right;
  return (a->position > b->position) - (a->position < b->position);
}

/* Looks up every id; what is missing is collected into one message. */
static eva_code find_ids(eva_store *store, const char *dataset_id, int64_t version, const eva_text *ids,
                         size_t id_count, eva_version_key *keys, eva_error *error) {
  eva_buf missing = {0};
  size_t missing_count = 0;
  eva_code code = EVA_OK;
  for (size_t index = 0; index < id_count; index++) {
    eva_statement *statement = NULL;
    eva_item_row row;
    code = eva_item_at(store, dataset_id, version, ids[index], &statement, &row, error);
    if (code == EVA_E_NOT_FOUND) {
      if (missing_count++ < NAMED_IDS_MAX) {
        eva_buf_printf(&missing, "%s\"%.*s\"", missing.len ? ", " : "", (int)ids[index].len, ids[index].data);
      }
      code = EVA_OK;
      continue;
    }
    if (code) break;
    keys[index] = (eva_version_key){row.position, row.item_key};
    eva_reset(statement);
  }
  if (!code && missing_count > 0) {
    eva_buf name = {0};
    int64_t latest = 0;
    if (eva_dataset_latest(store, dataset_id, &latest, &name, error) != EVA_OK) eva_buf_add_string(&name, dataset_id);
    if (missing_count > NAMED_IDS_MAX) eva_buf_printf(&missing, " and %zu more", missing_count - NAMED_IDS_MAX);
    code = eva_error_set(error, EVA_E_NOT_FOUND, NULL, "dataset \"%s\" version %lld has no item %s", name.data,
                         (long long)version, missing.data);
    eva_buf_free(&name);
  }
  eva_buf_free(&missing);
  return code;
}

static eva_code add_key(selection_rows *rows, int64_t item_key, int trials, eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(rows->store, SQL_ITEM_BY_KEY, &select, error);
  if (code) return code;
  eva_bind_int(select, 1, item_key);
  code = eva_step_one(select, error);
  if (code) return code;
  code = add_item(rows, eva_column_text(select, 0), eva_column_int(select, 1), item_key, trials, error);
  eva_reset(select);
  return code;
}

eva_code eva_selection_fill_ids(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                                const eva_text *ids, size_t id_count, int64_t limit, int trials, int64_t *count,
                                eva_error *error) {
  int own = 0;
  int64_t latest = 0;
  *count = 0;
  eva_code code = check_trials(trials, error);
  if (!code) code = eva_version_check(store, dataset_id, version, &latest, error);
  if (!code) code = eva_store_enter(store, &own, error);
  if (code) return code;
  eva_version_key *keys = eva_alloc((id_count + 1) * sizeof *keys);
  code = find_ids(store, dataset_id, version, ids, id_count, keys, error);
  if (!code) qsort(keys, id_count, sizeof *keys, compare_keys);
  selection_rows rows = {.store = store, .experiment_id = experiment_id};
  for (size_t index = 0; !code && index < id_count; index++) {
    if (index > 0 && keys[index].item_key == keys[index - 1].item_key) continue;
    if (limit > 0 && rows.count >= limit * trials) break;
    code = add_key(&rows, keys[index].item_key, trials, error);
  }
  code = end_rows(&rows, code, count, error);
  free(keys);
  return eva_store_leave(store, own, code, error);
}
