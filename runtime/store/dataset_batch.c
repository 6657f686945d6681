/* Single changes of items, many in one version: put and remove by id. */
#include <stdlib.h>
#include <string.h>

#include "store/datasets.h"
#include "store/items_write.h"
#include "store/store_private.h"

struct eva_batch {
  eva_store *store;
  eva_item_writer writer;
  int own; /* the transaction is ours */
  int64_t last_position;
  eva_buf message, id;
  eva_change change;
};

static void free_batch(eva_batch *batch) {
  eva_writer_end(&batch->writer);
  eva_buf_free(&batch->message);
  eva_buf_free(&batch->id);
  free(batch);
}

void eva_batch_abort(eva_batch *batch) {
  if (!batch) return;
  if (batch->own) eva_store_rollback(batch->store);
  free_batch(batch);
}

eva_code eva_batch_begin(eva_store *store, const char *dataset_id, eva_text message, eva_batch **out,
                         eva_error *error) {
  eva_batch *batch = eva_alloc_zeroed(1, sizeof *batch);
  batch->store = store;
  eva_code code = eva_store_enter(store, &batch->own, error);
  if (!code) code = eva_writer_start(store, dataset_id, &batch->writer, error);
  if (!code) code = eva_item_last_position(&batch->writer, &batch->last_position, error);
  if (code) {
    eva_batch_abort(batch);
    return code;
  }
  if (message.data) eva_buf_add(&batch->message, message.data, message.len);
  *out = batch;
  return EVA_OK;
}

static eva_code say_twice(eva_text id, eva_error *error) {
  return eva_error_set(error, EVA_E_EXISTS, NULL, "item \"%.*s\" is named twice in one change; ids must be unique",
                       (int)id.len, id.data);
}

/* The first of id, id~2, id~3 ... that no item has, into batch->id. */
static eva_code free_id(eva_batch *batch, eva_text base, eva_error *error) {
  for (int64_t k = 1;; k++) {
    eva_buf_clear(&batch->id);
    eva_item_number_id(&batch->id, base, k);
    int found = 0;
    eva_item_row row;
    eva_statement *statement = NULL;
    eva_code code = eva_item_find_open(batch->store, batch->writer.dataset_id, eva_buf_text(&batch->id), &statement,
                                       &found, &row, error);
    if (code) return code;
    if (!found) return EVA_OK;
    eva_reset(statement);
    if (k == 1) batch->change.duplicates++;
  }
}

static eva_code append(eva_batch *batch, const eva_item *item, eva_text id, eva_error *error) {
  char digest[EVA_SHA256_TEXT_SIZE];
  int64_t key = 0;
  int inserted = 0;
  eva_code code = eva_item_digest(&batch->writer, item, id, digest, error);
  if (!code) {
    batch->last_position += EVA_POSITION_GAP;
    code = eva_item_insert(&batch->writer, item, id, digest, batch->last_position, &key, &inserted, error);
  }
  if (code) return code;
  if (!inserted) return say_twice(id, error); /* it was removed in this same batch */
  batch->change.added++;
  return EVA_OK;
}

static eva_code replace(eva_batch *batch, const eva_item *item, const eva_item_row *row, eva_error *error) {
  char digest[EVA_SHA256_TEXT_SIZE];
  int64_t key = 0;
  int inserted = 0;
  eva_code code = eva_item_digest(&batch->writer, item, item->item_id, digest, error);
  if (!code) code = eva_item_close(&batch->writer, row->item_key, row->valid_from, error);
  if (!code) code = eva_item_insert(&batch->writer, item, item->item_id, digest, row->position, &key, &inserted, error);
  if (!code) batch->change.updated++;
  return code;
}

static eva_code no_item(eva_batch *batch, eva_text id, eva_error *error) {
  return eva_error_set(error, EVA_E_NOT_FOUND, NULL, "version %lld has no item \"%.*s\"",
                       (long long)batch->writer.version - 1, (int)id.len, id.data);
}

eva_code eva_batch_put(eva_batch *batch, const eva_item *item, int must_exist, eva_error *error) {
  eva_code code = eva_item_check(item, error);
  if (code) return code;
  if (item->auto_id && !must_exist) {
    code = free_id(batch, item->item_id, error);
    return code ? code : append(batch, item, eva_buf_text(&batch->id), error);
  }
  int found = 0;
  eva_item_row row;
  eva_statement *statement = NULL;
  code = eva_item_find_open(batch->store, batch->writer.dataset_id, item->item_id, &statement, &found, &row, error);
  if (code) return code;
  if (!found) return must_exist ? no_item(batch, item->item_id, error) : append(batch, item, item->item_id, error);
  int same = eva_item_equal(&row.item, item);
  eva_reset(statement); /* the numbers in row are copies and stay */
  if (row.valid_from == batch->writer.version) return say_twice(item->item_id, error);
  return same ? EVA_OK : replace(batch, item, &row, error);
}

eva_code eva_batch_remove(eva_batch *batch, eva_text item_id, int must_exist, eva_error *error) {
  int found = 0;
  eva_item_row row;
  eva_statement *statement = NULL;
  eva_code code = eva_item_find_open(batch->store, batch->writer.dataset_id, item_id, &statement, &found, &row, error);
  if (code) return code;
  if (!found) return must_exist ? no_item(batch, item_id, error) : EVA_OK;
  eva_reset(statement);
  if (row.valid_from == batch->writer.version) return say_twice(item_id, error);
  code = eva_item_close(&batch->writer, row.item_key, row.valid_from, error);
  if (!code) batch->change.removed++;
  return code;
}

static eva_code add_version(eva_batch *batch, eva_error *error) {
  eva_change *change = &batch->change;
  change->changed = change->added + change->updated + change->removed > 0;
  change->version = batch->writer.version - !change->changed;
  eva_code code = eva_version_count_before(&batch->writer, &change->item_count, error);
  if (code || !change->changed) return code;
  change->item_count += change->added - change->removed;
  return eva_version_add(&batch->writer, change, NULL, eva_buf_text(&batch->message), error);
}

eva_code eva_batch_finish(eva_batch *batch, eva_change *change, eva_error *error) {
  eva_code code = add_version(batch, error);
  code = eva_store_leave(batch->store, batch->own, code, error);
  *change = batch->change;
  free_batch(batch);
  return code;
}
