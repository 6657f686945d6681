/* The store: one database with datasets, experiments and their results, and the locks that say who runs what.
 *
 * A store belongs to the process that opened it. A forked child calls eva_store_forget and nothing else (the driver
 * aborts it otherwise). Functions that write start a transaction of their own unless one is open (eva_store_begin). */
#ifndef EVA_STORE_STORE_H
#define EVA_STORE_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/db.h"

enum {
  EVA_SCHEMA_VERSION = 2,       /* the newest schema this program knows */
  EVA_STORE_TIMEOUT_MS = 30000, /* store_timeout: how long a write waits for another process that holds the lock */
  EVA_EXPERIMENT_LOCK_MAX = 256 /* experiments that one process can run at a time */
};

typedef struct eva_store eva_store;

typedef struct eva_store_options {
  int read_only;
  int create;  /* make the file when it is not there */
  int durable; /* every commit reaches the disk (synchronous=FULL) */
  int timeout_ms; /* store_timeout; 0: EVA_STORE_TIMEOUT_MS */
  /* The text of runtime/store/schema.sql; the caller has it among the embedded files. It is a list of migrations, each
   * after a line "-- schema version N". */
  const char *schema_sql;
} eva_store_options;

/* Opens the store at `url` (a path or ":memory:") and brings its schema up to date. Errors: EVA_E_NOT_FOUND (no such
 * file or directory), EVA_E_SCHEMA (not our database, or a newer one), EVA_E_READ_ONLY, EVA_E_BUSY, EVA_E_STORE. */
eva_code eva_store_open(const char *url, const eva_store_options *options, eva_store **store, eva_error *error);
void eva_store_close(eva_store *store); /* rolls back what is open, frees every lock; NULL is fine */
/* In a forked child: frees memory and closes the inherited lock descriptor, without a word to the database. */
void eva_store_forget(eva_store *store);

eva_db *eva_store_db(eva_store *store);
const char *eva_store_path(const eva_store *store);   /* absolute, or ":memory:" */
const char *eva_store_notice(const eva_store *store); /* what the user should know about this file; "" if nothing */
int eva_store_read_only(const eva_store *store);
int eva_store_timeout_ms(const eva_store *store); /* store_timeout */

/* The transaction of the caller: every call until commit belongs to it. Begin never waits (EVA_E_BUSY). */
eva_code eva_store_begin(eva_store *store, eva_error *error);
eva_code eva_store_commit(eva_store *store, eva_error *error); /* after a failed commit nothing is open any more */
/* The same at once: EVA_E_BUSY (somebody reads, on a network file system) leaves the transaction open. */
eva_code eva_store_try_commit(eva_store *store, eva_error *error);
void eva_store_rollback(eva_store *store);
int eva_store_in_transaction(const eva_store *store);

/* As eva_store_begin, but waits for other writers up to store_timeout. */
eva_code eva_store_begin_patiently(eva_store *store, eva_error *error);

/* A write of several statements: joins the open transaction, else starts one (waiting up to store_timeout) and sets
 * *own. eva_store_leave ends it: commits if `code` is EVA_OK, rolls back otherwise; returns the first failure. */
eva_code eva_store_enter(eva_store *store, int *own, eva_error *error);
eva_code eva_store_leave(eva_store *store, int own, eva_code code, eva_error *error);

/* Marks experiment `number` as run by this process, by a lock on byte `number` of "<path>.lock" that dies with the
 * process. EVA_E_BUSY when another process has it. A ":memory:" store has no other process. */
eva_code eva_store_lock(eva_store *store, int64_t number, eva_error *error);
void eva_store_unlock(eva_store *store, int64_t number);
int eva_store_is_locked(eva_store *store, int64_t number); /* by anyone, this process too */
int eva_store_lock_fd(const eva_store *store); /* -1 if none; children must close it (eva_store_forget does) */

/* One column of a public record: the name that scripts see and what is in it. */
typedef struct eva_column {
  const char *name;
  char type; /* 't' text, 'i' integer, 'd' double, 'b' boolean */
} eva_column;

/* One value on its way into a record. */
typedef struct eva_value {
  char type; /* 0: not given, 'n': null, else as in eva_column */
  eva_text text;
  int64_t integer; /* 'i' and 'b' */
  double number;
} eva_value;

void eva_bind_value(eva_statement *statement, int position, const eva_value *value);
/* A cached statement of the store's connection (see eva_db_prepare). */
eva_code eva_store_prepare(eva_store *store, const char *sql, eva_statement **statement, eva_error *error);
/* Steps once: EVA_OK with a row, EVA_E_NOT_FOUND without one (`error` is not filled then), or the failure. */
eva_code eva_step_one(eva_statement *statement, eva_error *error);

/* Appends the note `name` of the meta table ("schema_version") to `value`. */
eva_code eva_store_meta(eva_store *store, const char *name, eva_buf *value, eva_error *error);

/* RFC 3339 text of a wall time; cached by the second. `out` has EVA_TIME_TEXT_SIZE bytes. */
eva_text eva_store_time(eva_store *store, int64_t wall_ms, char *out);

#endif
