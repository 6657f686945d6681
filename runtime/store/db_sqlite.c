/* The SQLite driver: connections, cached statements, and every pragma and dialect word of this engine. */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/own_pid.h"
#include "base/secrets.h"
#include "store/db.h"

enum {
  CACHE_KIB = 5000,
  CHECKPOINT_PAGES = 4000, /* of the log (16 MB): each checkpoint waits for the disk and writes the indexes again */
  OPEN_WAIT_MS = 2000,     /* how long opening waits for a process that is just switching the journal mode */
  STATEMENT_SLOTS = 512,   /* of the statement cache; a power of two, several times the number of our statements */
  NFS_MAGIC = 0x6969,      /* statfs types of network file systems, where WAL's shared memory does not work */
  SMB_MAGIC = 0x517b
};
static const unsigned long CIFS_MAGIC = 0xff534d42UL, SMB2_MAGIC = 0xfe534d42UL;
static const eva_db_kind STORE = {"store", "--store", "evalua run", 0x45564c41 /* "EVLA" */};

struct eva_statement {
  eva_db *db;
  sqlite3_stmt *handle;
  const char *sql; /* the literal's address is the cache key */
  uint64_t bound[4]; /* bit n (of 256): parameter n was once bound to a value; others are null already */
  pid_t owner;     /* of a statement that is not cached: only this process may end it */
  int read_only;   /* of a statement that is not cached: the authorizer saw nothing but reading */
};

struct eva_db {
  sqlite3 *handle;
  pid_t owner;
  int in_memory, read_only, network;
  int wal_decided; /* the journal mode was chosen, at the first write */
  int in_transaction;
  char path[PATH_MAX];
  char notice[128];
  const char *synchronous;
  const eva_db_kind *kind;
  eva_db *forgotten; /* another one that this process has inherited and does not use */
  eva_statement slots[STATEMENT_SLOTS];
  int slot_count;
};

/* A connection carried over a fork would corrupt the database file: stop at once, whatever is lost. */
static void check_owner(const eva_db *db) {
  if (db->owner != eva_own_pid()) {
    fprintf(stderr, "evalua: process %ld used the database connection of process %ld\n", (long)getpid(),
            (long)db->owner);
    abort();
  }
}

static eva_code map_code(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return EVA_E_BUSY;
    case SQLITE_READONLY: return EVA_E_READ_ONLY;
    case SQLITE_NOTADB: return EVA_E_SCHEMA;
    case SQLITE_TOOBIG: return EVA_E_LIMIT;
    default: break;
  }
  if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY) return EVA_E_EXISTS;
  return EVA_E_STORE;
}

static eva_code fail(eva_db *db, int result, eva_error *error) {
  const char *path = db->path, *noun = db->kind->noun;
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return eva_error_set(error, EVA_E_BUSY, path, "the %s is being written by another process; try again", noun);
    case SQLITE_READONLY:
      return eva_error_set(error, EVA_E_READ_ONLY, path,
                           "the %s cannot be written; allow writing to the file and its directory, or name another "
                           "%s with %s",
                           noun, noun, db->kind->flag);
    case SQLITE_NOTADB:
      return eva_error_set(error, EVA_E_SCHEMA, path,
                           "this is not an evalua %s (not an SQLite database); name another file with %s", noun,
                           db->kind->flag);
    case SQLITE_CORRUPT:
      return eva_error_set(error, EVA_E_STORE, path,
                           "the %s is damaged (%s); take a backup, or see what `sqlite3 FILE .recover` saves", noun,
                           sqlite3_errmsg(db->handle));
    case SQLITE_FULL:
      return eva_error_set(error, EVA_E_STORE, path, "the disk is full; what was not committed is not stored");
    case SQLITE_CANTOPEN:
      return eva_error_set(error, EVA_E_STORE, path,
                           "the %s's files cannot be opened (%s); its directory must be writable while a run is on",
                           noun, strerror(errno));
    case SQLITE_IOERR:
      return eva_error_set(error, EVA_E_STORE, path, "the %s cannot be read or written: %s (SQLite code %d)", noun,
                           sqlite3_system_errno(db->handle) ? strerror(sqlite3_system_errno(db->handle))
                                                            : sqlite3_errmsg(db->handle),
                           sqlite3_extended_errcode(db->handle));
    default:
      return eva_error_set(error, map_code(result), path, "the %s failed: %s (SQLite code %d)", noun,
                           sqlite3_errmsg(db->handle), sqlite3_extended_errcode(db->handle));
  }
}

