/* The request cache in SQL; see cache.h. */
#include "store/cache.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/stop.h"

static const char SQL_FIND[] =
    "SELECT digest, kind, target_id, target_version, trial, request, answer, created_at FROM entries WHERE digest = ?1";
static const char SQL_KEEP[] =
    "INSERT INTO entries (digest, kind, target_id, target_version, trial, request, answer, created_at) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (digest) DO NOTHING";
static const char SQL_REPLACE[] =
    "INSERT INTO entries (digest, kind, target_id, target_version, trial, request, answer, created_at) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (digest) DO UPDATE SET answer = excluded.answer, "
    "created_at = excluded.created_at";
static const char SQL_LIST[] =
    "SELECT digest, kind, target_id, target_version, trial, request, answer, created_at FROM entries "
    "WHERE (CAST(?1 AS TEXT) IS NULL OR target_id = ?1) ORDER BY target_id, request, digest";
static const char SQL_COUNT[] =
    "SELECT COUNT(*) FROM entries WHERE (CAST(?1 AS TEXT) IS NULL OR target_id = ?1)";
static const char SQL_CLEAR[] =
    "DELETE FROM entries WHERE (CAST(?1 AS TEXT) IS NULL OR target_id = ?1) "
    "AND (CAST(?2 AS TEXT) IS NULL OR created_at < ?2)";

static const eva_db_kind CACHE = {"cache", "--cache-file", "evalua run --cache use", 0x45564c43 /* "EVLC" */};

enum { RETRY_MS = 5 };

struct eva_cache {
  eva_db *db;
};

static eva_code begin_patiently(eva_cache *cache, eva_error *error) {
  for (int waited = 0;; waited += RETRY_MS) {
    eva_code code = eva_db_begin(cache->db, error);
    if (code != EVA_E_BUSY || waited >= EVA_CACHE_OPEN_WAIT_MS || eva_stop_asked) return code;
    struct timespec pause = {0, RETRY_MS * 1000000L};
    nanosleep(&pause, NULL);
  }
}

/* Ends the transaction: commits if `code` is EVA_OK, rolls back otherwise; returns the first failure. */
static eva_code leave(eva_cache *cache, eva_code code, eva_error *error) {
  if (!code) return eva_db_commit(cache->db, error);
  eva_db_rollback(cache->db);
  return code;
}

/* What follows the line of schema version 1. */
static eva_text definition(const char *schema) {
  static const char mark[] = "\n-- schema version 1\n";
  const char *start = schema ? strstr(schema, mark) : NULL;
  return eva_text_of(start ? start + strlen(mark) : NULL);
}

static eva_code check_version(eva_cache *cache, int *version, eva_error *error) {
  eva_code code = eva_db_identify(cache->db, version, error);
  if (code || *version <= EVA_CACHE_SCHEMA_VERSION) return code;
  return eva_error_set(error, EVA_E_SCHEMA, eva_db_path(cache->db),
                       "the cache has schema %d and this program knows %d; use the newer evalua that wrote it, or name "
                       "another cache with --cache-file",
                       *version, EVA_CACHE_SCHEMA_VERSION);
}

static eva_code define(eva_cache *cache, const char *schema, eva_error *error) {
  int version = 0;
  eva_code code = check_version(cache, &version, error);
  if (code || version > 0) return code;
  if (eva_db_read_only(cache->db)) {
    return eva_error_set(error, EVA_E_NOT_FOUND, eva_db_path(cache->db), "the cache is an empty file");
  }
  code = begin_patiently(cache, error);
  if (code) return code;
  code = check_version(cache, &version, error); /* another process may have been faster */
  if (!code && version == 0) {
    eva_text text = definition(schema);
    code = text.data ? eva_db_define(cache->db, text, EVA_CACHE_SCHEMA_VERSION, error)
                     : eva_error_set(error, EVA_E_STATE, NULL, "the schema of the cache is missing");
  }
  return leave(cache, code, error);
}

eva_code eva_cache_open(const char *url, const eva_cache_options *options, eva_cache **out, eva_error *error) {
  eva_db_options database = {.read_only = options->read_only, .create = options->create, .kind = &CACHE};
  eva_cache *cache = eva_alloc_zeroed(1, sizeof *cache);
  eva_code code = eva_db_open(url, &database, &cache->db, error);
  if (!code) code = define(cache, options->schema_sql, error);
  if (code) {
    eva_cache_close(cache);
    return code;
  }
  *out = cache;
  return EVA_OK;
}

