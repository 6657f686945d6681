/* Opening good and bad stores, journal modes, busy databases, fork, and experiment locks. */
#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>

#include "base/clock.h"

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void run_sqlite(const char *path, const char *sql) {
  eva_error error;
  eva_db *db = NULL;
  assert_fine(eva_db_open(path, &(eva_db_options){.create = 1}, &db, &error));
  assert_fine(eva_db_execute(db, sql, &error));
  eva_db_close(db);
}

static void test_memory(void **state) {
  (void)state;
  eva_store *store = open_store(":memory:");
  char id[EVA_UUID_TEXT_SIZE];
  make_dataset(store, "one", id);
  assert_string_equal(eva_store_path(store), ":memory:");
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM datasets"), 1);
  eva_store_close(store);
}

static void test_reopen(void **state) {
  (void)state;
  eva_error error;
  char id[EVA_UUID_TEXT_SIZE];
  eva_store *store = open_store(path_in("a.db"));
  make_dataset(store, "one", id);
  eva_store_close(store);
  store = open_store(path_in("a.db"));
  eva_buf version = {0};
  assert_fine(eva_store_meta(store, "schema_version", &version, &error));
  assert_int_equal(strtol(version.data, NULL, 10), EVA_SCHEMA_VERSION);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM datasets"), 1);
  eva_buf_free(&version);
  eva_store_close(store);
}

static void test_missing(void **state) {
  (void)state;
  eva_error error;
  eva_store *store = NULL;
  assert_code(EVA_E_NOT_FOUND, open_with(path_in("none.db"), 0, 0, &store, &error));
  assert_says("there is no store");
  assert_says("none.db");
  assert_code(EVA_E_NOT_FOUND, open_with(path_in("nowhere/a.db"), 0, 1, &store, &error));
  assert_says("nowhere does not exist");
  assert_code(EVA_E_ARGUMENT, open_with(fixture_directory, 0, 1, &store, &error));
  assert_says("directory");
  assert_code(EVA_E_ARGUMENT, open_with("", 0, 1, &store, &error));
  assert_code(EVA_E_ARGUMENT, open_with("postgres://host/base", 0, 1, &store, &error));
  assert_says("no driver");
  assert_null(store);
}

static void test_not_a_database(void **state) {
  (void)state;
  eva_error error;
  eva_store *store = NULL;
  char *path = path_in("text.db");
  write_file(path, "This is a text file that is long enough to be read as a database header, but it is none of it.\n"
                   "More text follows here.\n");
  assert_code(EVA_E_SCHEMA, open_with(path, 0, 1, &store, &error));
  assert_says("not an SQLite database");
  assert_says("text.db");
}

static void test_other_program(void **state) {
  (void)state;
  eva_error error;
  eva_store *store = NULL;
  char *path = path_in("other.db");
  run_sqlite(path, "CREATE TABLE songs (name TEXT)");
  struct stat before, after;
  assert_int_equal(stat(path, &before), 0);
  assert_code(EVA_E_SCHEMA, open_with(path, 0, 1, &store, &error));
  assert_says("another program");
  assert_int_equal(stat(path, &after), 0);
  assert_true(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_size == after.st_size);
}

static void test_newer_schema(void **state) {
  (void)state;
  eva_error error;
  eva_store *store = open_store(path_in("new.db"));
  eva_store_close(store);
  run_sqlite(path_in("new.db"), "PRAGMA user_version = 999");
  assert_code(EVA_E_SCHEMA, open_with(path_in("new.db"), 0, 1, &store, &error));
  assert_says("schema 999");
  assert_code(EVA_E_SCHEMA, open_with(path_in("new.db"), 1, 0, &store, &error));
}

static void test_empty_read_only(void **state) {
  (void)state;
  eva_error error;
  eva_store *store = NULL;
  write_file(path_in("empty.db"), "");
  assert_code(EVA_E_READ_ONLY, open_with(path_in("empty.db"), 1, 0, &store, &error));
  assert_says("empty");
}