/* Says why there is no database at `url` before SQLite says "unable to open database file". */
static eva_code check_place(const char *url, const eva_db_options *options, const eva_db_kind *kind, eva_error *error) {
  const char *noun = kind->noun;
  if (!*url) return eva_error_set(error, EVA_E_ARGUMENT, NULL, "the %s has no name; give the path of a file", noun);
  if (strstr(url, "://")) {
    return eva_error_set(error, EVA_E_ARGUMENT, url,
                         "this program has no driver for such a %s; give the path of a file or :memory:", noun);
  }
  struct stat status;
  if (stat(url, &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      return eva_error_set(error, EVA_E_ARGUMENT, url, "the %s is a directory; give the path of a file in it", noun);
    }
    if (access(url, R_OK) != 0) {
      return eva_error_set(error, EVA_E_IO, url, "the %s cannot be read: %s", noun, strerror(errno));
    }
    return EVA_OK;
  }
  if (errno != ENOENT) return eva_error_set(error, EVA_E_IO, url, "the %s cannot be reached: %s", noun, strerror(errno));
  if (!options->create) {
    return eva_error_set(error, EVA_E_NOT_FOUND, url, "there is no %s; `%s` makes one, or name another with %s", noun,
                         kind->origin, kind->flag);
  }
  char directory[PATH_MAX];
  const char *slash = strrchr(url, '/');
  size_t length = !slash ? 0 : slash == url ? 1 : (size_t)(slash - url);
  if (length >= sizeof directory) return eva_error_set(error, EVA_E_ARGUMENT, NULL, "the %s's path is too long", noun);
  memcpy(directory, slash ? url : ".", slash ? length : 1);
  directory[slash ? length : 1] = '\0';
  if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode)) {
    return eva_error_set(error, EVA_E_NOT_FOUND, url,
                         "the %s cannot be made: the directory %s does not exist; make it first", noun, directory);
  }
  if (access(directory, W_OK | X_OK) != 0) {
    return eva_error_set(error, EVA_E_READ_ONLY, url, "the %s cannot be made: the directory %s cannot be written", noun,
                         directory);
  }
  return EVA_OK;
}

static int on_network(const char *path) {
  struct statfs status;
  if (statfs(path, &status) != 0) return 0;
  unsigned long type = (unsigned long)status.f_type & 0xffffffffUL;
  return type == NFS_MAGIC || type == SMB_MAGIC || type == CIFS_MAGIC || type == SMB2_MAGIC;
}

static eva_code configure(eva_db *db, eva_error *error) {
  char pragmas[256];
  snprintf(pragmas, sizeof pragmas, "PRAGMA cache_size=-%d; PRAGMA mmap_size=0; PRAGMA synchronous=%s; "
           "PRAGMA wal_autocheckpoint=%d;", CACHE_KIB, db->synchronous, CHECKPOINT_PAGES);
  int result = sqlite3_exec(db->handle, pragmas, NULL, NULL, NULL);
  return result == SQLITE_OK ? EVA_OK : fail(db, result, error);
}

/* Once, before SQLite is first used: this process never calls it from two threads, and nobody asks for its memory
 * statistics, so that it needs neither locks nor counters around every allocation. */
static void configure_library(void) {
  static int done;
  if (done++) return;
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 1 << 20); /* what a statement of many rows may undo, in memory */
}

