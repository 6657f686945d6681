/* A small driver interface to one SQL database. One driver per engine (db_sqlite.c); everything above is portable SQL.
 *
 * Parameters are written ?1, ?2, ... in the SQL. Positions count from 1 in bind, from 0 in column reads, as in SQLite.
 * A connection belongs to the process that opened it: every call aborts the process when getpid() has changed. */
#ifndef EVA_STORE_DB_H
#define EVA_STORE_DB_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct eva_db eva_db;
typedef struct eva_statement eva_statement;

/* What a database file is for: a file of one kind is not opened as another. */
typedef struct eva_db_kind {
  const char *noun;   /* what messages call it: "store" */
  const char *flag;   /* the option that names another file: "--store" */
  const char *origin; /* what makes one: "evalua run" */
  int application_id; /* in the file's header */
} eva_db_kind;

typedef struct eva_db_options {
  int read_only;
  int create;  /* make the file when it is not there */
  int durable; /* synchronous=FULL */
  int wait_ms; /* how long opening waits for a process that keeps everybody out; 0: 2 s */
  const eva_db_kind *kind; /* NULL: a store */
} eva_db_options;

eva_code eva_db_open(const char *url, const eva_db_options *options, eva_db **db, eva_error *error);
/* Finalizes what is left. The last writer returns the file to a form that can be copied and read from read-only
 * places. NULL is fine. */
void eva_db_close(eva_db *db);
void eva_db_forget(eva_db *db); /* in a forked child: frees our memory, touches neither file nor locks */

const char *eva_db_path(const eva_db *db);   /* absolute; ":memory:" for a database without a file */
const char *eva_db_notice(const eva_db *db); /* what the user should know about this place; "" if nothing */
int eva_db_in_memory(const eva_db *db);
int eva_db_read_only(const eva_db *db);

/* What is in there: *schema_version is 0 for an empty database, else that of our schema. EVA_E_SCHEMA when it is
 * something else, with a message saying what. */
eva_code eva_db_identify(eva_db *db, int *schema_version, eva_error *error);
/* Runs portable data definition text (schema.sql says what that is), translated for this engine, and records
 * `schema_version`. Inside the caller's transaction. */
eva_code eva_db_define(eva_db *db, eva_text definition, int schema_version, eva_error *error);

/* Statements are cached by their SQL text's address: preparing the same literal again returns the same, reset one. */
eva_code eva_db_prepare(eva_db *db, const char *sql, eva_statement **statement, eva_error *error);
void eva_bind_null(eva_statement *statement, int position);
void eva_bind_int(eva_statement *statement, int position, int64_t value);
void eva_bind_double(eva_statement *statement, int position, double value);
/* None binds NULL. The text is not copied: it must live until the statement is reset. */
void eva_bind_text(eva_statement *statement, int position, eva_text text);
void eva_bind_string(eva_statement *statement, int position, const char *string);
/* As eva_bind_text, for what cannot hold a secret (a digest, a time) or is clean already: nothing in it is replaced. */
void eva_bind_clean(eva_statement *statement, int position, eva_text text);

/* EVA_OK with *row = 1 for a row, 0 at the end (the statement is then reset). On an error it is reset too. */
eva_code eva_step(eva_statement *statement, int *row, eva_error *error);
eva_code eva_run(eva_statement *statement, eva_error *error); /* steps to the end, ignoring rows */
void eva_reset(eva_statement *statement);
int64_t eva_changes(eva_db *db); /* rows changed by the last statement */

int eva_column_is_null(eva_statement *statement, int column);
int64_t eva_column_int(eva_statement *statement, int column);
double eva_column_double(eva_statement *statement, int column);
eva_text eva_column_text(eva_statement *statement, int column); /* lives until the next step or reset */

/* A statement that a person wrote: one, not cached, ended by eva_statement_finish (NULL is fine). EVA_E_ARGUMENT when it
 * is no SQL, is more than one statement, or may not be run (see eva_statement_read_only). */
eva_code eva_db_prepare_once(eva_db *db, const char *sql, eva_statement **statement, eva_error *error);
void eva_statement_finish(eva_statement *statement);
/* 1 when running the statement changes neither the database nor the connection (no write, transaction, attachment or
 * pragma that sets). */
int eva_statement_read_only(const eva_statement *statement);
int eva_column_count(const eva_statement *statement);
const char *eva_column_name(const eva_statement *statement, int column); /* lives while the statement does */
char eva_column_kind(eva_statement *statement, int column);              /* 'n' null, 'i' integer, 'd' double, 't' text */

/* For this connection alone: a view `name` in the place of the stored one, which `select` reads as "@stored". */
eva_code eva_db_overlay_view(eva_db *db, const char *name, const char *select, eva_error *error);
eva_code eva_db_execute(eva_db *db, const char *sql, eva_error *error); /* several statements, no parameters */
/* Begin takes the write lock at once: EVA_E_BUSY when another process has it (nothing waits inside). */
eva_code eva_db_begin(eva_db *db, eva_error *error);
eva_code eva_db_commit(eva_db *db, eva_error *error); /* after a failure nothing is open any more */
eva_code eva_db_try_commit(eva_db *db, eva_error *error); /* the same, but EVA_E_BUSY leaves it open, to be tried again */
void eva_db_rollback(eva_db *db);
int eva_db_in_transaction(eva_db *db);

#endif