/* Permissions mean nothing to root: the child becomes nobody. */
static int as_nobody(int (*attempt)(void)) {
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(99);
    _exit(attempt());
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int attempt_write(void) {
  eva_error error;
  eva_store *store = NULL;
  if (open_with(path_in("ro.db"), 0, 1, &store, &error) != EVA_E_READ_ONLY) return 1;
  if (!strstr(error.message, "cannot be written") || !strstr(error.where, "ro.db")) return 2;
  if (open_with(path_in("ro.db"), 1, 0, &store, &error) != EVA_OK) return 3;
  int own = 0;
  if (eva_store_enter(store, &own, &error) != EVA_E_READ_ONLY) return 4;
  if (eva_store_begin(store, &error) != EVA_E_READ_ONLY) return 5;
  eva_store_close(store);
  if (open_with(path_in("more.db"), 0, 1, &store, &error) != EVA_E_READ_ONLY) return 6;
  return strstr(error.message, "directory") ? 0 : 7;
}

static void test_read_only(void **state) {
  (void)state;
  eva_store_close(open_store(path_in("ro.db")));
  assert_int_equal(chmod(path_in("ro.db"), 0444), 0);
  assert_int_equal(chmod(fixture_directory, 0555), 0);
  int result = as_nobody(attempt_write);
  chmod(fixture_directory, 0755);
  assert_int_equal(result, 0);
}

static int journal_is_wal(const char *path) {
  unsigned char header[20] = {0};
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fread(header, 1, sizeof header, file), sizeof header);
  fclose(file);
  return header[18] == 2; /* the file format's write version: 2 is WAL */
}

static void test_journal(void **state) {
  (void)state;
  eva_error error;
  char id[EVA_UUID_TEXT_SIZE];
  char path[256];
  snprintf(path, sizeof path, "%s", path_in("journal.db"));
  eva_store *writer = open_store(path);
  make_dataset(writer, "one", id);
  assert_true(journal_is_wal(path));
  /* another connection reads while a write is going on */
  eva_store *reader = NULL;
  assert_fine(open_with(path, 1, 0, &reader, &error));
  assert_fine(eva_store_begin(writer, &error));
  make_dataset(writer, "two", id);
  assert_int_equal(query_number(reader, "SELECT COUNT(*) FROM datasets"), 1);
  assert_fine(eva_store_commit(writer, &error));
  assert_int_equal(query_number(reader, "SELECT COUNT(*) FROM datasets"), 2);
  eva_store_close(reader);
  eva_store_close(writer);
  assert_false(journal_is_wal(path));
  assert_int_equal(access(path_in("journal.db-wal"), F_OK), -1);
  /* reading alone leaves the file as it is */
  eva_store *again = open_store(path);
  assert_int_equal(query_number(again, "SELECT COUNT(*) FROM datasets"), 2);
  assert_false(journal_is_wal(path));
  eva_store_close(again);
}

static void test_busy(void **state) {
  (void)state;
  eva_error error;
  char id[EVA_UUID_TEXT_SIZE];
  eva_store *first = open_store(path_in("busy.db")), *second = open_store(path_in("busy.db"));
  make_dataset(first, "one", id);
  assert_fine(eva_store_begin(first, &error));
  uint64_t start = eva_clock_monotonic_ns();
  assert_code(EVA_E_BUSY, eva_store_begin(second, &error));
  assert_true(eva_clock_monotonic_ns() - start < 500000000ULL); /* it does not wait */
  assert_says("another process");
  eva_value values[EVA_DATASET_COLUMN_COUNT] = {[EVA_DATASET_NAME] = text_value("two")};
  assert_code(EVA_E_BUSY, eva_dataset_create(second, values, id, &error)); /* this waited, in vain */
  eva_store_rollback(first);
  assert_fine(eva_dataset_create(second, values, id, &error));
  eva_store_close(first);
  eva_store_close(second);
}

static void test_transaction(void **state) {
  (void)state;
  eva_error error;
  char id[EVA_UUID_TEXT_SIZE];
  eva_store *store = open_store(":memory:");
  assert_fine(eva_store_begin(store, &error));
  assert_code(EVA_E_STATE, eva_store_begin(store, &error));
  make_dataset(store, "one", id);
  eva_store_rollback(store);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM datasets"), 0);
  assert_code(EVA_E_STATE, eva_store_commit(store, &error));
  eva_store_close(store);
}

