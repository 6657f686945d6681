/* What the tests of the store share: opening stores in a fresh directory, and short ways to make items. */
#ifndef EVA_TESTS_STORE_FIXTURE_H
#define EVA_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/embedded.h"
#include "store/dataset_sync.h"
#include "store/datasets.h"
#include "store/items.h"
#include "store/store.h"

#define FIXTURE __attribute__((unused)) static

FIXTURE const char *schema_text(void) {
  const eva_embedded_file *file = eva_embedded_find("runtime/store/schema.sql");
  assert_non_null(file);
  return file->text;
}

#define assert_code(wanted, call)                                                     \
  do {                                                                                \
    eva_code got_ = (call);                                                           \
    if (got_ != (wanted)) {                                                           \
      fail_msg("%s gave code %d, not %d: %s", #call, (int)got_, (int)(wanted),        \
               got_ ? error.message : "no error");                                    \
    }                                                                                 \
  } while (0)
#define assert_fine(call) assert_code(EVA_OK, call)
#define assert_says(part)                                                             \
  do {                                                                                \
    if (!strstr(error.message, part) && !strstr(error.where, part)) {                 \
      fail_msg("\"%s: %s\" does not say \"%s\"", error.where, error.message, part);   \
    }                                                                                 \
  } while (0)

/* A directory of its own for each test; removed with everything in it. */
static char fixture_directory[64];

FIXTURE int make_directory(void **state) {
  (void)state;
  snprintf(fixture_directory, sizeof fixture_directory, "/tmp/eva_test_XXXXXX");
  return mkdtemp(fixture_directory) ? 0 : -1;
}

FIXTURE int remove_directory(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    execlp("rm", "rm", "-rf", fixture_directory, (char *)NULL);
    _exit(127);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

FIXTURE char *path_in(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", fixture_directory, name);
  return path;
}

FIXTURE eva_code open_with(const char *url, int read_only, int create, eva_store **store, eva_error *error) {
  eva_store_options options = {.read_only = read_only, .create = create, .schema_sql = schema_text()};
  return eva_store_open(url, &options, store, error);
}

FIXTURE eva_store *open_store(const char *url) {
  eva_error error;
  eva_store *store = NULL;
  assert_fine(open_with(url, 0, 1, &store, &error));
  return store;
}

FIXTURE eva_value text_value(const char *text) { return (eva_value){.type = 't', .text = eva_text_of(text)}; }

FIXTURE void make_dataset(eva_store *store, const char *name, char id[EVA_UUID_TEXT_SIZE]) {
  eva_error error;
  eva_value values[EVA_DATASET_COLUMN_COUNT] = {[EVA_DATASET_NAME] = text_value(name)};
  assert_fine(eva_dataset_create(store, values, id, &error));
}

FIXTURE eva_item item_of(const char *id, const char *input) {
  return (eva_item){.item_id = eva_text_of(id), .fields = {[EVA_ITEM_INPUT] = eva_text_of(input)}};
}

/* Syncs the dataset with "id=input" texts, NULL-terminated. A leading '*' makes an auto id of "id". */
FIXTURE eva_change sync_list(eva_store *store, const char *dataset, const char *const *list) {
  eva_error error;
  eva_sync *sync = NULL;
  eva_change change;
  assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
  for (; *list; list++) {
    const char *text = *list + (**list == '*'), *equals = strchr(text, '=');
    eva_item item = item_of("", equals + 1);
    item.item_id = (eva_text){text, (size_t)(equals - text)};
    item.auto_id = **list == '*';
    assert_fine(eva_sync_put(sync, &item, EVA_TEXT_NONE, &error));
  }
  assert_fine(eva_sync_finish(sync, &change, &error));
  return change;
}
#define SYNC(store, dataset, ...) sync_list(store, dataset, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* The version as "id=input id=input ..." */
FIXTURE const char *version_text(eva_store *store, const char *dataset, int64_t version) {
  static eva_buf out;
  eva_error error;
  eva_item_cursor cursor;
  eva_item_row row;
  int found = 0;
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  assert_fine(eva_items_open(store, dataset, version, INT64_MIN, &cursor, &error));
  for (;;) {
    assert_fine(eva_items_next(&cursor, &found, &row, &error));
    if (!found) break;
    eva_buf_printf(&out, "%s%.*s=%.*s", out.len ? " " : "", (int)row.item.item_id.len, row.item.item_id.data,
                   (int)row.item.fields[EVA_ITEM_INPUT].len, row.item.fields[EVA_ITEM_INPUT].data);
  }
  return out.data;
}

FIXTURE int64_t query_number(eva_store *store, const char *sql) {
  eva_error error;
  eva_statement *select = NULL;
  assert_fine(eva_store_prepare(store, sql, &select, &error));
  assert_fine(eva_step_one(select, &error));
  int64_t number = eva_column_int(select, 0);
  eva_reset(select);
  return number;
}

#endif
