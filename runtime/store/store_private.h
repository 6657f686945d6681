/* What the files of this directory share about an open store; nobody else includes it. */
#ifndef EVA_STORE_PRIVATE_H
#define EVA_STORE_PRIVATE_H

#include "base/clock.h"
#include "base/id.h"
#include "store/store.h"

/* One item row of a version: enough to order and fetch it. */
typedef struct eva_version_key {
  int64_t position;
  int64_t item_key;
} eva_version_key;

/* The rows of any version in item order; the caller frees *keys. */
eva_code eva_version_keys(eva_store *store, const char *dataset_id, int64_t version, eva_version_key **keys,
                          size_t *count, eva_error *error);
/* Keeps one state of the database in view for many small reads, until as many unpins. */
void eva_store_pin(eva_store *store);
void eva_store_unpin(eva_store *store);
/* Drops the keys of the old version that was read last. */
void eva_store_forget_version(eva_store *store);

struct eva_store {
  eva_db *db;
  int timeout_ms; /* store_timeout */
  int lock_fd; /* of "<path>.lock"; -1 until first needed */
  int lock_count;
  int64_t locks[EVA_EXPERIMENT_LOCK_MAX]; /* experiment numbers that this process runs */

  int pins;
  eva_statement *pin;    /* stands on a row while pins > 0 */
  struct eva_sync *sync; /* the one that is open; closing the store ends it */

  int64_t time_second; /* the second that time_text is of */
  char time_text[EVA_TIME_TEXT_SIZE];

  /* The job of the last result, which its scores follow. */
  char last_experiment[EVA_UUID_TEXT_SIZE];
  int64_t last_position;
  int last_trial;
  size_t last_item_len;
  char last_item[128]; /* longer ids are looked up */

  /* The rows of the old version that was read last, in order: pages of it need no second search. */
  eva_version_key *version_keys;
  size_t version_key_count;
  int64_t version_keys_of;
  char version_keys_dataset[EVA_UUID_TEXT_SIZE];
};

#endif