static void test_fork(void **state) {
  (void)state;
  eva_store *store = open_store(path_in("fork.db"));
  pid_t child = fork();
  if (child == 0) {
    eva_error error;
    freopen("/dev/null", "w", stderr);
    signal(SIGABRT, SIG_DFL);
    (void)eva_store_begin(store, &error);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  eva_store_close(store);
}

/* The child opens the store on its own and tries to lock experiment 7; the exit status is the code. */
static int lock_elsewhere(const char *path, int64_t number) {
  pid_t child = fork();
  if (child == 0) {
    eva_error error;
    eva_store *store = NULL;
    if (open_with(path, 0, 0, &store, &error) != EVA_OK) _exit(98);
    int known = eva_store_is_locked(store, number);
    eva_code code = eva_store_lock(store, number, &error);
    _exit(code == EVA_E_BUSY && !known ? 97 : (int)code);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

static void test_locks(void **state) {
  (void)state;
  eva_error error;
  char path[256];
  snprintf(path, sizeof path, "%s", path_in("lock.db"));
  eva_store *store = open_store(path);
  assert_false(eva_store_is_locked(store, 7));
  assert_fine(eva_store_lock(store, 7, &error));
  assert_fine(eva_store_lock(store, 7, &error));
  assert_true(eva_store_is_locked(store, 7));
  assert_int_equal(lock_elsewhere(path, 7), EVA_E_BUSY);
  assert_int_equal(lock_elsewhere(path, 8), EVA_OK);
  assert_int_equal(fcntl(eva_store_lock_fd(store), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  eva_store_unlock(store, 7);
  assert_false(eva_store_is_locked(store, 7));
  assert_int_equal(lock_elsewhere(path, 7), EVA_OK);
  eva_store_close(store);
}

/* A worker that forgot the store does not keep its parent's locks alive, and its exit does not drop them. */
static void test_locks_across_fork(void **state) {
  (void)state;
  eva_error error;
  char path[256];
  snprintf(path, sizeof path, "%s", path_in("forked.db"));
  eva_store *store = open_store(path);
  assert_fine(eva_store_lock(store, 3, &error));
  int hold[2];
  assert_int_equal(pipe(hold), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(hold[1]);
    eva_store_forget(store);
    (void)!read(hold[0], &byte, 1);
    _exit(0);
  }
  pid_t short_lived = fork();
  if (short_lived == 0) {
    eva_store_forget(store);
    _exit(0);
  }
  assert_int_equal(waitpid(short_lived, NULL, 0), short_lived);
  assert_int_equal(lock_elsewhere(path, 3), EVA_E_BUSY);
  eva_store_close(store);
  assert_int_equal(lock_elsewhere(path, 3), EVA_OK); /* although the first child still lives */
  close(hold[1]);
  assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_time(void **state) {
  (void)state;
  eva_store *store = open_store(":memory:");
  char out[EVA_TIME_TEXT_SIZE], expected[EVA_TIME_TEXT_SIZE];
  const int64_t times[] = {0, 1, 999, 1000, 1763686801234, 1763686801999, 1763686802000, -1, -1000, -1001};
  for (size_t index = 0; index < sizeof times / sizeof *times; index++) {
    eva_store_time(store, times[index], out);
    assert_string_equal(out, eva_clock_format(times[index], expected));
  }
  eva_store_close(store);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      IN_DIRECTORY(test_reopen),
      IN_DIRECTORY(test_missing),
      IN_DIRECTORY(test_not_a_database),
      IN_DIRECTORY(test_other_program),
      IN_DIRECTORY(test_newer_schema),
      IN_DIRECTORY(test_empty_read_only),
      IN_DIRECTORY(test_read_only),
      IN_DIRECTORY(test_journal),
      IN_DIRECTORY(test_busy),
      cmocka_unit_test(test_transaction),
      IN_DIRECTORY(test_fork),
      IN_DIRECTORY(test_locks),
      IN_DIRECTORY(test_locks_across_fork),
      cmocka_unit_test(test_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
