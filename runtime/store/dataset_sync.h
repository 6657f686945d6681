/* Bringing a dataset in line with a source: put every item in order, then finish. One new version, or none.
 *
 * While the items put equal the stored ones, in order, nothing is written and no lock is held. At the first difference
 * the write transaction starts. Memory does not grow with the number of items for a first import, an append and a sync
 * that changes nothing; any other sync keeps some 40 bytes for each item from the first difference on. */
#ifndef EVA_STORE_DATASET_SYNC_H
#define EVA_STORE_DATASET_SYNC_H

#include "store/datasets.h"

typedef struct eva_sync eva_sync;

/* `message` (may be none) is kept with the version. EVA_E_STATE inside a transaction of the caller. */
eva_code eva_sync_begin(eva_store *store, const char *dataset_id, eva_text message, eva_sync **sync,
                        eva_error *error);

/* The next item. `where` says where it comes from ("tickets.jsonl:12"; may be none) and is used in messages only.
 * An id that was put before is EVA_E_EXISTS naming both places; the k-th item with the same auto_id gets ~k.
 * EVA_E_BUSY when another process changed the dataset meanwhile: start over. After a failure only abort is allowed. */
eva_code eva_sync_put(eva_sync *sync, const eva_item *item, eva_text where, eva_error *error);

/* The same as putting one after the other, and quicker for a first import. */
eva_code eva_sync_put_many(eva_sync *sync, const eva_item *items, const eva_text *places, size_t count,
                           eva_error *error);
/* How many of them at once are worth it. */
enum { EVA_SYNC_MANY = 10 };

/* Removes what was not put, and commits. Both free the sync. */
eva_code eva_sync_finish(eva_sync *sync, eva_change *change, eva_error *error);
void eva_sync_abort(eva_sync *sync); /* NULL is fine */

#endif