void eva_cache_close(eva_cache *cache) {
  if (!cache) return;
  eva_db_close(cache->db);
  free(cache);
}

void eva_cache_forget(eva_cache *cache) {
  if (!cache) return;
  eva_db_forget(cache->db);
  free(cache);
}

const char *eva_cache_path(const eva_cache *cache) { return eva_db_path(cache->db); }

/* ==== Entries ==== */

eva_code eva_cache_find(eva_cache *cache, eva_text digest, eva_statement **row, eva_error *error) {
  int found = 0;
  eva_code code = eva_db_prepare(cache->db, SQL_FIND, row, error);
  if (code) return code;
  eva_bind_clean(*row, 1, digest);
  code = eva_step(*row, &found, error);
  return code || found ? code : EVA_E_NOT_FOUND;
}

void eva_cache_read(eva_statement *row, eva_cache_entry *entry) {
  *entry = (eva_cache_entry){.digest = eva_column_text(row, 0),
                             .kind = eva_column_text(row, 1),
                             .target_id = eva_column_text(row, 2),
                             .target_version = eva_column_text(row, 3),
                             .trial = eva_column_int(row, 4),
                             .request = eva_column_text(row, 5),
                             .answer = eva_column_text(row, 6),
                             .created_at = eva_column_text(row, 7)};
}

eva_code eva_cache_begin(eva_cache *cache, eva_error *error) {
  if (!eva_db_read_only(cache->db)) return eva_db_begin(cache->db, error);
  return eva_error_set(error, EVA_E_READ_ONLY, eva_db_path(cache->db), "the cache was opened for reading only");
}

eva_code eva_cache_commit(eva_cache *cache, eva_error *error) { return eva_db_commit(cache->db, error); }
void eva_cache_rollback(eva_cache *cache) { eva_db_rollback(cache->db); }

eva_code eva_cache_put(eva_cache *cache, const eva_cache_entry *entry, int is_newer, eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = eva_db_prepare(cache->db, is_newer ? SQL_REPLACE : SQL_KEEP, &insert, error);
  if (code) return code;
  /* The text of the request must stay what its digest is of: it and the answer come here without secrets. */
  eva_bind_clean(insert, 1, entry->digest);
  eva_bind_clean(insert, 2, entry->kind);
  eva_bind_clean(insert, 3, entry->target_id);
  eva_bind_clean(insert, 4, entry->target_version);
  eva_bind_int(insert, 5, entry->trial);
  eva_bind_clean(insert, 6, entry->request);
  eva_bind_clean(insert, 7, entry->answer);
  eva_bind_clean(insert, 8, entry->created_at);
  return eva_run(insert, error);
}

eva_code eva_cache_list(eva_cache *cache, eva_text target_id, eva_statement **rows, eva_error *error) {
  eva_code code = eva_db_prepare(cache->db, SQL_LIST, rows, error);
  if (!code) eva_bind_clean(*rows, 1, target_id);
  return code;
}

eva_code eva_cache_count(eva_cache *cache, eva_text target_id, int64_t *count, eva_error *error) {
  eva_statement *row = NULL;
  int found = 0;
  eva_code code = eva_db_prepare(cache->db, SQL_COUNT, &row, error);
  if (code) return code;
  eva_bind_clean(row, 1, target_id);
  code = eva_step(row, &found, error);
  if (code) return code;
  *count = eva_column_int(row, 0);
  eva_reset(row);
  return EVA_OK;
}

eva_code eva_cache_clear(eva_cache *cache, eva_text target_id, eva_text before, int64_t *count, eva_error *error) {
  eva_statement *statement = NULL;
  *count = 0;
  eva_code code = begin_patiently(cache, error);
  if (code) return code;
  code = eva_db_prepare(cache->db, SQL_CLEAR, &statement, error);
  if (!code) {
    eva_bind_clean(statement, 1, target_id);
    eva_bind_clean(statement, 2, before);
    code = eva_run(statement, error);
    *count = eva_changes(cache->db);
  }
  return leave(cache, code, error);
}
