/* The request cache: finding and keeping entries, clearing, bad files, two processes at one file, fork; and base64. */
#include "store_fixture.h"

#include "data/base64.h"
#include "store/cache.h"

static const char *cache_schema(void) {
  const eva_embedded_file *file = eva_embedded_find("runtime/store/cache.sql");
  assert_non_null(file);
  return file->text;
}

static eva_code open_cache_with(const char *url, int read_only, int create, eva_cache **cache, eva_error *error) {
  eva_cache_options options = {.read_only = read_only, .create = create, .schema_sql = cache_schema()};
  return eva_cache_open(url, &options, cache, error);
}

static eva_cache *open_cache(const char *url) {
  eva_error error;
  eva_cache *cache = NULL;
  assert_fine(open_cache_with(url, 0, 1, &cache, &error));
  return cache;
}

static eva_cache_entry entry_of(const char *digest, const char *target, const char *request, const char *answer) {
  return (eva_cache_entry){.digest = eva_text_of(digest),
                           .kind = EVA_TEXT_LITERAL("http"),
                           .target_id = eva_text_of(target),
                           .target_version = EVA_TEXT_LITERAL("1"),
                           .trial = 1,
                           .request = eva_text_of(request),
                           .answer = eva_text_of(answer),
                           .created_at = EVA_TEXT_LITERAL("2026-01-02T00:00:00.000Z")};
}

static void put(eva_cache *cache, eva_cache_entry entry, int is_newer) {
  eva_error error;
  assert_fine(eva_cache_begin(cache, &error));
  assert_fine(eva_cache_put(cache, &entry, is_newer, &error));
  assert_fine(eva_cache_commit(cache, &error));
}

/* The answer to a digest, "" where there is none. */
static const char *answer_to(eva_cache *cache, const char *digest) {
  static char answer[100];
  eva_error error;
  eva_statement *row = NULL;
  eva_cache_entry entry;
  eva_code code = eva_cache_find(cache, eva_text_of(digest), &row, &error);
  if (code == EVA_E_NOT_FOUND) return "";
  assert_code(EVA_OK, code);
  eva_cache_read(row, &entry);
  snprintf(answer, sizeof answer, "%.*s", (int)entry.answer.len, entry.answer.data);
  eva_reset(row);
  return answer;
}

static int64_t count_of(eva_cache *cache, const char *target) {
  eva_error error;
  int64_t count = -1;
  assert_fine(eva_cache_count(cache, eva_text_of(target), &count, &error));
  return count;
}

static void test_keep(void **state) {
  (void)state;
  eva_cache *cache = open_cache(":memory:");
  assert_string_equal(eva_cache_path(cache), ":memory:");
  assert_string_equal(answer_to(cache, "d1"), "");
  put(cache, entry_of("d1", "t", "{}", "one"), 0);
  assert_string_equal(answer_to(cache, "d1"), "one");
  put(cache, entry_of("d1", "t", "{}", "two"), 0); /* the first answer stays ... */
  assert_string_equal(answer_to(cache, "d1"), "one");
  put(cache, entry_of("d1", "t", "{}", "two"), 1); /* ... unless it is to be renewed */
  assert_string_equal(answer_to(cache, "d1"), "two");
  assert_int_equal(count_of(cache, NULL), 1);
  eva_cache_close(cache);
}

static void test_rollback(void **state) {
  (void)state;
  eva_error error;
  eva_cache *cache = open_cache(":memory:");
  eva_cache_entry entry = entry_of("d1", "t", "{}", "one");
  assert_fine(eva_cache_begin(cache, &error));
  assert_fine(eva_cache_put(cache, &entry, 0, &error));
  eva_cache_rollback(cache);
  assert_int_equal(count_of(cache, NULL), 0);
  eva_cache_close(cache);
}

