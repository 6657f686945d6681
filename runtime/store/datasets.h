/* Datasets: their records, versions and aliases, and changes to single items. Bringing a whole dataset in line with a
 * source is dataset_sync.h; reading items is items.h. */
#ifndef EVA_STORE_DATASETS_H
#define EVA_STORE_DATASETS_H

#include "base/id.h"
#include "store/items.h"
#include "store/store.h"

/* The columns of a dataset record, in the order of eva_dataset_columns. */
enum {
  EVA_DATASET_ID,
  EVA_DATASET_VERSION,
  EVA_DATASET_CREATED_AT,
  EVA_DATASET_UPDATED_AT,
  EVA_DATASET_NAME,
  EVA_DATASET_DESCRIPTION,
  EVA_DATASET_METADATA,
  EVA_DATASET_TAGS,
  EVA_DATASET_INPUT_SCHEMA,
  EVA_DATASET_GROUND_TRUTH_SCHEMA,
  EVA_DATASET_TARGET,
  EVA_DATASET_SCORERS,
  EVA_DATASET_OWNER,
  EVA_DATASET_ITEM_COUNT,
  EVA_DATASET_DIGEST, /* may be null: then ask eva_version_digest */
  EVA_DATASET_COLUMN_COUNT
};
extern const eva_column eva_dataset_columns[EVA_DATASET_COLUMN_COUNT];

/* Makes an empty dataset at version 0 from the given id (else a new UUIDv7) and NAME .. OWNER; fills `id`. EVA_E_EXISTS
 * when the name or id is taken. */
eva_code eva_dataset_create(eva_store *store, const eva_value values[EVA_DATASET_COLUMN_COUNT],
                            char id[EVA_UUID_TEXT_SIZE], eva_error *error);
/* Changes the given ones of NAME .. OWNER; type 'n' clears. No new version. */
eva_code eva_dataset_update(eva_store *store, const char *id, const eva_value values[EVA_DATASET_COLUMN_COUNT],
                            eva_error *error);
/* Takes the dataset out of every list and frees its name. Its rows stay for the experiments that ran it; one that never
 * had an item leaves no trace. */
eva_code eva_dataset_delete(eva_store *store, const char *id, eva_error *error);

/* Each returns a statement to step; its columns are eva_dataset_columns. Deleted datasets are not among them. */
eva_code eva_dataset_select_name(eva_store *store, eva_text name, eva_statement **rows, eva_error *error);
eva_code eva_dataset_select_id(eva_store *store, eva_text id, eva_statement **rows, eva_error *error);
eva_code eva_dataset_list(eva_store *store, eva_statement **rows, eva_error *error); /* by name */

/* Versions. Columns of the statements: version, digest (may be null), item_count, added, updated, removed, message,
 * created_at. */
enum { EVA_VERSION_COLUMN_COUNT = 8 };
extern const eva_column eva_version_columns[EVA_VERSION_COLUMN_COUNT];
eva_code eva_version_list(eva_store *store, const char *dataset_id, eva_statement **rows, eva_error *error);
eva_code eva_version_select(eva_store *store, const char *dataset_id, int64_t version, eva_statement **rows,
                            eva_error *error);
/* The number meant by "latest", "7" or an alias. EVA_E_NOT_FOUND says what there is. */
eva_code eva_version_resolve(eva_store *store, const char *dataset_id, eva_text reference, int64_t *version,
                             eva_error *error);

/* Points the alias at a version (moves it if it exists); a negative version removes it. Names that could be taken for
 * a number or for "latest" are EVA_E_ARGUMENT. */
eva_code eva_alias_set(eva_store *store, const char *dataset_id, eva_text name, int64_t version, eva_error *error);
/* Columns: name, version, updated_at. */
enum { EVA_ALIAS_COLUMN_COUNT = 3 };
extern const eva_column eva_alias_columns[EVA_ALIAS_COLUMN_COUNT];
eva_code eva_alias_list(eva_store *store, const char *dataset_id, eva_statement **rows, eva_error *error);

/* What one change of items did. */
typedef struct eva_change {
  int64_t version; /* the latest after it */
  int changed;     /* a version was made */
  int64_t added, updated, removed, moved, duplicates;
  int64_t item_count;
  char digest[EVA_SHA256_TEXT_SIZE]; /* of the version; "" when not computed */
} eva_change;

/* One batch of single changes: begin, any number of put and remove, finish (or abort). It is one version, or none when
 * nothing differs. The batch holds the write transaction (or joins the open one) from begin to its end. */
typedef struct eva_batch eva_batch;
eva_code eva_batch_begin(eva_store *store, const char *dataset_id, eva_text message, eva_batch **batch,
                         eva_error *error);
/* Replaces the item of that id, else appends it (EVA_E_NOT_FOUND instead with must_exist). An item with auto_id is
 * always appended, with ~k behind its id if that is taken. Twice the same id in a batch is EVA_E_EXISTS. */
eva_code eva_batch_put(eva_batch *batch, const eva_item *item, int must_exist, eva_error *error);
/* Removes an item; one that is not there is nothing, or EVA_E_NOT_FOUND with must_exist. */
eva_code eva_batch_remove(eva_batch *batch, eva_text item_id, int must_exist, eva_error *error);
/* Both free the batch. After a failed call only abort is allowed. */
eva_code eva_batch_finish(eva_batch *batch, eva_change *change, eva_error *error);
void eva_batch_abort(eva_batch *batch);

#endif
