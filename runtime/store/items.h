/* Items of datasets: their fields, their versioned rows, and reading what a version holds.
 *
 * A row of `items` is one state of one item, from version valid_from up to but not including valid_to. Closed rows are
 * found by a relational interval tree: span_node is the node of a binary tree over the version numbers at which
 * [valid_from, valid_to - 1] is kept (the number in it with the most trailing zero bits), and a version can only be
 * inside the intervals kept at its own ancestors, some log2(versions) of them. */
#ifndef EVA_STORE_ITEMS_H
#define EVA_STORE_ITEMS_H

#include "base/id.h"
#include "store/store.h"

/* The JSON fields of an item, in the order of the columns; each is JSON text in storage form, or none. */
typedef enum eva_item_field {
  EVA_ITEM_INPUT,
  EVA_ITEM_GROUND_TRUTH,
  EVA_ITEM_CONTEXT,
  EVA_ITEM_EXPECTED_TRAJECTORY,
  EVA_ITEM_STEPS,
  EVA_ITEM_OUTPUT,
  EVA_ITEM_METADATA,
  EVA_ITEM_TAGS,
  EVA_ITEM_SCORERS,
  EVA_ITEM_EXPECT,
  EVA_ITEM_TOOL_MOCKS,
  EVA_ITEM_SOURCE,
  EVA_ITEM_FIELD_COUNT
} eva_item_field;

extern const char *const eva_item_field_names[EVA_ITEM_FIELD_COUNT];

enum { EVA_ITEM_ID_MAX = 1024 }; /* bytes of an item id */

typedef struct eva_item {
  eva_text item_id;
  int auto_id; /* the id comes from the input: equal inputs get ~2, ~3 ... */
  eva_text fields[EVA_ITEM_FIELD_COUNT];
} eva_item;

/* A stored state of an item. Texts live until the next step of what returned it. */
typedef struct eva_item_row {
  eva_item item;
  int64_t item_key;
  int64_t valid_from;
  int64_t valid_to; /* 0: open */
  int64_t position;
  eva_text digest; /* SHA-256 in hex */
} eva_item_row;

/* The columns of an item row in the order that eva_item_row_read expects. */
#define EVA_ITEM_ROW_COLUMNS                                                                                     \
  "item_key, valid_from, valid_to, position, digest, item_id, auto_id, input, ground_truth, context, "           \
  "expected_trajectory, steps, output, metadata, tags, scorers, expect, tool_mocks, source"
void eva_item_row_read(eva_statement *statement, eva_item_row *row);

/* The tree node that keeps the versions [first, last]; 1 <= first <= last. */
int64_t eva_span_node(int64_t first, int64_t last);
/* The number of tree levels that can hold closed rows of a dataset whose latest version is `latest`. */
int eva_span_levels(int64_t latest);

/* The latest version of a dataset, and its name into `name` (may be NULL). EVA_E_NOT_FOUND names the id. */
eva_code eva_dataset_latest(eva_store *store, const char *dataset_id, int64_t *latest, eva_buf *name, eva_error *error);
/* EVA_E_NOT_FOUND, saying which versions there are, unless 0 <= version <= latest. Fills *latest. */
eva_code eva_version_check(eva_store *store, const char *dataset_id, int64_t version, int64_t *latest,
                           eva_error *error);
eva_code eva_item_count(eva_store *store, const char *dataset_id, int64_t version, int64_t *count, eva_error *error);

/* Reading a version in item order. The latest streams from one index; an older one is looked up in the interval tree
 * first (16 bytes of memory an item, kept until another old version is read). One cursor at a time. */
typedef struct eva_item_cursor {
  eva_store *store;
  eva_statement *rows;
  int latest;  /* rows is one query over the open rows, else one lookup by key */
  int pinned;  /* the look-ups share one state of the database */
  size_t next; /* index into the store's version keys */
  char dataset_id[EVA_UUID_TEXT_SIZE];
} eva_item_cursor;

/* Starts after `after` (a position of eva_item_row; INT64_MIN for the first). */
eva_code eva_items_open(eva_store *store, const char *dataset_id, int64_t version, int64_t after,
                        eva_item_cursor *cursor, eva_error *error);
/* EVA_OK with *found = 1 and a row, or 0 at the end. */
eva_code eva_items_next(eva_item_cursor *cursor, int *found, eva_item_row *row, eva_error *error);
void eva_items_close(eva_item_cursor *cursor); /* needed when stopping before the end or an error; never harmful */

/* One item at a version; EVA_E_NOT_FOUND names it. Ends with eva_reset(*statement), which frees the texts. */
eva_code eva_item_at(eva_store *store, const char *dataset_id, int64_t version, eva_text item_id,
                     eva_statement **statement, eva_item_row *row, eva_error *error);
/* Every state of one item, oldest first: step the statement and use eva_item_row_read. */
eva_code eva_item_history(eva_store *store, const char *dataset_id, eva_text item_id, eva_statement **statement,
                          eva_error *error);

/* The ids that differ between two versions, in item order. A changed item has other content; a mere move is none. */
typedef struct eva_item_diff {
  int kind; /* 'a' added, 'r' removed, 'c' changed */
  eva_text item_id;
} eva_item_diff;
typedef void (*eva_diff_callback)(void *context, const eva_item_diff *difference);
eva_code eva_version_diff(eva_store *store, const char *dataset_id, int64_t from, int64_t to, eva_diff_callback each,
                          void *context, eva_error *error);

/* The digest of a version: SHA-256 over the hex digest of each item and a newline, in item order. Computed once and
 * kept (unless the store is read-only or busy). `out` has EVA_SHA256_TEXT_SIZE bytes. */
eva_code eva_version_digest(eva_store *store, const char *dataset_id, int64_t version, char *out, eva_error *error);

#endif