static eva_code open_handle(eva_db *db, const char *url, const eva_db_options *options, eva_error *error) {
  configure_library();
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options->read_only && !db->in_memory ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if ((options->create && !options->read_only) || db->in_memory) flags |= SQLITE_OPEN_CREATE;
  int result = sqlite3_open_v2(url, &db->handle, flags, NULL);
  if (result != SQLITE_OK) {
    return db->handle ? fail(db, result, error)
                      : eva_error_set(error, EVA_E_STORE, url, "SQLite could not be started: out of memory");
  }
  sqlite3_busy_timeout(db->handle, options->wait_ms > 0 ? options->wait_ms : OPEN_WAIT_MS);
  if (db->in_memory) return configure(db, error);
  const char *absolute = sqlite3_db_filename(db->handle, "main");
  snprintf(db->path, sizeof db->path, "%s", absolute ? absolute : url);
  db->network = on_network(db->path);
  if (db->network) { /* without WAL a full page cache would ask for the whole file in the middle of a transaction */
    sqlite3_exec(db->handle, "PRAGMA cache_spill=OFF", NULL, NULL, NULL);
    snprintf(db->notice, sizeof db->notice,
             "the %s is on a network file system: other processes wait while a run writes", db->kind->noun);
  }
  if (!options->read_only && sqlite3_db_readonly(db->handle, "main") == 1) {
    return eva_error_set(error, EVA_E_READ_ONLY, db->path,
                         "the %s cannot be written; allow writing to the file and its directory, or name another "
                         "%s with %s",
                         db->kind->noun, db->kind->noun, db->kind->flag);
  }
  return configure(db, error);
}

eva_code eva_db_open(const char *url, const eva_db_options *options, eva_db **out, eva_error *error) {
  eva_db *db = eva_alloc_zeroed(1, sizeof *db);
  eva_own_pid_note();
  db->owner = getpid();
  db->in_memory = strcmp(url, ":memory:") == 0;
  db->read_only = options->read_only;
  db->kind = options->kind ? options->kind : &STORE;
  db->synchronous = options->durable ? "FULL" : "NORMAL";
  snprintf(db->path, sizeof db->path, "%s", url);
  eva_code code = db->in_memory ? EVA_OK : check_place(url, options, db->kind, error);
  if (!code) code = open_handle(db, url, options, error);
  if (code) {
    sqlite3_close(db->handle);
    free(db);
    return code;
  }
  *out = db;
  return EVA_OK;
}

static void finalize_all(eva_db *db) {
  for (int slot = 0; slot < STATEMENT_SLOTS; slot++) {
    if (db->slots[slot].handle) sqlite3_finalize(db->slots[slot].handle);
  }
  memset(db->slots, 0, sizeof db->slots);
}

void eva_db_close(eva_db *db) {
  if (!db) return;
  check_owner(db);
  eva_db_rollback(db);
  finalize_all(db);
  /* Refused while another connection is open; the last one to close gets it done. */
  if (db->wal_decided && !db->read_only) sqlite3_exec(db->handle, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
  sqlite3_close_v2(db->handle);
  free(db);
}

/* The connection is left as it is: closing it here could checkpoint and remove the parent's log. It stays reachable, as
 * it is no leak. */
void eva_db_forget(eva_db *db) {
  static eva_db *forgotten;
  db->forgotten = forgotten;
  forgotten = db;
}

const char *eva_db_path(const eva_db *db) { return db->path; }
const char *eva_db_notice(const eva_db *db) { return db->notice; }
int eva_db_in_memory(const eva_db *db) { return db->in_memory; }
int eva_db_read_only(const eva_db *db) { return db->read_only; }

/* Statements */

static eva_statement *find_slot(eva_db *db, const char *sql) {
  size_t slot = ((size_t)sql >> 3) * 0x9e3779b97f4a7c15ULL >> 40;
  for (;; slot++) {
    eva_statement *statement = &db->slots[slot & (STATEMENT_SLOTS - 1)];
    if (!statement->handle || statement->sql == sql) return statement;
  }
}

eva_code eva_db_prepare(eva_db *db, const char *sql, eva_statement **out, eva_error *error) {
  check_owner(db);
  eva_statement *statement = find_slot(db, sql);
  if (statement->handle) {
    sqlite3_reset(statement->handle);
  } else {
    if (db->slot_count >= STATEMENT_SLOTS / 2) {
      return eva_error_set(error, EVA_E_STATE, NULL, "more than %d different SQL statements", STATEMENT_SLOTS / 2);
    }
    int result = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL);
    if (result != SQLITE_OK) return fail(db, result, error);
    statement->db = db;
    statement->sql = sql;
    db->slot_count++;
  }
  *out = statement;
  return EVA_OK;
}

static uint64_t *bound_word(eva_statement *statement, int position) { return &statement->bound[position / 64 % 4]; }

