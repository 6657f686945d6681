/* The state of a sync, shared by its two files. */
#ifndef EVA_STORE_SYNC_PRIVATE_H
#define EVA_STORE_SYNC_PRIVATE_H

#include "base/id.h"
#include "store/dataset_sync.h"
#include "store/item_order.h"
#include "store/items_write.h"
#include "store/key_map.h"
#include "store/places.h"

typedef enum eva_sync_phase { EVA_SYNC_COMPARE, EVA_SYNC_APPEND, EVA_SYNC_MERGE } eva_sync_phase;

struct eva_sync {
  eva_store *store;
  char dataset_id[EVA_UUID_TEXT_SIZE];
  int64_t base_version;
  eva_sync_phase phase;
  int own;         /* the write transaction is open */
  int64_t ordinal; /* items put so far */
  int64_t matched; /* of these, the first ones that equal the first stored ones */
  int64_t last_position; /* of the last matched row; INT64_MIN: none */
  eva_sha256 *digest;    /* of the new version so far */
  eva_places places;
  eva_key_map repeats; /* hash of an auto id -> the largest k given out, for those that came twice */
  eva_buf message, id;
  eva_change change;
  eva_item_writer writer; /* from the first difference on */
  int one_by_one; /* APPEND: some ids come twice */

  /* COMPARE: the next stored row. */
  eva_statement *stored;
  int has_row;
  eva_item_row row;

  /* MERGE: every item put since the first difference, in the new order. */
  eva_order_entry *entries;
  size_t entry_count, entry_room;
  eva_key_map seen; /* item_key of a row -> the number of the item that it is */
  eva_statement *expected; /* open rows in the old order; NULL: to be opened behind expected_after */
  int64_t expected_after;
  int renumbered; /* old rows got fresh positions */
};

/* Which item of this sync the open row is: -1 in the matched prefix, 0 not put yet. */
int64_t eva_sync_ordinal_of(eva_sync *sync, const eva_item_row *row);
eva_code eva_sync_choose_id(eva_sync *sync, const eva_item *item, eva_error *error);
eva_code eva_sync_say_twice(eva_sync *sync, eva_text id, int64_t earlier, eva_error *error);

/* dataset_merge.c. The digest of the item put goes to digest[EVA_SHA256_TEXT_SIZE]. */
eva_code eva_merge_put(eva_sync *sync, const eva_item *item, char *digest, eva_error *error);
eva_code eva_merge_finish(eva_sync *sync, eva_error *error);

#endif
