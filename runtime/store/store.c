/* Opening and migrating a store, its transactions, and the locks that say which experiment is being run. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "store/dataset_sync.h"
#include "store/store_private.h"

static const char SQL_META_GET[] = "SELECT value FROM meta WHERE name = ?1";
static const char SQL_META_SET[] =
    "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

static const char SQL_PIN[] = "SELECT name FROM meta";

enum { RETRY_MS = 5 };

static void sleep_ms(long milliseconds) {
  struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

/* The write lock, waiting for other writers up to store_timeout. */
static eva_code begin_patiently(eva_store *store, eva_error *error) {
  for (int waited = 0;; waited += RETRY_MS) {
    eva_code code = eva_db_begin(store->db, error);
    if (code != EVA_E_BUSY) return code;
    if (waited >= store->timeout_ms || eva_stop_asked) {
      return eva_error_set(error, EVA_E_BUSY, eva_db_path(store->db),
                           "the store stayed locked by another process for %g s (store_timeout)", waited / 1000.0);
    }
    sleep_ms(RETRY_MS);
  }
}

/* Without WAL a commit waits for readers; up to store_timeout. */
static eva_code commit_patiently(eva_store *store, eva_error *error) {
  eva_code code = eva_db_try_commit(store->db, error);
  for (int waited = 0; code == EVA_E_BUSY && waited < store->timeout_ms && !eva_stop_asked; waited += RETRY_MS) {
    sleep_ms(RETRY_MS);
    code = eva_db_try_commit(store->db, error);
  }
  if (code) eva_db_rollback(store->db);
  return code;
}

/* Schema */

/* The text of migration `version`: what follows its "-- schema version N" line up to the next one. */
static eva_text migration_text(const char *schema, int version) {
  char mark[64];
  snprintf(mark, sizeof mark, "\n-- schema version %d\n", version);
  const char *start = strstr(schema, mark);
  if (!start) return EVA_TEXT_NONE;
  start += strlen(mark);
  const char *end = strstr(start, "\n-- schema version ");
  return (eva_text){start, end ? (size_t)(end - start) : strlen(start)};
}

static eva_code record_version(eva_store *store, eva_error *error) {
  char version[16];
  snprintf(version, sizeof version, "%d", EVA_SCHEMA_VERSION);
  eva_statement *statement = NULL;
  eva_code code = eva_db_prepare(store->db, SQL_META_SET, &statement, error);
  if (code) return code;
  eva_bind_string(statement, 1, "schema_version");
  eva_bind_string(statement, 2, version);
  return eva_run(statement, error);
}

static eva_code apply_migrations(eva_store *store, int from, const char *schema, eva_error *error) {
  for (int version = from + 1; version <= EVA_SCHEMA_VERSION; version++) {
    eva_text text = schema ? migration_text(schema, version) : EVA_TEXT_NONE;
    if (!text.data) return eva_error_set(error, EVA_E_STATE, NULL, "the text of schema version %d is missing", version);
    eva_code code = eva_db_define(store->db, text, version, error);
    if (code) return code;
  }
  return record_version(store, error);
}

static eva_code check_version(eva_store *store, int version, eva_error *error) {
  if (version <= EVA_SCHEMA_VERSION) return EVA_OK;
  return eva_error_set(error, EVA_E_SCHEMA, eva_db_path(store->db),
                       "the store has schema %d and this program knows %d; use the newer evalua that wrote it, or name "
                       "another store with --store",
                       version, EVA_SCHEMA_VERSION);
}

static eva_code migrate(eva_store *store, const char *schema, eva_error *error) {
  int version = 0;
  eva_code code = eva_db_identify(store->db, &version, error);
  if (!code) code = check_version(store, version, error);
  if (code || version == EVA_SCHEMA_VERSION) return code;
  if (eva_db_read_only(store->db)) {
    return eva_error_set(error, EVA_E_READ_ONLY, eva_db_path(store->db),
                         version ? "the store has the older schema %d and cannot be brought up to date (to %d), because "
                                   "it is read only; allow writing to the file and its directory, or copy it"
                                 : "the store is empty (schema %d, not %d) and opened read-only; `evalua run` fills it",
                         version, EVA_SCHEMA_VERSION);
  }
  code = begin_patiently(store, error);
  if (code) return code;
  code = eva_db_identify(store->db, &version, error); /* another process may have been faster */
  if (!code) code = check_version(store, version, error);
  if (!code && version < EVA_SCHEMA_VERSION) code = apply_migrations(store, version, schema, error);
  return eva_store_leave(store, 1, code, error);
}

