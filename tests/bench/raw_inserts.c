/* The yardstick of the throughput row: stores the rows of an evalua store again, by nothing but prepared inserts.
 * usage: raw_inserts SOURCE.db TARGET.db TABLE...     prints the seconds that the inserts took
 *
 * All rows are read into memory first, so only inserting is timed: one process, WAL, synchronous=NORMAL, one
 * transaction per 500 rows, the same tables and indexes. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS_PER_TRANSACTION = 500, COLUMNS_MAX = 64 };

typedef struct row {
  sqlite3_value *cells[COLUMNS_MAX];
} row;

typedef struct rows {
  row *list;
  size_t count, room;
  int columns;
} rows;

static void check(int ok, sqlite3 *db, const char *what) {
  if (ok) return;
  fprintf(stderr, "raw_inserts: %s: %s\n", what, db ? sqlite3_errmsg(db) : "out of memory");
  exit(1);
}

static void run(sqlite3 *db, const char *sql) {
  check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, db, sql);
  return statement;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every row of the table, in the order of its key. */
static rows read_table(sqlite3 *db, const char *table) {
  rows all = {0};
  char sql[256];
  snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
  sqlite3_stmt *select = prepare(db, sql);
  all.columns = sqlite3_column_count(select);
  check(all.columns <= COLUMNS_MAX, db, "too many columns");
  while (sqlite3_step(select) == SQLITE_ROW) {
    if (all.count == all.room) {
      all.room = all.room ? all.room * 2 : 1024;
      row *larger = realloc(all.list, all.room * sizeof *larger);
      check(larger != NULL, NULL, "rows");
      all.list = larger;
    }
    row *now = &all.list[all.count++];
    for (int i = 0; i < all.columns; i++) {
      now->cells[i] = sqlite3_value_dup(sqlite3_column_value(select, i));
      check(now->cells[i] != NULL, NULL, "cell");
    }
  }
  sqlite3_finalize(select);
  return all;
}

/* The same tables and indexes, empty. */
static void copy_schema(sqlite3 *from, sqlite3 *to) {
  sqlite3_stmt *select = prepare(from, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
                                       "ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END");
  while (sqlite3_step(select) == SQLITE_ROW) run(to, (const char *)sqlite3_column_text(select, 0));
  sqlite3_finalize(select);
}

static double insert_rows(sqlite3 *db, const char *table, const rows *all) {
  char sql[1024];
  int len = snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES (?", table);
  for (int i = 1; i < all->columns; i++) len += snprintf(sql + len, sizeof sql - (size_t)len, ",?");
  snprintf(sql + len, sizeof sql - (size_t)len, ")");
  sqlite3_stmt *insert = prepare(db, sql);
  double start = seconds();
  for (size_t i = 0; i < all->count; i++) {
    if (i % ROWS_PER_TRANSACTION == 0) run(db, i == 0 ? "BEGIN" : "COMMIT; BEGIN");
    for (int c = 0; c < all->columns; c++) sqlite3_bind_value(insert, c + 1, all->list[i].cells[c]);
    check(sqlite3_step(insert) == SQLITE_DONE, db, sql);
    sqlite3_reset(insert);
  }
  if (all->count) run(db, "COMMIT");
  double taken = seconds() - start;
  sqlite3_finalize(insert);
  return taken;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: raw_inserts SOURCE.db TARGET.db TABLE...\n");
    return 2;
  }
  sqlite3 *from = NULL, *to = NULL;
  check(sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, from, argv[1]);
  check(sqlite3_open(argv[2], &to) == SQLITE_OK, to, argv[2]);
  run(to, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=OFF");
  copy_schema(from, to);
  double total = 0;
  for (int i = 3; i < argc; i++) {
    rows all = read_table(from, argv[i]); /* never freed: the program ends right after */
    total += insert_rows(to, argv[i], &all);
  }
  printf("%.4f\n", total);
  sqlite3_close(to);
  sqlite3_close(from);
  return 0;
}
