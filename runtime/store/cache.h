/* The request cache: answers by the digest of the request, in a database of its own beside the store.
 *
 * As a store it belongs to the process that opened it; a forked child calls eva_cache_forget and nothing else. Nothing
 * waits inside but opening: where another process writes, calls return EVA_E_BUSY and the caller tries again. */
#ifndef EVA_STORE_CACHE_H
#define EVA_STORE_CACHE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/db.h"

enum {
  EVA_CACHE_SCHEMA_VERSION = 1,
  EVA_CACHE_OPEN_WAIT_MS = 5000 /* how long opening waits for another process that writes */
};

typedef struct eva_cache eva_cache;

typedef struct eva_cache_options {
  int read_only;
  int create;             /* make the file when it is not there */
  const char *schema_sql; /* the text of runtime/store/cache.sql */
} eva_cache_options;

/* One answer; every text is required, and none holds a secret. Columns of table `entries`, see cache.sql. */
typedef struct eva_cache_entry {
  eva_text digest, kind, target_id, target_version;
  int64_t trial;
  eva_text request, answer, created_at;
} eva_cache_entry;

/* Opens the cache at `url`, a path or ":memory:". Errors: EVA_E_NOT_FOUND (no such file), EVA_E_SCHEMA (not a cache, or
 * of a newer program), EVA_E_READ_ONLY, EVA_E_BUSY, EVA_E_STORE. */
eva_code eva_cache_open(const char *url, const eva_cache_options *options, eva_cache **cache, eva_error *error);
void eva_cache_close(eva_cache *cache);  /* NULL is fine */
void eva_cache_forget(eva_cache *cache); /* in a forked child: frees memory, says no word to the database */
const char *eva_cache_path(const eva_cache *cache); /* absolute, or ":memory:" */

/* Stands on the row of that digest: eva_cache_read reads it, eva_reset ends it. EVA_E_NOT_FOUND where there is none
 * (`error` is not filled then). */
eva_code eva_cache_find(eva_cache *cache, eva_text digest, eva_statement **row, eva_error *error);
/* The row that a statement of this interface stands on; the texts live until its next step or reset. */
void eva_cache_read(eva_statement *row, eva_cache_entry *entry);

/* Entries are put inside a transaction; begin never waits (EVA_E_BUSY). */
eva_code eva_cache_begin(eva_cache *cache, eva_error *error);
eva_code eva_cache_commit(eva_cache *cache, eva_error *error);
void eva_cache_rollback(eva_cache *cache);
/* Adds an entry. Where there is one of that digest it stays (is_newer 0) or its answer and time are replaced. */
eva_code eva_cache_put(eva_cache *cache, const eva_cache_entry *entry, int is_newer, eva_error *error);

/* The entries of a target (none: of all), in the order of target, request and digest. */
eva_code eva_cache_list(eva_cache *cache, eva_text target_id, eva_statement **rows, eva_error *error);
/* Their number. */
eva_code eva_cache_count(eva_cache *cache, eva_text target_id, int64_t *count, eva_error *error);
/* Removes the entries of a target (none: of all) made before a time (RFC 3339; none: whenever), in a transaction of its
 * own. */
eva_code eva_cache_clear(eva_cache *cache, eva_text target_id, eva_text before, int64_t *count, eva_error *error);

#endif