eva_code eva_store_open(const char *url, const eva_store_options *options, eva_store **out, eva_error *error) {
  eva_db_options database = {.read_only = options->read_only, .create = options->create, .durable = options->durable};
  eva_store *store = eva_alloc_zeroed(1, sizeof *store);
  store->lock_fd = -1;
  store->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : EVA_STORE_TIMEOUT_MS;
  database.wait_ms = store->timeout_ms;
  store->time_second = INT64_MIN;
  eva_code code = eva_db_open(url, &database, &store->db, error);
  if (!code) code = migrate(store, options->schema_sql, error);
  if (code) {
    eva_store_close(store);
    return code;
  }
  *out = store;
  return EVA_OK;
}

void eva_store_close(eva_store *store) {
  if (!store) return;
  eva_sync_abort(store->sync);
  if (store->lock_fd >= 0) close(store->lock_fd);
  eva_db_close(store->db);
  free(store->version_keys);
  free(store);
}

void eva_store_forget(eva_store *store) {
  if (!store) return;
  if (store->lock_fd >= 0) close(store->lock_fd);
  eva_db_forget(store->db);
  free(store->version_keys);
  free(store);
}

eva_db *eva_store_db(eva_store *store) { return store->db; }
const char *eva_store_path(const eva_store *store) { return eva_db_path(store->db); }
const char *eva_store_notice(const eva_store *store) { return eva_db_notice(store->db); }
int eva_store_read_only(const eva_store *store) { return eva_db_read_only(store->db); }
int eva_store_timeout_ms(const eva_store *store) { return store->timeout_ms; }

/* Transactions */

static eva_code check_writable(eva_store *store, eva_error *error) {
  if (!eva_db_read_only(store->db)) return EVA_OK;
  return eva_error_set(error, EVA_E_READ_ONLY, eva_db_path(store->db), "the store was opened for reading only");
}

eva_code eva_store_begin(eva_store *store, eva_error *error) {
  eva_code code = check_writable(store, error);
  return code ? code : eva_db_begin(store->db, error);
}

eva_code eva_store_commit(eva_store *store, eva_error *error) { return commit_patiently(store, error); }
eva_code eva_store_try_commit(eva_store *store, eva_error *error) { return eva_db_try_commit(store->db, error); }
void eva_store_rollback(eva_store *store) { eva_db_rollback(store->db); }
int eva_store_in_transaction(const eva_store *store) { return eva_db_in_transaction(store->db); }

eva_code eva_store_begin_patiently(eva_store *store, eva_error *error) {
  if (eva_db_in_transaction(store->db)) return eva_store_begin(store, error); /* says what is wrong */
  eva_code code = check_writable(store, error);
  return code ? code : begin_patiently(store, error);
}

eva_code eva_store_enter(eva_store *store, int *own, eva_error *error) {
  *own = 0;
  if (eva_db_in_transaction(store->db)) return EVA_OK;
  eva_code code = check_writable(store, error);
  if (!code) code = begin_patiently(store, error);
  *own = code == EVA_OK;
  return code;
}

eva_code eva_store_leave(eva_store *store, int own, eva_code code, eva_error *error) {
  if (!own) return code;
  if (!code) return commit_patiently(store, error);
  eva_db_rollback(store->db);
  return code;
}

/* Outside a transaction every statement takes and gives back the read lock, which costs more than a look-up by key.
 * While one statement stands on a row, the others share its lock and see the same state. */
void eva_store_pin(eva_store *store) {
  eva_error ignored; /* without the pin reading is only slower */
  int row = 0;
  if (store->pins++ > 0 || eva_store_prepare(store, SQL_PIN, &store->pin, &ignored) != EVA_OK) return;
  (void)eva_step(store->pin, &row, &ignored);
}

void eva_store_unpin(eva_store *store) {
  if (--store->pins == 0 && store->pin) eva_reset(store->pin);
}

/* Locks: one byte of "<path>.lock" for each running experiment, held by the open file, not by the process, so that it
 * ends with the last descriptor and forked children can be kept out by closing theirs. */

static eva_code open_lock_file(eva_store *store, eva_error *error) {
  if (store->lock_fd >= 0) return EVA_OK;
  char path[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s.lock", eva_db_path(store->db));
  int read_only = eva_db_read_only(store->db);
  store->lock_fd = open(path, (read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0666);
  if (store->lock_fd >= 0) return EVA_OK;
  return eva_error_set(error, EVA_E_IO, path, "the lock file cannot be opened: %s", strerror(errno));
}

static int find_own_lock(const eva_store *store, int64_t number) {
  for (int index = 0; index < store->lock_count; index++) {
    if (store->locks[index] == number) return index;
  }
  return -1;
}

static int lock_byte(eva_store *store, int command, short type, int64_t number, struct flock *region) {
  *region = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)number, .l_len = 1};
  return fcntl(store->lock_fd, command, region);
}

