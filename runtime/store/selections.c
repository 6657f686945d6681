/* What an experiment runs, stored before its first item: (item, trial) pairs in item order. */
#include <stdlib.h>

#include "store/experiments.h"
#include "store/items.h"
#include "store/items_sql.h"
#include "store/store_private.h"

/* ?1 experiment, ?2 dataset, ?3 limit, ?4 trials, ?5 this trial; for an older version ?6 version, ?7 levels */
#define FILL                                                                                                       \
  "INSERT INTO selections (experiment_id, position, item_id, item_version, trial, item_key) SELECT ?1, "           \
  "(row_number() OVER (ORDER BY v.position) - 1) * CAST(?4 AS BIGINT) + CAST(?5 AS BIGINT), v.item_id, "           \
  "v.valid_from, CAST(?5 AS BIGINT), v.item_key FROM ("
#define FILL_END " ORDER BY 1 LIMIT ?3) v"

static const char SQL_FILL_LATEST[] =
    FILL "SELECT position, item_id, valid_from, item_key FROM items WHERE dataset_id = ?2 AND valid_to IS NULL"
    FILL_END;
static const char SQL_FILL_VERSION[] =
    FILL "SELECT k.position, i.item_id, i.valid_from, k.item_key FROM ("
    EVA_SQL_VERSION_KEYS("?2", "?6", "?7") ") k CROSS JOIN items i WHERE i.item_key = k.item_key" FILL_END;
static const char SQL_ADD[] =
    "INSERT INTO selections (experiment_id, position, item_id, item_version, trial, item_key) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char SQL_ITEM_BY_KEY[] = "SELECT item_id, valid_from FROM items WHERE item_key = ?1";

enum { NAMED_IDS_MAX = 20 };

static eva_code check_trials(int trials, eva_error *error) {
  if (trials >= 1) return EVA_OK;
  return eva_error_set(error, EVA_E_ARGUMENT, NULL, "trials must be at least 1, not %d", trials);
}

static eva_code fill_all(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                         int64_t limit, int trials, int64_t *count, eva_error *error) {
  int64_t latest = 0;
  eva_statement *insert = NULL;
  eva_code code = eva_version_check(store, dataset_id, version, &latest, error);
  if (!code) code = eva_store_prepare(store, version == latest ? SQL_FILL_LATEST : SQL_FILL_VERSION, &insert, error);
  for (int trial = 1; !code && trial <= trials; trial++) {
    eva_bind_string(insert, 1, experiment_id);
    eva_bind_string(insert, 2, dataset_id);
    if (version != latest) {
      eva_bind_int(insert, 6, version);
      eva_bind_int(insert, 7, eva_span_levels(latest));
    }
    eva_bind_int(insert, 3, limit > 0 ? limit : INT64_MAX);
    eva_bind_int(insert, 4, trials);
    eva_bind_int(insert, 5, trial);
    code = eva_run(insert, error);
    *count += code ? 0 : eva_changes(store->db);
  }
  return code;
}

eva_code eva_selection_fill(eva_store *store, const char *experiment_id, const char *dataset_id, int64_t version,
                            int64_t limit, int trials, int64_t *count, eva_error *error) {
  int own = 0;
  *count = 0;
  eva_code code = check_trials(trials, error);
  if (!code) code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = fill_all(store, experiment_id, dataset_id, version, limit, trials, count, error);
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

static eva_code add_one(eva_store *store, const char *experiment_id, int64_t item_key, int trials, int64_t *count,
                        eva_error *error) {
  eva_statement *select = NULL, *insert = NULL;
  eva_code code = eva_store_prepare(store, SQL_ITEM_BY_KEY, &select, error);
  if (!code) code = eva_store_prepare(store, SQL_ADD, &insert, error);
  if (code) return code;
  eva_bind_int(select, 1, item_key);
  code = eva_step_one(select, error);
  if (code) return code;
  for (int trial = 1; !code && trial <= trials; trial++) {
    eva_bind_string(insert, 1, experiment_id);
    eva_bind_int(insert, 2, ++*count);
    eva_bind_text(insert, 3, eva_column_text(select, 0));
    eva_bind_int(insert, 4, eva_column_int(select, 1));
    eva_bind_int(insert, 5, trial);
    eva_bind_int(insert, 6, item_key);
    code = eva_run(insert, error);
  }
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
  for (size_t index = 0; !code && index < id_count; index++) {
    if (index > 0 && keys[index].item_key == keys[index - 1].item_key) continue;
    if (limit > 0 && *count >= limit * trials) break;
    code = add_one(store, experiment_id, keys[index].item_key, trials, count, error);
  }
  free(keys);
  return eva_store_leave(store, own, code, error);
}