static void test_list_and_clear(void **state) {
  (void)state;
  eva_error error;
  eva_statement *rows = NULL;
  eva_buf order = {0};
  int64_t count = 0;
  eva_cache *cache = open_cache(":memory:");
  put(cache, entry_of("d1", "u", "b", "1"), 0);
  put(cache, entry_of("d2", "t", "b", "2"), 0);
  put(cache, entry_of("d3", "t", "a", "3"), 0);
  eva_cache_entry late = entry_of("d0", "t", "b", "4");
  late.created_at = EVA_TEXT_LITERAL("2026-03-01T00:00:00.000Z");
  put(cache, late, 0);
  assert_fine(eva_cache_list(cache, EVA_TEXT_NONE, &rows, &error));
  for (int row = 1;;) {
    eva_cache_entry entry;
    assert_fine(eva_step(rows, &row, &error));
    if (!row) break;
    eva_cache_read(rows, &entry);
    assert_int_equal(entry.trial, 1);
    eva_buf_printf(&order, "%.*s ", (int)entry.digest.len, entry.digest.data);
  }
  assert_string_equal(order.data, "d3 d0 d2 d1 ");
  eva_buf_free(&order);
  assert_int_equal(count_of(cache, "t"), 3);
  assert_fine(eva_cache_clear(cache, EVA_TEXT_NONE, EVA_TEXT_LITERAL("2026-01-02T00:00:00.000Z"), &count, &error));
  assert_int_equal(count, 0);
  assert_fine(eva_cache_clear(cache, EVA_TEXT_LITERAL("t"), EVA_TEXT_LITERAL("2026-02-01T00:00:00.000Z"), &count,
                              &error));
  assert_int_equal(count, 2);
  assert_fine(eva_cache_clear(cache, EVA_TEXT_NONE, EVA_TEXT_NONE, &count, &error));
  assert_int_equal(count, 2);
  assert_int_equal(count_of(cache, NULL), 0);
  eva_cache_close(cache);
}

static void test_reopen(void **state) {
  (void)state;
  eva_error error;
  eva_cache *cache = open_cache(path_in("cache.db"));
  put(cache, entry_of("d1", "t", "{}", "one"), 0);
  eva_cache_close(cache);
  assert_fine(open_cache_with(path_in("cache.db"), 1, 0, &cache, &error));
  assert_string_equal(answer_to(cache, "d1"), "one");
  assert_code(EVA_E_READ_ONLY, eva_cache_begin(cache, &error));
  assert_says("for reading only");
  eva_cache_close(cache);
}

static void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

/* A store is no cache, and the other way round; neither is touched. */
static void test_wrong_files(void **state) {
  (void)state;
  eva_error error;
  eva_cache *cache = NULL;
  eva_store *store = NULL;
  assert_code(EVA_E_NOT_FOUND, open_cache_with(path_in("none.db"), 0, 0, &cache, &error));
  assert_says("there is no cache");
  write_text(path_in("text.db"), "some text that is certainly no database, long enough to have a header of one\n");
  assert_code(EVA_E_SCHEMA, open_cache_with(path_in("text.db"), 0, 1, &cache, &error));
  assert_says("not an evalua cache");
  eva_store_close(open_store(path_in("evalua.db")));
  assert_code(EVA_E_SCHEMA, open_cache_with(path_in("evalua.db"), 0, 1, &cache, &error));
  assert_says("not an evalua cache but an SQLite database of another kind");
  eva_cache_close(open_cache(path_in("cache.db")));
  assert_code(EVA_E_SCHEMA, open_with(path_in("cache.db"), 0, 1, &store, &error));
  assert_says("not an evalua store but an SQLite database of another kind");
  write_text(path_in("empty.db"), "");
  assert_code(EVA_E_NOT_FOUND, open_cache_with(path_in("empty.db"), 1, 0, &cache, &error));
  assert_says("empty");
}

