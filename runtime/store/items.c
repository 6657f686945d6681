/* Reading items: any version in order, single items, history, and what differs between two versions. */
#include "store/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/items_sql.h"
#include "store/store_private.h"

static const char SQL_LATEST[] = "SELECT version, name FROM datasets WHERE id = ?1";
static const char SQL_OPEN_ROWS[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                                    " FROM items WHERE dataset_id = ?1 AND valid_to IS NULL AND position > ?2 "
                                    "ORDER BY position";
static const char SQL_VERSION_KEYS[] = EVA_SQL_VERSION_KEYS("?1", "?2", "?3");
static const char SQL_BY_KEY[] = "SELECT " EVA_ITEM_ROW_COLUMNS " FROM items WHERE item_key = ?1";
static const char SQL_AT[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                             " FROM items WHERE dataset_id = ?1 AND item_id = ?2 AND valid_from <= ?3 "
                             "ORDER BY valid_from DESC LIMIT 1";
static const char SQL_HISTORY[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                                  " FROM items WHERE dataset_id = ?1 AND item_id = ?2 ORDER BY valid_from";
static const char SQL_COUNT[] = "SELECT item_count FROM dataset_versions WHERE dataset_id = ?1 AND version = ?2";

const char *const eva_item_field_names[EVA_ITEM_FIELD_COUNT] = {
    "input", "ground_truth", "context", "expected_trajectory", "steps",      "output",
    "metadata", "tags",      "scorers", "expect",              "tool_mocks", "source",
};

void eva_item_row_read(eva_statement *statement, eva_item_row *row) {
  row->item_key = eva_column_int(statement, 0);
  row->valid_from = eva_column_int(statement, 1);
  row->valid_to = eva_column_int(statement, 2); /* null reads as 0 */
  row->position = eva_column_int(statement, 3);
  row->digest = eva_column_text(statement, 4);
  row->item.item_id = eva_column_text(statement, 5);
  row->item.auto_id = (int)eva_column_int(statement, 6);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    row->item.fields[field] = eva_column_text(statement, 7 + field);
  }
}

int64_t eva_span_node(int64_t first, int64_t last) {
  int level = 63 - __builtin_clzll((uint64_t)(first - 1) ^ (uint64_t)last);
  return (last >> level) << level;
}

int eva_span_levels(int64_t latest) { return latest < 1 ? 0 : 63 - __builtin_clzll((uint64_t)latest); }

eva_code eva_dataset_latest(eva_store *store, const char *dataset_id, int64_t *latest, eva_buf *name,
                            eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(store, SQL_LATEST, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, dataset_id);
  code = eva_step_one(select, error);
  if (code == EVA_E_NOT_FOUND) {
    return eva_error_set(error, code, NULL, "there is no dataset with the id %s", dataset_id);
  }
  if (code) return code;
  *latest = eva_column_int(select, 0);
  if (name) {
    eva_text text = eva_column_text(select, 1);
    eva_buf_add(name, text.data, text.len);
  }
  eva_reset(select);
  return EVA_OK;
}

eva_code eva_version_check(eva_store *store, const char *dataset_id, int64_t version, int64_t *latest,
                           eva_error *error) {
  eva_buf name = {0};
  eva_code code = eva_dataset_latest(store, dataset_id, latest, &name, error);
  if (!code && (version < 0 || version > *latest)) {
    code = eva_error_set(error, EVA_E_NOT_FOUND, NULL,
                         *latest == 0 ? "dataset \"%s\" has no version %lld; it is still empty, at version %lld"
                                      : "dataset \"%s\" has no version %lld; the latest is %lld",
                         name.data ? name.data : "", (long long)version, (long long)*latest);
  }
  eva_buf_free(&name);
  return code;
}

eva_code eva_item_count(eva_store *store, const char *dataset_id, int64_t version, int64_t *count, eva_error *error) {
  int64_t latest = 0;
  *count = 0;
  eva_statement *select = NULL;
  eva_code code = eva_version_check(store, dataset_id, version, &latest, error);
  if (!code && version == 0) return EVA_OK;
  if (!code) code = eva_store_prepare(store, SQL_COUNT, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, dataset_id);
  eva_bind_int(select, 2, version);
  code = eva_step_one(select, error);
  if (code == EVA_E_NOT_FOUND) {
    return eva_error_set(error, code, NULL, "version %lld of dataset %s is missing", (long long)version, dataset_id);
  }
  if (code) return code;
  *count = eva_column_int(select, 0);
  eva_reset(select);
  return EVA_OK;
}

/* Reading a version */

static int compare_positions(const void *left, const void *right) {
  const eva_version_key *a = left, *b = right;
  return (a->position > b->position) - (a->position < b->position);
}

/* Fills *out (the caller frees it) with the keys of a version in item order. */
static eva_code gather_keys(eva_store *store, const char *dataset_id, int64_t version, int64_t latest,
                            eva_version_key **out, size_t *count, eva_error *error) {
  eva_statement *rows = NULL;
  eva_code code = eva_store_prepare(store, SQL_VERSION_KEYS, &rows, error);
  if (code) return code;
  eva_bind_string(rows, 1, dataset_id);
  eva_bind_int(rows, 2, version);
  eva_bind_int(rows, 3, eva_span_levels(latest));
  size_t used = 0, room = 256;
  eva_version_key *keys = eva_alloc(room * sizeof *keys);
  for (int row = 1;;) {
    code = eva_step(rows, &row, error);
    if (code || !row) break;
    if (used == room) keys = eva_realloc(keys, (room *= 2) * sizeof *keys);
    keys[used++] = (eva_version_key){eva_column_int(rows, 0), eva_column_int(rows, 1)};
  }
  if (code) {
    free(keys);
    return code;
  }
  qsort(keys, used, sizeof *keys, compare_positions);
  *out = keys;
  *count = used;
  return EVA_OK;
}

eva_code eva_version_keys(eva_store *store, const char *dataset_id, int64_t version, eva_version_key **keys,
                          size_t *count, eva_error *error) {
  int64_t latest = 0;
  eva_code code = eva_version_check(store, dataset_id, version, &latest, error);
  return code ? code : gather_keys(store, dataset_id, version, latest, keys, count, error);
}

/* Puts the keys of an old version into the store's memory of the last one read. */
static eva_code remember_keys(eva_store *store, const char *dataset_id, int64_t version, int64_t latest,
                              eva_error *error) {
  if (store->version_keys && store->version_keys_of == version &&
      strcmp(store->version_keys_dataset, dataset_id) == 0) {
    return EVA_OK;
  }
  eva_version_key *keys = NULL;
  size_t count = 0;
  eva_code code = gather_keys(store, dataset_id, version, latest, &keys, &count, error);
  if (code) return code;
  eva_store_forget_version(store);
  store->version_keys = keys;
  store->version_key_count = count;
  store->version_keys_of = version;
  memcpy(store->version_keys_dataset, dataset_id, strlen(dataset_id) + 1);
  return EVA_OK;
}

void eva_store_forget_version(eva_store *store) {
  free(store->version_keys);
  store->version_keys = NULL;
  store->version_key_count = 0;
}

static size_t first_after(const eva_store *store, int64_t position) {
  size_t low = 0, high = store->version_key_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (store->version_keys[middle].position > position) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

eva_code eva_items_open(eva_store *store, const char *dataset_id, int64_t version, int64_t after,
                        eva_item_cursor *cursor, eva_error *error) {
  int64_t latest = 0;
  *cursor = (eva_item_cursor){.store = store};
  if (strlen(dataset_id) >= sizeof cursor->dataset_id) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL, "there is no dataset with the id %s", dataset_id);
  }
  memcpy(cursor->dataset_id, dataset_id, strlen(dataset_id) + 1);
  eva_code code = eva_version_check(store, dataset_id, version, &latest, error);
  if (code) return code;
  cursor->latest = version == latest;
  if (!cursor->latest) {
    code = remember_keys(store, dataset_id, version, latest, error);
    if (!code) code = eva_store_prepare(store, SQL_BY_KEY, &cursor->rows, error);
    if (code) return code;
    cursor->next = first_after(store, after);
    cursor->pinned = 1;
    eva_store_pin(store);
    return EVA_OK;
  }
  code = eva_store_prepare(store, SQL_OPEN_ROWS, &cursor->rows, error);
  if (code) return code;
  eva_bind_string(cursor->rows, 1, cursor->dataset_id);
  eva_bind_int(cursor->rows, 2, after);
  return EVA_OK;
}

eva_code eva_items_next(eva_item_cursor *cursor, int *found, eva_item_row *row, eva_error *error) {
  eva_store *store = cursor->store;
  *found = 0;
  if (!cursor->latest) {
    eva_reset(cursor->rows);
    if (cursor->next >= store->version_key_count) {
      eva_items_close(cursor);
      return EVA_OK;
    }
    eva_bind_int(cursor->rows, 1, store->version_keys[cursor->next].item_key);
  }
  eva_code code = eva_step(cursor->rows, found, error);
  if (code || !*found) {
    eva_items_close(cursor);
    return code;
  }
  eva_item_row_read(cursor->rows, row);
  if (!cursor->latest) row->position = store->version_keys[cursor->next++].position;
  return EVA_OK;
}

void eva_items_close(eva_item_cursor *cursor) {
  if (cursor->rows) eva_reset(cursor->rows);
  if (cursor->pinned) eva_store_unpin(cursor->store);
  cursor->pinned = 0;
}

/* Single items */

eva_code eva_item_at(eva_store *store, const char *dataset_id, int64_t version, eva_text item_id,
                     eva_statement **statement, eva_item_row *row, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_AT, statement, error);
  if (code) return code;
  eva_bind_string(*statement, 1, dataset_id);
  eva_bind_text(*statement, 2, item_id);
  eva_bind_int(*statement, 3, version);
  code = eva_step_one(*statement, error);
  if (!code) {
    eva_item_row_read(*statement, row);
    if (row->valid_to == 0 || row->valid_to > version) return EVA_OK;
    eva_reset(*statement);
    code = EVA_E_NOT_FOUND;
  }
  if (code != EVA_E_NOT_FOUND) return code;
  return eva_error_set(error, code, NULL, "version %lld has no item \"%.*s\"", (long long)version, (int)item_id.len,
                       item_id.data ? item_id.data : "");
}

eva_code eva_item_history(eva_store *store, const char *dataset_id, eva_text item_id, eva_statement **statement,
                          eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_HISTORY, statement, error);
  if (code) return code;
  eva_bind_string(*statement, 1, dataset_id);
  eva_bind_text(*statement, 2, item_id);
  return EVA_OK;
}