void eva_bind_null(eva_statement *statement, int position) {
  if (*bound_word(statement, position) >> position % 64 & 1) sqlite3_bind_null(statement->handle, position);
}

void eva_bind_int(eva_statement *statement, int position, int64_t value) {
  *bound_word(statement, position) |= (uint64_t)1 << position % 64;
  sqlite3_bind_int64(statement->handle, position, value);
}

void eva_bind_double(eva_statement *statement, int position, double value) {
  *bound_word(statement, position) |= (uint64_t)1 << position % 64;
  sqlite3_bind_double(statement->handle, position, value);
}

void eva_bind_clean(eva_statement *statement, int position, eva_text text) {
  if (!text.data) {
    eva_bind_null(statement, position);
  } else {
    *bound_word(statement, position) |= (uint64_t)1 << position % 64;
    sqlite3_bind_text64(statement->handle, position, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
  }
}

void eva_bind_text(eva_statement *statement, int position, eva_text text) {
  eva_buf clean = {0};
  if (text.data && eva_secrets_redact(text, &clean)) { /* whatever anybody wants to store: no key gets into the file */
    *bound_word(statement, position) |= (uint64_t)1 << position % 64;
    sqlite3_bind_text64(statement->handle, position, clean.data, clean.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    eva_buf_free(&clean);
  } else {
    eva_bind_clean(statement, position, text);
  }
}

void eva_bind_string(eva_statement *statement, int position, const char *string) {
  eva_bind_text(statement, position, eva_text_of(string));
}

eva_code eva_step(eva_statement *statement, int *row, eva_error *error) {
  int result = sqlite3_step(statement->handle);
  *row = result == SQLITE_ROW;
  if (result == SQLITE_ROW) return EVA_OK;
  eva_code code = result == SQLITE_DONE ? EVA_OK : fail(statement->db, result, error);
  sqlite3_reset(statement->handle);
  return code;
}

eva_code eva_run(eva_statement *statement, eva_error *error) {
  eva_code code = EVA_OK;
  for (int row = 1; !code && row;) code = eva_step(statement, &row, error);
  return code;
}

void eva_reset(eva_statement *statement) { sqlite3_reset(statement->handle); }

int64_t eva_changes(eva_db *db) { return sqlite3_changes64(db->handle); }

int eva_column_is_null(eva_statement *statement, int column) {
  return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

int64_t eva_column_int(eva_statement *statement, int column) { return sqlite3_column_int64(statement->handle, column); }

double eva_column_double(eva_statement *statement, int column) {
  return sqlite3_column_double(statement->handle, column);
}

eva_text eva_column_text(eva_statement *statement, int column) {
  const char *data = (const char *)sqlite3_column_text(statement->handle, column);
  if (!data) return EVA_TEXT_NONE;
  return (eva_text){data, (size_t)sqlite3_column_bytes(statement->handle, column)};
}

/* Statements that people write */

/* What merely reads, as SQLite's own judgement does not say: it lets ATTACH, BEGIN and many pragmas pass. */
static int authorize(void *statement, int action, const char *first, const char *second, const char *database,
                     const char *trigger) {
  (void)database;
  (void)trigger;
  static const char *const pragmas[] = {"table_info", "table_xinfo", "table_list", "index_list", "index_info"};
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      if (second && strcmp(second, "load_extension") != 0) return SQLITE_OK;
      break;
    case SQLITE_PRAGMA:
      for (size_t index = 0; index < sizeof pragmas / sizeof *pragmas; index++) {
        if (first && strcmp(first, pragmas[index]) == 0) return SQLITE_OK;
      }
      break;
    default: break;
  }
  ((eva_statement *)statement)->read_only = 0;
  return SQLITE_DENY;
}

/* True where the rest of a text is more than comments and semicolons. It is prepared only, and under the authorizer:
 * some pragmas act when they are prepared. */
static int has_statement(eva_db *db, const char *tail) {
  while (*tail) {
    sqlite3_stmt *found = NULL;
    const char *next = tail;
    eva_statement rest = {.read_only = 1};
    sqlite3_set_authorizer(db->handle, authorize, &rest);
    int result = sqlite3_prepare_v2(db->handle, tail, -1, &found, &next);
    sqlite3_set_authorizer(db->handle, NULL, NULL);
    sqlite3_finalize(found);
    if (result != SQLITE_OK || found) {
      return 1;
    }
    if (next == tail) {
      break;
    }
    tail = next;
  }
  return 0;
}

eva_code eva_db_prepare_once(eva_db *db, const char *sql, eva_statement **out, eva_error *error) {
  check_owner(db);
  eva_statement *statement = eva_alloc_zeroed(1, sizeof *statement);
  *statement = (eva_statement){.db = db, .sql = sql, .owner = getpid(), .read_only = 1};
  const char *tail = "";
  sqlite3_set_authorizer(db->handle, authorize, statement);
  int result = sqlite3_prepare_v2(db->handle, sql, -1, &statement->handle, &tail);
  sqlite3_set_authorizer(db->handle, NULL, NULL);
  eva_code code = EVA_OK;
  if (!statement->read_only) {
    code = eva_error_set(error, EVA_E_ARGUMENT, NULL,
                         "this statement does more than read; only SELECT (and WITH, VALUES, EXPLAIN) is possible here");
  } else if (result == SQLITE_ERROR) {
    code = eva_error_set(error, EVA_E_ARGUMENT, NULL, "SQL: %s", sqlite3_errmsg(db->handle));
  } else if (result != SQLITE_OK) {
    code = fail(db, result, error);
  } else if (!statement->handle) {
    code = eva_error_set(error, EVA_E_ARGUMENT, NULL, "SQL: there is no statement");
  } else if (has_statement(db, tail)) {
    code = eva_error_set(error, EVA_E_ARGUMENT, NULL, "SQL: one statement at a time, but more follows: %.40s", tail);
  }
  if (code) {
    eva_statement_finish(statement);
    return code;
  }
  *out = statement;
  return EVA_OK;
}

void eva_statement_finish(eva_statement *statement) {
  if (!statement) return;
  if (statement->owner == getpid()) sqlite3_finalize(statement->handle);
  free(statement);
}

int eva_statement_read_only(const eva_statement *statement) {
  return statement->read_only && sqlite3_stmt_readonly(statement->handle);
}

int eva_column_count(const eva_statement *statement) { return sqlite3_column_count(statement->handle); }

const char *eva_column_name(const eva_statement *statement, int column) {
  const char *name = sqlite3_column_name(statement->handle, column);
  return name ? name : "";
}

char eva_column_kind(eva_statement *statement, int column) {
  switch (sqlite3_column_type(statement->handle, column)) {
    case SQLITE_NULL: return 'n';
    case SQLITE_INTEGER: return 'i';
    case SQLITE_FLOAT: return 'd';
    default: return 't';
  }
}

eva_code eva_db_execute(eva_db *db, const char *sql, eva_error *error) {
  check_owner(db);
  int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
  return result == SQLITE_OK ? EVA_OK : fail(db, result, error);
}

/* Copies `text` with every `from` replaced by `to`. */
static void replace_all(eva_buf *out, eva_text text, const char *from, const char *to) {
  const char *at = text.data, *end = text.data + text.len, *hit;
  while ((hit = memmem(at, (size_t)(end - at), from, strlen(from)))) {
    eva_buf_add(out, at, (size_t)(hit - at));
    eva_buf_add_string(out, to);
    at = hit + strlen(from);
  }
  eva_buf_add(out, at, (size_t)(end - at));
}

eva_code eva_db_overlay_view(eva_db *db, const char *name, const char *select, eva_error *error) {
  eva_buf sql = {0};
  char stored[80];
  snprintf(stored, sizeof stored, "main.%s", name);
  eva_buf_printf(&sql, "DROP VIEW IF EXISTS temp.%s; CREATE TEMP VIEW %s AS ", name, name);
  replace_all(&sql, eva_text_of(select), "@stored", stored);
  eva_code code = eva_db_execute(db, sql.data, error);
  eva_buf_free(&sql);
  return code;
}

/* Transactions */

static int has_busy_statement(eva_db *db) {
  for (sqlite3_stmt *s = sqlite3_next_stmt(db->handle, NULL); s; s = sqlite3_next_stmt(db->handle, s)) {
    if (sqlite3_stmt_busy(s)) return 1;
  }
  return 0;
}

/* Readers go on while a run writes: WAL, chosen at the first write so that mere reading leaves the file alone. */
static eva_code choose_journal(eva_db *db, eva_error *error) {
  if (db->wal_decided || db->in_memory || db->network || db->read_only || has_busy_statement(db)) return EVA_OK;
  int result = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
  if (result != SQLITE_OK) return fail(db, result, error);
  db->wal_decided = 1;
  return EVA_OK;
}

static eva_code run_word(eva_db *db, const char *sql, eva_error *error) {
  eva_statement *statement = NULL;
  eva_code code = eva_db_prepare(db, sql, &statement, error);
  return code ? code : eva_run(statement, error);
}

eva_code eva_db_begin(eva_db *db, eva_error *error) {
  static const char sql[] = "BEGIN IMMEDIATE";
  check_owner(db);
  if (db->in_transaction) return eva_error_set(error, EVA_E_STATE, db->path, "a transaction is already open");
  eva_code code = choose_journal(db, error);
  if (!code) code = run_word(db, sql, error);
  if (!code) db->in_transaction = 1;
  return code;
}

eva_code eva_db_try_commit(eva_db *db, eva_error *error) {
  static const char sql[] = "COMMIT";
  check_owner(db);
  if (!db->in_transaction) return eva_error_set(error, EVA_E_STATE, db->path, "no transaction is open");
  int has_moved = 0;
  sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  if (has_moved) {
    eva_db_rollback(db);
    return eva_error_set(error, EVA_E_STORE, db->path, "the %s was moved or deleted while this program wrote into it",
                         db->kind->noun);
  }
  eva_code code = run_word(db, sql, error);
  if (code == EVA_E_BUSY) return code; /* without WAL: somebody still reads; the transaction stays open */
  db->in_transaction = 0;
  if (code && !sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
  return code;
}

eva_code eva_db_commit(eva_db *db, eva_error *error) {
  eva_code code = eva_db_try_commit(db, error);
  if (code) eva_db_rollback(db);
  return code;
}

void eva_db_rollback(eva_db *db) {
  if (!db->in_transaction) return;
  check_owner(db);
  db->in_transaction = 0;
  /* A full disk or an I/O error may have rolled back already. */
  if (!sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int eva_db_in_transaction(eva_db *db) { return db->in_transaction; }

/* Schema */

static eva_code read_number(eva_db *db, const char *sql, int64_t *number, eva_error *error) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) {
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) *number = sqlite3_column_int64(statement, 0);
  }
  eva_code code = result == SQLITE_ROW ? EVA_OK : fail(db, result, error);
  sqlite3_finalize(statement);
  return code;
}

eva_code eva_db_identify(eva_db *db, int *schema_version, eva_error *error) {
  check_owner(db);
  int64_t tables = 0, application = 0, version = 0;
  eva_code code = read_number(db, "SELECT COUNT(*) FROM sqlite_master", &tables, error);
  if (!code) code = read_number(db, "PRAGMA application_id", &application, error);
  if (!code) code = read_number(db, "PRAGMA user_version", &version, error);
  sqlite3_busy_timeout(db->handle, 0); /* from here on nothing waits inside */
  if (code) return code;
  if (application != db->kind->application_id && (tables > 0 || application != 0)) {
    return eva_error_set(error, EVA_E_SCHEMA, db->path,
                         "this is not an evalua %s but an SQLite database of another %s (application id %lld, "
                         "%lld tables and indexes); it was left as it is; name another file with %s",
                         db->kind->noun, (application & ~0xff) == (STORE.application_id & ~0xff) ? "kind" : "program",
                         (long long)application, (long long)tables, db->kind->flag);
  }
  *schema_version = application == db->kind->application_id ? (int)version : 0;
  return EVA_OK;
}

eva_code eva_db_define(eva_db *db, eva_text definition, int schema_version, eva_error *error) {
  eva_buf keyed = {0}, translated = {0};
  replace_all(&keyed, definition, "BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY");
  replace_all(&translated, eva_buf_text(&keyed), "/* clustered */", "WITHOUT ROWID");
  eva_buf_printf(&translated, "\nPRAGMA application_id=%d;\nPRAGMA user_version=%d;\n", db->kind->application_id,
                 schema_version);
  eva_code code = eva_db_execute(db, translated.data, error);
  eva_buf_free(&keyed);
  eva_buf_free(&translated);
  return code;
}