static void test_newer_schema(void **state) {
  (void)state;
  eva_error error;
  eva_cache *cache = open_cache(path_in("cache.db"));
  eva_cache_close(cache);
  eva_db *db = NULL;
  assert_fine(eva_db_open(path_in("cache.db"), &(eva_db_options){.create = 0}, &db, &error));
  assert_fine(eva_db_execute(db, "PRAGMA user_version=99", &error));
  eva_db_close(db);
  assert_code(EVA_E_SCHEMA, open_cache_with(path_in("cache.db"), 0, 1, &cache, &error));
  assert_says("99");
}

/* Another connection that writes makes begin say so at once; reading goes on. */
static void test_busy(void **state) {
  (void)state;
  eva_error error;
  eva_cache *one = open_cache(path_in("cache.db")), *other = open_cache(path_in("cache.db"));
  put(one, entry_of("d1", "t", "{}", "one"), 0);
  assert_fine(eva_cache_begin(one, &error));
  assert_code(EVA_E_BUSY, eva_cache_begin(other, &error));
  assert_says("the cache is being written by another process");
  assert_string_equal(answer_to(other, "d1"), "one");
  assert_fine(eva_cache_commit(one, &error));
  put(other, entry_of("d2", "t", "{}", "two"), 0);
  assert_string_equal(answer_to(one, "d2"), "two");
  eva_cache_close(one);
  eva_cache_close(other);
}

static void test_fork(void **state) {
  (void)state;
  eva_cache *cache = open_cache(path_in("cache.db"));
  put(cache, entry_of("d1", "t", "{}", "one"), 0);
  pid_t child = fork();
  if (child == 0) {
    eva_cache_forget(cache);
    _exit(0);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  put(cache, entry_of("d2", "t", "{}", "two"), 0);
  eva_cache_close(cache);
  cache = open_cache(path_in("cache.db"));
  assert_int_equal(count_of(cache, NULL), 2);
  eva_cache_close(cache);
}

/* RFC 4648, section 10, and what is no base64. */
static void test_base64(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  static const char *const wrong[] = {"Zg", "Zg=", "Z===", "Zm9v\n", "Zm 9", "Zm9v====", "=m9v", "Zm9*"};
  for (size_t index = 0; index < sizeof pairs / sizeof *pairs; index++) {
    eva_buf text = {0}, bytes = {0};
    eva_base64_encode(&text, eva_text_of(pairs[index][0]));
    assert_int_equal(text.len, strlen(pairs[index][1]));
    if (text.len) assert_string_equal(text.data, pairs[index][1]);
    assert_true(eva_base64_decode(&bytes, eva_text_of(pairs[index][1])));
    assert_int_equal(bytes.len, strlen(pairs[index][0]));
    if (bytes.len) assert_memory_equal(bytes.data, pairs[index][0], bytes.len);
    eva_buf_free(&text);
    eva_buf_free(&bytes);
  }
  for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++) {
    eva_buf bytes = {0};
    assert_false(eva_base64_decode(&bytes, eva_text_of(wrong[index])));
    assert_int_equal(bytes.len, 0);
    eva_buf_free(&bytes);
  }
  eva_buf text = {0}, back = {0};
  char all[256];
  for (int byte = 0; byte < 256; byte++) all[byte] = (char)byte;
  eva_base64_encode(&text, (eva_text){all, sizeof all});
  assert_true(eva_base64_decode(&back, eva_buf_text(&text)));
  assert_int_equal(back.len, sizeof all);
  assert_memory_equal(back.data, all, sizeof all);
  eva_buf_free(&text);
  eva_buf_free(&back);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keep),     cmocka_unit_test(test_rollback), cmocka_unit_test(test_list_and_clear),
      IN_DIRECTORY(test_reopen),       IN_DIRECTORY(test_wrong_files),  IN_DIRECTORY(test_newer_schema),
      IN_DIRECTORY(test_busy),         IN_DIRECTORY(test_fork),         cmocka_unit_test(test_base64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
