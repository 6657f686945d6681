/* Writing item rows: used by batches and by the sync of a whole dataset; private to this directory. */
#ifndef EVA_STORE_ITEMS_WRITE_H
#define EVA_STORE_ITEMS_WRITE_H

#include "store/datasets.h"
#include "store/items.h"

/* Between neighbours there is room for new items without touching any other row, 24 times at the same place. */
#define EVA_POSITION_GAP ((int64_t)1 << 24)

/* One change of one dataset under way: what its new rows have in common. */
typedef struct eva_item_writer {
  eva_store *store;
  char dataset_id[EVA_UUID_TEXT_SIZE];
  int64_t version;  /* the version being made */
  int64_t next_key; /* the item_key of the next new row */
  eva_buf scratch;
} eva_item_writer;

/* Inside a transaction: reads the dataset's version and the next key. */
eva_code eva_writer_start(eva_store *store, const char *dataset_id, eva_item_writer *writer, eva_error *error);
void eva_writer_end(eva_item_writer *writer);

/* EVA_OK when the item can be stored: an id of 1 to EVA_ITEM_ID_MAX bytes without control characters, and an input. */
eva_code eva_item_check(const eva_item *item, eva_error *error);
/* Same content: every field's storage text. Ids are not compared. */
int eva_item_equal(const eva_item *a, const eva_item *b);
/* SHA-256 in hex over the lines: a field's name, its identity text (item_id first). Also validates the JSON. */
eva_code eva_item_digest(eva_item_writer *writer, const eva_item *item, eva_text item_id, char *out,
                         eva_error *error);

/* Inserts a row of the new version; *inserted is 0 when that id was already written in this version. */
eva_code eva_item_insert(eva_item_writer *writer, const eva_item *item, eva_text item_id, const char *digest,
                         int64_t position, int64_t *item_key, int *inserted, eva_error *error);
/* The same for several rows, whose positions follow each other with the gap: all of them, or none when one of their ids
 * was already written in this version. */
enum { EVA_ITEMS_AT_ONCE = 10 };
typedef struct eva_item_digest_text {
  char hex[EVA_SHA256_TEXT_SIZE];
} eva_item_digest_text;
eva_code eva_items_insert(eva_item_writer *writer, const eva_item items[EVA_ITEMS_AT_ONCE],
                          const eva_item_digest_text digests[EVA_ITEMS_AT_ONCE], int64_t position, int *inserted,
                          eva_error *error);
/* Ends a row: it belongs to no version from the new one on. */
eva_code eva_item_close(eva_item_writer *writer, int64_t item_key, int64_t valid_from, eva_error *error);
/* Ends a row and puts a copy with another position in its place. */
eva_code eva_item_move(eva_item_writer *writer, int64_t item_key, int64_t valid_from, int64_t position,
                       eva_error *error);
eva_code eva_item_set_position(eva_item_writer *writer, int64_t item_key, int64_t position, eva_error *error);

/* The open row with that id: EVA_OK with *found 0 or 1. The statement must be reset (eva_reset) when found. */
eva_code eva_item_find_open(eva_store *store, const char *dataset_id, eva_text item_id, eva_statement **statement,
                            int *found, eva_item_row *row, eva_error *error);
/* The largest position among open rows; 0 when there is none. */
eva_code eva_item_last_position(eva_item_writer *writer, int64_t *position, eva_error *error);

/* Records the new version and makes it the dataset's. `digest` NULL: computed when first asked for. */
eva_code eva_version_add(eva_item_writer *writer, const eva_change *change, const char *digest, eva_text message,
                         eva_error *error);
/* The item count of the version before the one being made. */
eva_code eva_version_count_before(eva_item_writer *writer, int64_t *count, eva_error *error);

/* Appends "base~k" to `out`; k = 1 gives the base itself. */
void eva_item_number_id(eva_buf *out, eva_text base, int64_t k);

#endif
