/* Sync in three phases: COMPARE with the stored items, reading only; APPEND behind the last stored item; MERGE, when
 * something else differs: find each item by id, and settle the order at the end (dataset_merge.c). */
#include "store/dataset_sync.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/store_private.h"
#include "store/sync_private.h"

/* Statements are shared by their text, and scripts may read other datasets between two items: this one is our own. */
static const char SQL_STORED[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                                 " FROM items WHERE dataset_id = ?1 AND valid_to IS NULL ORDER BY position";

static eva_code next_stored(eva_sync *sync, eva_error *error) {
  eva_code code = eva_step(sync->stored, &sync->has_row, error);
  if (!code && sync->has_row) eva_item_row_read(sync->stored, &sync->row);
  return code;
}

static eva_code open_stored(eva_sync *sync, eva_error *error) {
  eva_code code = eva_store_prepare(sync->store, SQL_STORED, &sync->stored, error);
  if (code) return code;
  eva_bind_string(sync->stored, 1, sync->dataset_id);
  return next_stored(sync, error);
}

eva_code eva_sync_begin(eva_store *store, const char *dataset_id, eva_text message, eva_sync **out,
                        eva_error *error) {
  if (eva_store_in_transaction(store)) {
    return eva_error_set(error, EVA_E_STATE, NULL, "a dataset cannot be synced inside another transaction");
  }
  if (store->sync) return eva_error_set(error, EVA_E_STATE, NULL, "another dataset is being synced; finish it first");
  eva_sync *sync = eva_alloc_zeroed(1, sizeof *sync);
  sync->store = store;
  sync->phase = EVA_SYNC_COMPARE;
  sync->last_position = INT64_MIN;
  eva_code code = eva_dataset_latest(store, dataset_id, &sync->base_version, NULL, error);
  if (!code) memcpy(sync->dataset_id, dataset_id, strlen(dataset_id) + 1);
  if (!code) code = open_stored(sync, error);
  if (code) {
    free(sync);
    return code;
  }
  store->sync = sync;
  sync->digest = eva_sha256_new();
  if (message.data) eva_buf_add(&sync->message, message.data, message.len);
  *out = sync;
  return EVA_OK;
}

void eva_sync_abort(eva_sync *sync) {
  if (!sync) return;
  eva_reset(sync->stored);
  if (sync->expected) eva_reset(sync->expected);
  if (sync->own) eva_store_rollback(sync->store);
  sync->store->sync = NULL;
  eva_writer_end(&sync->writer);
  eva_sha256_free(sync->digest);
  eva_places_free(&sync->places);
  eva_key_map_free(&sync->repeats);
  eva_key_map_free(&sync->seen);
  eva_buf_free(&sync->message);
  eva_buf_free(&sync->id);
  free(sync->entries);
  free(sync);
}

/* Starts writing: from here on the dataset is ours. */
static eva_code start_writing(eva_sync *sync, eva_sync_phase phase, eva_error *error) {
  eva_reset(sync->stored);
  eva_code code = eva_store_enter(sync->store, &sync->own, error);
  if (!code) code = eva_writer_start(sync->store, sync->dataset_id, &sync->writer, error);
  if (!code && sync->writer.version != sync->base_version + 1) {
    code = eva_error_set(error, EVA_E_BUSY, NULL, "the dataset was changed by another process meanwhile; try again");
  }
  sync->expected_after = sync->last_position;
  if (!code) sync->phase = phase;
  return code;
}

static void count_digest(eva_sync *sync, const char *hex) {
  eva_sha256_add(sync->digest, hex, EVA_SHA256_TEXT_SIZE - 1);
  eva_sha256_add(sync->digest, "\n", 1);
}

eva_code eva_sync_say_twice(eva_sync *sync, eva_text id, int64_t earlier, eva_error *error) {
  eva_buf first = {0}, second = {0};
  eva_places_find(&sync->places, earlier, &first);
  eva_places_find(&sync->places, sync->ordinal, &second);
  eva_code code = eva_error_set(
      error, EVA_E_EXISTS, NULL,
      "two items have the id \"%.*s\": item %lld%s%s%s and item %lld%s%s%s; ids must be unique",
      (int)id.len, id.data, (long long)earlier, first.len ? " (" : "", first.len ? first.data : "",
      first.len ? ")" : "", (long long)sync->ordinal, second.len ? " (" : "", second.len ? second.data : "",
      second.len ? ")" : "");
  eva_buf_free(&first);
  eva_buf_free(&second);
  return code;
}

/* COMPARE */

/* 1 when the stored id is "base~k" with a decimal k of 2 or more. */
static int is_numbered(eva_text id, eva_text base, int64_t *k) {
  if (id.len < base.len + 2 || memcmp(id.data, base.data, base.len) != 0 || id.data[base.len] != '~') return 0;
  *k = 0;
  for (size_t at = base.len + 1; at < id.len; at++) {
    if (id.data[at] < '0' || id.data[at] > '9' || at - base.len > 10) return 0;
    *k = *k * 10 + (id.data[at] - '0');
  }
  return *k >= 2;
}

/* Does the stored row `sync->row` carry the id that this item gets? All earlier items matched their rows, so "base~k"
 * is the k-th of its kind exactly if "base~(k-1)" stands among them. */
static eva_code id_matches(eva_sync *sync, const eva_item *item, int *matches, eva_error *error) {
  eva_text id = sync->row.item.item_id;
  int64_t k = 0;
  *matches = eva_text_equal(id, item->item_id);
  if (*matches || !item->auto_id || !is_numbered(id, item->item_id, &k)) return EVA_OK;
  eva_buf_clear(&sync->id);
  eva_item_number_id(&sync->id, item->item_id, k - 1);
  int found = 0;
  eva_item_row row;
  eva_statement *statement = NULL;
  eva_code code =
      eva_item_find_open(sync->store, sync->dataset_id, eva_buf_text(&sync->id), &statement, &found, &row, error);
  if (code || !found) return code;
  *matches = row.position < sync->row.position;
  eva_reset(statement);
  if (*matches) sync->change.duplicates++;
  return EVA_OK;
}

/* *done = 1 when the item is the next stored one. */
static eva_code compare(eva_sync *sync, const eva_item *item, int *done, eva_error *error) {
  *done = 0;
  if (!sync->has_row || !eva_item_equal(&sync->row.item, item)) return EVA_OK;
  int matches = 0;
  eva_code code = id_matches(sync, item, &matches, error);
  if (code || !matches) return code;
  count_digest(sync, sync->row.digest.data);
  sync->last_position = sync->row.position;
  sync->matched++;
  *done = 1;
  return next_stored(sync, error);
}

/* APPEND */

/* The open row of `id`, if it is among the items put so far. */
static eva_code find_put(eva_sync *sync, eva_text id, int *found, int64_t *earlier, eva_error *error) {
  eva_item_row row;
  eva_statement *statement = NULL;
  eva_code code = eva_item_find_open(sync->store, sync->dataset_id, id, &statement, found, &row, error);
  if (code || !*found) return code;
  eva_reset(statement);
  *earlier = eva_sync_ordinal_of(sync, &row);
  *found = *earlier != 0;
  return EVA_OK;
}

int64_t eva_sync_ordinal_of(eva_sync *sync, const eva_item_row *row) {
  if (row->valid_from <= sync->base_version && row->position <= sync->last_position) return -1; /* in the prefix */
  if (sync->phase == EVA_SYNC_MERGE) return eva_key_map_get(&sync->seen, row->item_key);
  int64_t start = sync->last_position == INT64_MIN ? 0 : sync->last_position;
  return sync->matched + (row->position - start) / EVA_POSITION_GAP;
}

/* An item of the matched prefix: its number is the count of rows up to its position. */
static eva_code count_prefix(eva_sync *sync, eva_text id, int64_t *ordinal, eva_error *error) {
  eva_item_cursor cursor;
  eva_item_row row;
  *ordinal = 0;
  eva_code code = eva_items_open(sync->store, sync->dataset_id, sync->base_version, INT64_MIN, &cursor, error);
  for (int found = 1; !code && found;) {
    code = eva_items_next(&cursor, &found, &row, error);
    ++*ordinal;
    if (!code && found && eva_text_equal(row.item.item_id, id)) break;
  }
  eva_items_close(&cursor);
  return code;
}

/* Chooses the id under which an item that is not the next stored one goes: its own, or the first base~k that no item
 * put so far has. An id of its own that came before is an error. The result lies in sync->id. */
eva_code eva_sync_choose_id(eva_sync *sync, const eva_item *item, eva_error *error) {
  int64_t hash = item->auto_id ? eva_text_hash(item->item_id) : 0;
  int64_t k = item->auto_id ? eva_key_map_get(&sync->repeats, hash) + 1 : 1;
  for (;; k++) {
    int found = 0;
    int64_t earlier = 0;
    eva_buf_clear(&sync->id);
    eva_item_number_id(&sync->id, item->item_id, k);
    eva_code code = find_put(sync, eva_buf_text(&sync->id), &found, &earlier, error);
    if (code) return code;
    if (!found) break;
    if (item->auto_id) continue;
    if (earlier < 0) code = count_prefix(sync, item->item_id, &earlier, error);
    return code ? code : eva_sync_say_twice(sync, item->item_id, earlier, error);
  }
  if (k > 1) {
    sync->change.duplicates++;
    eva_key_map_set(&sync->repeats, hash, k);
  }
  return EVA_OK;
}

static eva_code append(eva_sync *sync, const eva_item *item, eva_error *error) {
  char digest[EVA_SHA256_TEXT_SIZE];
  int64_t start = sync->last_position == INT64_MIN ? 0 : sync->last_position;
  int64_t position = start + (sync->change.added + 1) * EVA_POSITION_GAP, key = 0;
  int inserted = 0;
  /* With a first import the insert itself finds ids that came before; else they are looked up in advance. */
  int first_import = sync->base_version == 0 && !eva_key_map_get(&sync->repeats, eva_text_hash(item->item_id));
  eva_code code = EVA_OK;
  for (int attempt = first_import ? 0 : 1; !code && !inserted && attempt < 2; attempt++) {
    if (attempt == 0) {
      eva_buf_clear(&sync->id);
      eva_buf_add(&sync->id, item->item_id.data, item->item_id.len);
    } else {
      code = eva_sync_choose_id(sync, item, error);
    }
    eva_text id = eva_buf_text(&sync->id);
    if (!code) code = eva_item_digest(&sync->writer, item, id, digest, error);
    if (!code) code = eva_item_insert(&sync->writer, item, id, digest, position, &key, &inserted, error);
  }
  if (code) return code;
  count_digest(sync, digest);
  sync->change.added++;
  return EVA_OK;
}

_Static_assert((int)EVA_SYNC_MANY == (int)EVA_ITEMS_AT_ONCE, "what is worth it is what one statement takes");

/* Several items of a first import at once; *done = 0 when one of them is not as simple as that. */
static eva_code append_many(eva_sync *sync, const eva_item *items, const eva_text *places, int *done,
                            eva_error *error) {
  eva_item_digest_text digests[EVA_ITEMS_AT_ONCE];
  *done = 0;
  for (int index = 0; index < EVA_ITEMS_AT_ONCE; index++) {
    const eva_item *item = &items[index];
    if (eva_item_check(item, error) != EVA_OK) return EVA_OK; /* told when it is put alone */
    if (eva_item_digest(&sync->writer, item, item->item_id, digests[index].hex, error) != EVA_OK) return EVA_OK;
  }
  int64_t position = (sync->change.added + 1) * EVA_POSITION_GAP;
  eva_code code = eva_items_insert(&sync->writer, items, digests, position, done, error);
  sync->one_by_one = !*done;
  for (int index = 0; !code && *done && index < EVA_ITEMS_AT_ONCE; index++) {
    eva_places_add(&sync->places, ++sync->ordinal, places[index]);
    count_digest(sync, digests[index].hex);
    sync->change.added++;
  }
  return code;
}

/* All phases */

eva_code eva_sync_put(eva_sync *sync, const eva_item *item, eva_text where, eva_error *error) {
  sync->ordinal++;
  eva_places_add(&sync->places, sync->ordinal, where);
  eva_code code = eva_item_check(item, error);
  if (!code && sync->phase == EVA_SYNC_COMPARE) {
    int done = 0;
    code = compare(sync, item, &done, error);
    if (code || done) return code;
    code = start_writing(sync, sync->has_row ? EVA_SYNC_MERGE : EVA_SYNC_APPEND, error);
  }
  if (!code && sync->phase == EVA_SYNC_APPEND) {
    code = append(sync, item, error);
  } else if (!code) {
    char digest[EVA_SHA256_TEXT_SIZE];
    code = eva_merge_put(sync, item, digest, error);
    if (!code) count_digest(sync, digest);
  }
  if (code && where.len > 0 && code != EVA_E_EXISTS && !error->where[0]) {
    eva_error cause = *error;
    eva_error_set(error, code, where.data, "%s", cause.message);
  }
  return code;
}

eva_code eva_sync_put_many(eva_sync *sync, const eva_item *items, const eva_text *places, size_t count,
                           eva_error *error) {
  eva_code code = EVA_OK;
  int done = 0, is_first = sync->phase == EVA_SYNC_APPEND && sync->base_version == 0 && !sync->one_by_one;
  if (is_first && count == EVA_ITEMS_AT_ONCE) code = append_many(sync, items, places, &done, error);
  for (size_t index = 0; !code && !done && index < count; index++) {
    code = eva_sync_put(sync, &items[index], places[index], error);
  }
  return code;
}

static eva_code add_version(eva_sync *sync, eva_error *error) {
  eva_change *change = &sync->change;
  unsigned char bytes[EVA_SHA256_SIZE];
  eva_sha256_finish(sync->digest, bytes);
  sync->digest = NULL;
  eva_hex(bytes, sizeof bytes, change->digest);
  change->item_count = sync->ordinal;
  change->changed = change->added + change->updated + change->removed + change->moved > 0;
  change->version = sync->base_version + change->changed;
  if (!change->changed) return EVA_OK;
  return eva_version_add(&sync->writer, change, change->digest, eva_buf_text(&sync->message), error);
}

eva_code eva_sync_finish(eva_sync *sync, eva_change *change, eva_error *error) {
  eva_code code = EVA_OK;
  if (sync->phase == EVA_SYNC_COMPARE && sync->has_row) code = start_writing(sync, EVA_SYNC_MERGE, error);
  if (!code && sync->phase == EVA_SYNC_MERGE) code = eva_merge_finish(sync, error);
  if (!code) code = add_version(sync, error);
  if (!code && sync->own && sync->change.changed) {
    sync->own = 0;
    code = eva_store_commit(sync->store, error);
  }
  *change = sync->change;
  eva_sync_abort(sync);
  return code;
}
