/* The MERGE phase of a sync: match items to rows by id, write what is new or changed, settle removals and order. */
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"
#include "store/sync_private.h"

static const char SQL_EXPECTED[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                                   " FROM items WHERE dataset_id = ?1 AND valid_to IS NULL AND position > ?2 AND "
                                   "valid_from < ?3 ORDER BY position";
static const char SQL_OLD_OPEN[] =
    "SELECT item_key, valid_from FROM items WHERE dataset_id = ?1 AND valid_to IS NULL AND position > ?2 AND "
    "valid_from < ?3 ORDER BY position";
static const char SQL_ALL_POSITIONS[] =
    "SELECT item_key, position FROM items WHERE dataset_id = ?1 AND valid_from < ?2 ORDER BY position";

/* The rows behind the last one found, in the old order: mostly the next item is the next row, and needs no search. */
static eva_code peek_expected(eva_sync *sync, eva_error *error) {
  eva_code code = EVA_OK;
  if (!sync->expected) {
    code = eva_store_prepare(sync->store, SQL_EXPECTED, &sync->expected, error);
    if (code) return code;
    eva_bind_string(sync->expected, 1, sync->dataset_id);
    eva_bind_int(sync->expected, 2, sync->expected_after);
    eva_bind_int(sync->expected, 3, sync->writer.version);
    sync->has_row = 1;
  } else if (!sync->has_row || !eva_key_map_get(&sync->seen, sync->row.item_key)) {
    return EVA_OK; /* at the end, or the row in hand was not used */
  }
  while (!code) {
    code = eva_step(sync->expected, &sync->has_row, error);
    if (code || !sync->has_row) break;
    eva_item_row_read(sync->expected, &sync->row);
    if (!eva_key_map_get(&sync->seen, sync->row.item_key)) break;
  }
  return code;
}

static eva_order_entry *add_entry(eva_sync *sync) {
  if (sync->entry_count == sync->entry_room) {
    sync->entry_room = sync->entry_room ? 2 * sync->entry_room : 256;
    sync->entries = eva_realloc(sync->entries, sync->entry_room * sizeof *sync->entries);
  }
  eva_order_entry *entry = &sync->entries[sync->entry_count++];
  memset(entry, 0, sizeof *entry);
  return entry;
}

/* Writes an item that has no row, or replaces `old`. Its position is settled at the end unless it stays. */
static eva_code write_item(eva_sync *sync, const eva_item *item, eva_text id, const eva_item_row *old, char *digest,
                           eva_error *error) {
  int64_t key = 0;
  int inserted = 0;
  eva_code code = eva_item_digest(&sync->writer, item, id, digest, error);
  if (!code && old) code = eva_item_close(&sync->writer, old->item_key, old->valid_from, error);
  if (!code) {
    code = eva_item_insert(&sync->writer, item, id, digest, old ? old->position : 0, &key, &inserted, error);
  }
  if (code) return code;
  eva_order_entry *entry = add_entry(sync);
  entry->item_key = key;
  entry->valid_from = sync->writer.version;
  entry->position = old ? old->position : 0;
  entry->had_position = old != NULL;
  entry->is_new = 1;
  eva_key_map_set(&sync->seen, key, sync->ordinal);
  if (old) {
    eva_key_map_set(&sync->seen, old->item_key, sync->ordinal);
    sync->change.updated++;
  } else {
    sync->change.added++;
  }
  return EVA_OK;
}

/* An item whose row is `row`: nothing to write when the content is the same. */
static eva_code take_row(eva_sync *sync, const eva_item *item, eva_text id, const eva_item_row *row, char *digest,
                         eva_error *error) {
  if (!eva_item_equal(&row->item, item)) return write_item(sync, item, id, row, digest, error);
  memcpy(digest, row->digest.data, EVA_SHA256_TEXT_SIZE - 1);
  digest[EVA_SHA256_TEXT_SIZE - 1] = '\0';
  eva_order_entry *entry = add_entry(sync);
  entry->item_key = row->item_key;
  entry->valid_from = row->valid_from;
  entry->position = row->position;
  entry->had_position = 1;
  eva_key_map_set(&sync->seen, row->item_key, sync->ordinal);
  return EVA_OK;
}

static eva_code put_by_id(eva_sync *sync, const eva_item *item, char *digest, eva_error *error) {
  int found = 0;
  eva_item_row row;
  eva_statement *statement = NULL;
  eva_code code = eva_sync_choose_id(sync, item, error);
  eva_text id = eva_buf_text(&sync->id);
  if (!code) code = eva_item_find_open(sync->store, sync->dataset_id, id, &statement, &found, &row, error);
  if (code) return code;
  if (!found) return write_item(sync, item, id, NULL, digest, error);
  code = take_row(sync, item, id, &row, digest, error);
  eva_reset(statement);
  if (row.position > sync->expected_after) { /* go on from here: the next item probably follows */
    if (sync->expected) eva_reset(sync->expected);
    sync->expected = NULL;
    sync->expected_after = row.position;
  }
  return code;
}

eva_code eva_merge_put(eva_sync *sync, const eva_item *item, char *digest, eva_error *error) {
  eva_code code = peek_expected(sync, error);
  if (code) return code;
  /* A row that nobody took with exactly this id: for an auto id that also says that it is the first of its kind. */
  if (!sync->has_row || !eva_text_equal(sync->row.item.item_id, item->item_id)) {
    return put_by_id(sync, item, digest, error);
  }
  eva_item_row row = sync->row;
  sync->expected_after = row.position;
  return take_row(sync, item, item->item_id, &row, digest, error);
}

/* Closes the old open rows behind the matched prefix that no item took. */
static eva_code remove_rest(eva_sync *sync, eva_error *error) {
  size_t count = 0, room = 0;
  eva_version_key *rest = NULL; /* gathered first: closing rows under a running query is asking for trouble */
  eva_statement *rows = NULL;
  eva_code code = eva_store_prepare(sync->store, SQL_OLD_OPEN, &rows, error);
  if (code) return code;
  eva_bind_string(rows, 1, sync->dataset_id);
  eva_bind_int(rows, 2, sync->last_position);
  eva_bind_int(rows, 3, sync->writer.version);
  for (int row = 1;;) {
    code = eva_step(rows, &row, error);
    if (code || !row) break;
    if (eva_key_map_get(&sync->seen, eva_column_int(rows, 0))) continue;
    if (count == room) rest = eva_realloc(rest, (room = room ? 2 * room : 64) * sizeof *rest);
    rest[count++] = (eva_version_key){eva_column_int(rows, 1), eva_column_int(rows, 0)};
  }
  for (size_t index = 0; !code && index < count; index++) {
    code = eva_item_close(&sync->writer, rest[index].item_key, rest[index].position, error);
    sync->change.removed++;
  }
  free(rest);
  return code;
}

/* Where the fresh number of an old position is: both lists ascend. */
static int64_t renumbered(const eva_version_key *old, size_t count, const int64_t *fresh, int64_t position) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (old[middle].position < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count ? fresh[low] : 0;
}

/* Numbers every row of the dataset afresh, in all its versions: their order stays, the gaps are wide again. */
static eva_code renumber(eva_sync *sync, eva_error *error) {
  size_t count = 0, room = 1024;
  eva_version_key *old = eva_alloc(room * sizeof *old);
  eva_statement *rows = NULL;
  eva_code code = eva_store_prepare(sync->store, SQL_ALL_POSITIONS, &rows, error);
  if (!code) {
    eva_bind_string(rows, 1, sync->dataset_id);
    eva_bind_int(rows, 2, sync->writer.version);
  }
  for (int row = 1; !code;) {
    code = eva_step(rows, &row, error);
    if (code || !row) break;
    if (count == room) old = eva_realloc(old, (room *= 2) * sizeof *old);
    old[count++] = (eva_version_key){eva_column_int(rows, 1), eva_column_int(rows, 0)};
  }
  int64_t *fresh = eva_alloc((count + 1) * sizeof *fresh), number = 0;
  for (size_t index = 0; !code && index < count; index++) {
    if (index == 0 || old[index].position != old[index - 1].position) number += EVA_POSITION_GAP;
    fresh[index] = number;
    code = eva_item_set_position(&sync->writer, old[index].item_key, number, error);
  }
  for (size_t index = 0; !code && index < sync->entry_count; index++) {
    eva_order_entry *entry = &sync->entries[index];
    if (entry->had_position) entry->position = renumbered(old, count, fresh, entry->position);
  }
  if (!code && sync->last_position != INT64_MIN) {
    sync->last_position = renumbered(old, count, fresh, sync->last_position);
  }
  sync->renumbered = 1;
  eva_store_forget_version(sync->store);
  free(old);
  free(fresh);
  return code;
}

/* Writes the positions that were settled: rows of this version in place, older rows as a move. */
static eva_code write_positions(eva_sync *sync, eva_error *error) {
  for (size_t index = 0; index < sync->entry_count; index++) {
    const eva_order_entry *entry = &sync->entries[index];
    eva_code code = EVA_OK;
    if (entry->is_new) {
      if (entry->kept && !sync->renumbered) continue;
      code = eva_item_set_position(&sync->writer, entry->item_key, entry->position, error);
    } else if (!entry->kept) {
      code = eva_item_move(&sync->writer, entry->item_key, entry->valid_from, entry->position, error);
      sync->change.moved++;
    }
    if (code) return code;
  }
  return EVA_OK;
}

eva_code eva_merge_finish(eva_sync *sync, eva_error *error) {
  if (sync->expected) eva_reset(sync->expected);
  eva_code code = remove_rest(sync, error);
  if (code) return code;
  eva_order_keep(sync->entries, sync->entry_count);
  if (!eva_order_place(sync->entries, sync->entry_count, sync->last_position, EVA_POSITION_GAP)) {
    code = renumber(sync, error);
    if (!code && !eva_order_place(sync->entries, sync->entry_count, sync->last_position, EVA_POSITION_GAP)) {
      code = eva_error_set(error, EVA_E_LIMIT, NULL, "more than %lld items were put in at one place",
                           (long long)EVA_POSITION_GAP);
    }
  }
  return code ? code : write_positions(sync, error);
}