eva_code eva_store_lock(eva_store *store, int64_t number, eva_error *error) {
  if (number < 0) return eva_error_set(error, EVA_E_ARGUMENT, NULL, "experiment numbers start at 1");
  if (find_own_lock(store, number) >= 0) return EVA_OK;
  if (store->lock_count == EVA_EXPERIMENT_LOCK_MAX) {
    return eva_error_set(error, EVA_E_LIMIT, NULL, "%d experiments run at once; that is the most one process may run",
                         EVA_EXPERIMENT_LOCK_MAX);
  }
  if (!eva_db_in_memory(store->db)) {
    eva_code code = check_writable(store, error);
    if (!code) code = open_lock_file(store, error);
    if (code) return code;
    struct flock region;
    if (lock_byte(store, F_OFD_SETLK, F_WRLCK, number, &region) != 0) {
      if (errno == EAGAIN || errno == EACCES) {
        return eva_error_set(error, EVA_E_BUSY, eva_db_path(store->db), "experiment %lld is run by another process",
                             (long long)number);
      }
      return eva_error_set(error, EVA_E_IO, eva_db_path(store->db), "experiment %lld cannot be locked: %s",
                           (long long)number, strerror(errno));
    }
  }
  store->locks[store->lock_count++] = number;
  return EVA_OK;
}

void eva_store_unlock(eva_store *store, int64_t number) {
  int index = find_own_lock(store, number);
  if (index < 0) return;
  store->locks[index] = store->locks[--store->lock_count];
  struct flock region;
  if (store->lock_fd >= 0) (void)lock_byte(store, F_OFD_SETLK, F_UNLCK, number, &region);
}

int eva_store_is_locked(eva_store *store, int64_t number) {
  if (find_own_lock(store, number) >= 0) return 1;
  if (eva_db_in_memory(store->db) || number < 0) return 0;
  eva_error ignored;
  if (open_lock_file(store, &ignored) != EVA_OK) return 0; /* nobody ever locked anything here */
  struct flock region;
  return lock_byte(store, F_OFD_GETLK, F_WRLCK, number, &region) == 0 && region.l_type != F_UNLCK;
}

int eva_store_lock_fd(const eva_store *store) { return store->lock_fd; }

/* Small helpers of the domain code */

eva_code eva_store_prepare(eva_store *store, const char *sql, eva_statement **statement, eva_error *error) {
  return eva_db_prepare(store->db, sql, statement, error);
}

eva_code eva_step_one(eva_statement *statement, eva_error *error) {
  int row = 0;
  eva_code code = eva_step(statement, &row, error);
  return code || row ? code : EVA_E_NOT_FOUND;
}

void eva_bind_value(eva_statement *statement, int position, const eva_value *value) {
  switch (value->type) {
    case 't': eva_bind_text(statement, position, value->text); break;
    case 'i':
    case 'b': eva_bind_int(statement, position, value->integer); break;
    case 'd': eva_bind_double(statement, position, value->number); break;
    default: eva_bind_null(statement, position); break;
  }
}

eva_text eva_store_time(eva_store *store, int64_t wall_ms, char *out) {
  int64_t second = wall_ms / 1000 - (wall_ms % 1000 < 0);
  int milliseconds = (int)(wall_ms - second * 1000);
  if (second != store->time_second) {
    eva_clock_format(second * 1000, store->time_text);
    store->time_second = second;
  }
  memcpy(out, store->time_text, EVA_TIME_TEXT_SIZE);
  out[20] = (char)('0' + milliseconds / 100);
  out[21] = (char)('0' + milliseconds / 10 % 10);
  out[22] = (char)('0' + milliseconds % 10);
  return (eva_text){out, EVA_TIME_TEXT_SIZE - 1};
}

eva_code eva_store_meta(eva_store *store, const char *name, eva_buf *value, eva_error *error) {
  eva_statement *statement = NULL;
  eva_code code = eva_db_prepare(store->db, SQL_META_GET, &statement, error);
  if (code) return code;
  eva_bind_string(statement, 1, name);
  code = eva_step_one(statement, error);
  if (code == EVA_E_NOT_FOUND) return eva_error_set(error, code, NULL, "the store has no note \"%s\"", name);
  if (code) return code;
  eva_text text = eva_column_text(statement, 0);
  eva_buf_add(value, text.data, text.len);
  eva_reset(statement);
  return EVA_OK;
}
