/* Datasets: versions, syncs, single changes, aliases, diffs, and every version against a model kept in memory. */
#include "store_fixture.h"

static eva_store *store;
static char dataset[EVA_UUID_TEXT_SIZE];
static eva_error error;

static int setup(void **state) {
  (void)state;
  store = open_store(":memory:");
  make_dataset(store, "tickets", dataset);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  eva_store_close(store);
  return 0;
}

#define assert_version(number, text) assert_string_equal(version_text(store, dataset, number), text)

static void assert_change(eva_change change, int64_t version, int64_t added, int64_t updated, int64_t removed,
                          int64_t moved) {
  assert_int_equal(change.version, version);
  assert_int_equal(change.added, added);
  assert_int_equal(change.updated, updated);
  assert_int_equal(change.removed, removed);
  assert_int_equal(change.moved, moved);
}

static void test_create(void **state) {
  (void)state;
  char id[EVA_UUID_TEXT_SIZE];
  eva_value values[EVA_DATASET_COLUMN_COUNT] = {[EVA_DATASET_NAME] = text_value("tickets")};
  assert_code(EVA_E_EXISTS, eva_dataset_create(store, values, id, &error));
  assert_says("name \"tickets\"");
  values[EVA_DATASET_NAME] = text_value("");
  assert_code(EVA_E_ARGUMENT, eva_dataset_create(store, values, id, &error));
  values[EVA_DATASET_NAME] = text_value("others");
  values[EVA_DATASET_ID] = text_value(dataset);
  assert_code(EVA_E_EXISTS, eva_dataset_create(store, values, id, &error));
  assert_says("id");
  values[EVA_DATASET_ID] = text_value("own-id");
  assert_fine(eva_dataset_create(store, values, id, &error));
  assert_string_equal(id, "own-id");
}

static void test_update_and_delete(void **state) {
  (void)state;
  eva_value values[EVA_DATASET_COLUMN_COUNT] = {[EVA_DATASET_DESCRIPTION] = text_value("about"),
                                                [EVA_DATASET_TAGS] = text_value("[\"x\"]")};
  SYNC(store, dataset, "a=1");
  assert_fine(eva_dataset_update(store, dataset, values, &error));
  values[EVA_DATASET_TAGS] = (eva_value){.type = 'n'};
  values[EVA_DATASET_DESCRIPTION] = (eva_value){0};
  assert_fine(eva_dataset_update(store, dataset, values, &error));
  eva_statement *rows = NULL;
  assert_fine(eva_dataset_select_name(store, eva_text_of("tickets"), &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_text_equal(eva_column_text(rows, EVA_DATASET_DESCRIPTION), eva_text_of("about")));
  assert_true(eva_column_is_null(rows, EVA_DATASET_TAGS));
  assert_int_equal(eva_column_int(rows, EVA_DATASET_VERSION), 1);
  assert_int_equal(eva_column_int(rows, EVA_DATASET_ITEM_COUNT), 1);
  eva_reset(rows);
  assert_code(EVA_E_NOT_FOUND, eva_dataset_update(store, "none", values, &error));
  assert_fine(eva_dataset_delete(store, dataset, &error));
  assert_code(EVA_E_NOT_FOUND, eva_dataset_delete(store, dataset, &error));
  assert_version(1, "a=1"); /* the rows stay for the experiments that ran them */
  char id[EVA_UUID_TEXT_SIZE];
  make_dataset(store, "tickets", id); /* and the name is free */
  assert_fine(eva_dataset_delete(store, id, &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM datasets"), 1); /* one without items leaves no trace */
}

static void test_sync(void **state) {
  (void)state;
  eva_change change = SYNC(store, dataset, "a=1", "b=2", "c=3");
  assert_true(change.changed);
  assert_change(change, 1, 3, 0, 0, 0);
  assert_int_equal(change.item_count, 3);
  change = SYNC(store, dataset, "a=1", "b=2", "c=3");
  assert_false(change.changed);
  assert_change(change, 1, 0, 0, 0, 0);
  assert_change(SYNC(store, dataset, "a=1", "b=2", "c=3", "d=4"), 2, 1, 0, 0, 0);             /* append */
  assert_change(SYNC(store, dataset, "a=1", "x=9", "b=2", "c=3", "d=4"), 3, 1, 0, 0, 0);      /* in the middle */
  assert_change(SYNC(store, dataset, "a=1", "x=9", "b=20", "c=3", "d=4"), 4, 0, 1, 0, 0);     /* change */
  assert_change(SYNC(store, dataset, "a=1", "x=9", "c=3", "d=4"), 5, 0, 0, 1, 0);             /* remove */
  assert_change(SYNC(store, dataset, "d=4", "a=1", "x=9", "c=3"), 6, 0, 0, 0, 1);             /* move one */
  assert_change(SYNC(store, dataset, "c=3", "y=1", "a=1", "d=5"), 7, 1, 1, 1, 2);             /* all at once */
  assert_change(SYNC(store, dataset, "c=3"), 8, 0, 0, 3, 0);                                  /* cut the end */
  assert_change(SYNC(store, dataset), 9, 0, 0, 1, 0);                                         /* nothing left */
  assert_false(SYNC(store, dataset).changed);
  assert_change(SYNC(store, dataset, "a=1"), 10, 1, 0, 0, 0); /* an id comes back */
  assert_version(0, "");
  assert_version(1, "a=1 b=2 c=3");
  assert_version(2, "a=1 b=2 c=3 d=4");
  assert_version(3, "a=1 x=9 b=2 c=3 d=4");
  assert_version(4, "a=1 x=9 b=20 c=3 d=4");
  assert_version(5, "a=1 x=9 c=3 d=4");
  assert_version(6, "d=4 a=1 x=9 c=3");
  assert_version(7, "c=3 y=1 a=1 d=5");
  assert_version(8, "c=3");
  assert_version(9, "");
  assert_version(10, "a=1");
}

static void test_storage_text_decides(void **state) {
  (void)state;
  SYNC(store, dataset, "a=1");
  char first[EVA_SHA256_TEXT_SIZE], second[EVA_SHA256_TEXT_SIZE];
  assert_fine(eva_version_digest(store, dataset, 1, first, &error));
  assert_change(SYNC(store, dataset, "a=1.0"), 2, 0, 1, 0, 0); /* a change of what is stored ... */
  assert_fine(eva_version_digest(store, dataset, 2, second, &error));
  assert_string_equal(first, second); /* ... that does not change what it means */
}

static void test_duplicate_ids(void **state) {
  (void)state;
  const char *places[] = {"t.jsonl:1", "t.jsonl:2", "t.jsonl:4"};
  for (int round = 0; round < 3; round++) { /* first import, append, merge */
    if (round == 1) SYNC(store, dataset, "a=1");
    if (round == 2) SYNC(store, dataset, "z=0", "a=1", "y=0", "b=2");
    int64_t before = query_number(store, "SELECT version FROM datasets");
    eva_sync *sync = NULL;
    assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
    eva_item a = item_of("a", "1"), b = item_of("b", "2"), again = item_of("a", "3");
    assert_fine(eva_sync_put(sync, &a, eva_text_of(places[0]), &error));
    assert_fine(eva_sync_put(sync, &b, eva_text_of(places[1]), &error));
    assert_code(EVA_E_EXISTS, eva_sync_put(sync, &again, eva_text_of(places[2]), &error));
    assert_says("\"a\": item 1 (t.jsonl:1) and item 3 (t.jsonl:4)");
    eva_sync_abort(sync);
    assert_false(eva_store_in_transaction(store));
    assert_int_equal(query_number(store, "SELECT version FROM datasets"), before);
    assert_int_equal(query_number(store, "SELECT COUNT(*) FROM items WHERE item_id = 'a' AND valid_to IS NULL"),
                     round > 0);
  }
}

static void test_equal_inputs(void **state) {
  (void)state;
  eva_change change = SYNC(store, dataset, "*h=1", "*i=2", "*h=1", "*h=1", "*i=2");
  assert_int_equal(change.duplicates, 3);
  assert_version(1, "h=1 i=2 h~2=1 h~3=1 i~2=2");
  change = SYNC(store, dataset, "*h=1", "*i=2", "*h=1", "*h=1", "*i=2");
  assert_false(change.changed);
  assert_int_equal(change.duplicates, 3);
  change = SYNC(store, dataset, "*h=1", "*i=2", "*h=1", "*h=1", "*i=2", "*h=1"); /* append one */
  assert_change(change, 2, 1, 0, 0, 0);
  assert_int_equal(change.duplicates, 4);
  change = SYNC(store, dataset, "*i=2", "*h=1", "*h=1", "*h=1", "*i=2", "*h=1");
  assert_change(change, 3, 0, 0, 0, 1);
  assert_version(3, "i=2 h=1 h~2=1 h~3=1 i~2=2 h~4=1");
  change = SYNC(store, dataset, "*h=1", "*h=1"); /* the first two of them */
  assert_version(4, "h=1 h~2=1");
  assert_change(change, 4, 0, 0, 4, 0);
  change = SYNC(store, dataset, "*h=1");
  assert_version(5, "h=1");
}

/* When "h" was removed, the one that remains, "h~2", is not what a single equal input gets. */
static void test_equal_inputs_after_removal(void **state) {
  (void)state;
  SYNC(store, dataset, "*h=1", "*h=1");
  eva_batch *batch = NULL;
  eva_change change;
  assert_fine(eva_batch_begin(store, dataset, EVA_TEXT_NONE, &batch, &error));
  assert_fine(eva_batch_remove(batch, eva_text_of("h"), 1, &error));
  assert_fine(eva_batch_finish(batch, &change, &error));
  assert_version(2, "h~2=1");
  SYNC(store, dataset, "*h=1");
  assert_version(3, "h=1");
}

static void test_many_equal_inputs(void **state) {
  (void)state;
  eva_item item = item_of("h", "1");
  eva_change change;
  item.auto_id = 1;
  for (int round = 0; round < 2; round++) {
    eva_sync *sync = NULL;
    assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
    for (int count = 0; count < 20000; count++) assert_fine(eva_sync_put(sync, &item, EVA_TEXT_NONE, &error));
    assert_fine(eva_sync_finish(sync, &change, &error));
    assert_int_equal(change.changed, round == 0);
    assert_int_equal(change.duplicates, 19999);
  }
}

static void test_bad_items(void **state) {
  (void)state;
  char long_id[EVA_ITEM_ID_MAX + 2];
  memset(long_id, 'x', sizeof long_id);
  long_id[sizeof long_id - 1] = '\0';
  const struct {
    const char *id, *input;
    eva_code code;
    const char *says;
  } bad[] = {{"", "1", EVA_E_ARGUMENT, "not empty"},       {"a", NULL, EVA_E_ARGUMENT, "no input"},
             {"a\nb", "1", EVA_E_ARGUMENT, "control"},     {long_id, "1", EVA_E_LIMIT, "1024"},
             {"a", "{\"x\":", EVA_E_PARSE, "input is not JSON"}, {"a", "NaN", EVA_E_PARSE, "input is not JSON"}};
  for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
    eva_sync *sync = NULL;
    eva_item item = item_of(bad[index].id, bad[index].input);
    assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
    error.where[0] = '\0';
    assert_code(bad[index].code, eva_sync_put(sync, &item, eva_text_of("file:3"), &error));
    assert_says(bad[index].says);
    assert_says("file:3");
    eva_sync_abort(sync);
  }
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM items"), 0);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM dataset_versions"), 0);
}

static eva_code change_one(const char *id, const char *input, const char *removal, int must_exist, eva_change *change) {
  eva_batch *batch = NULL;
  eva_item item = item_of(id, input);
  assert_fine(eva_batch_begin(store, dataset, eva_text_of("by hand"), &batch, &error));
  eva_code code = id ? eva_batch_put(batch, &item, must_exist, &error) : EVA_OK;
  if (!code && removal) code = eva_batch_remove(batch, eva_text_of(removal), must_exist, &error);
  if (!code) return eva_batch_finish(batch, change, &error);
  eva_batch_abort(batch);
  return code;
}

static void test_batch(void **state) {
  (void)state;
  eva_change change;
  SYNC(store, dataset, "a=1", "b=2", "c=3");
  assert_fine(change_one("b", "20", "a", 0, &change)); /* both in one version */
  assert_change(change, 2, 0, 1, 1, 0);
  assert_int_equal(change.item_count, 2);
  assert_version(2, "b=20 c=3");
  assert_fine(change_one("d", "4", NULL, 0, &change));
  assert_version(3, "b=20 c=3 d=4");
  assert_fine(change_one("d", "4", NULL, 0, &change)); /* nothing new */
  assert_false(change.changed);
  assert_int_equal(change.version, 3);
  assert_fine(change_one(NULL, NULL, "none", 0, &change));
  assert_false(change.changed);
  assert_code(EVA_E_NOT_FOUND, change_one(NULL, NULL, "none", 1, &change));
  assert_says("no item \"none\"");
  assert_code(EVA_E_NOT_FOUND, change_one("e", "1", NULL, 1, &change));
  assert_code(EVA_E_EXISTS, change_one("b", "5", "b", 0, &change)); /* twice in one batch */
  assert_int_equal(query_number(store, "SELECT version FROM datasets"), 3);
  assert_false(SYNC(store, dataset, "b=20", "c=3", "d=4").changed); /* sync agrees */
}

static void test_batch_auto_ids(void **state) {
  (void)state;
  SYNC(store, dataset, "*h=1");
  eva_batch *batch = NULL;
  eva_change change;
  eva_item item = item_of("h", "1");
  item.auto_id = 1;
  assert_fine(eva_batch_begin(store, dataset, EVA_TEXT_NONE, &batch, &error));
  assert_fine(eva_batch_put(batch, &item, 0, &error));
  assert_fine(eva_batch_put(batch, &item, 0, &error));
  assert_fine(eva_batch_finish(batch, &change, &error));
  assert_int_equal(change.duplicates, 2);
  assert_version(2, "h=1 h~2=1 h~3=1");
}

static void collect(void *context, const eva_item_diff *one) {
  eva_buf_printf(context, "%c%.*s ", one->kind, (int)one->item_id.len, one->item_id.data);
}

static const char *diff_text(int64_t from, int64_t to) {
  static eva_buf out;
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  assert_fine(eva_version_diff(store, dataset, from, to, collect, &out, &error));
  return out.data;
}

static void test_diff(void **state) {
  (void)state;
  SYNC(store, dataset, "a=1", "b=2", "c=3");
  SYNC(store, dataset, "b=2", "a=1", "d=4", "c=30");
  SYNC(store, dataset, "b=2", "a=1", "c=3");
  assert_string_equal(diff_text(0, 1), "aa ab ac ");
  assert_string_equal(diff_text(1, 2), "ad cc ");
  assert_string_equal(diff_text(2, 1), "rd cc ");
  assert_string_equal(diff_text(1, 3), ""); /* only the order differs */
  assert_string_equal(diff_text(3, 3), "");
  assert_code(EVA_E_NOT_FOUND, eva_version_diff(store, dataset, 1, 4, collect, NULL, &error));
  assert_says("no version 4; the latest is 3");
}

static void test_history(void **state) {
  (void)state;
  SYNC(store, dataset, "a=1", "b=1");
  SYNC(store, dataset, "a=2", "b=1");
  SYNC(store, dataset, "b=1");
  SYNC(store, dataset, "b=1", "a=3");
  eva_statement *rows = NULL;
  eva_item_row row;
  const int64_t spans[][2] = {{1, 2}, {2, 3}, {4, 0}};
  assert_fine(eva_item_history(store, dataset, eva_text_of("a"), &rows, &error));
  for (int index = 0; index < 3; index++) {
    assert_fine(eva_step_one(rows, &error));
    eva_item_row_read(rows, &row);
    assert_int_equal(row.valid_from, spans[index][0]);
    assert_int_equal(row.valid_to, spans[index][1]);
  }
  eva_reset(rows);
  eva_statement *one = NULL;
  assert_fine(eva_item_at(store, dataset, 2, eva_text_of("a"), &one, &row, &error));
  assert_true(eva_text_equal(row.item.fields[EVA_ITEM_INPUT], eva_text_of("2")));
  eva_reset(one);
  assert_code(EVA_E_NOT_FOUND, eva_item_at(store, dataset, 3, eva_text_of("a"), &one, &row, &error));
}

static void test_aliases(void **state) {
  (void)state;
  int64_t version = 0;
  SYNC(store, dataset, "a=1");
  SYNC(store, dataset, "a=2");
  assert_fine(eva_alias_set(store, dataset, eva_text_of("stable"), 1, &error));
  assert_fine(eva_version_resolve(store, dataset, eva_text_of("stable"), &version, &error));
  assert_int_equal(version, 1);
  assert_fine(eva_alias_set(store, dataset, eva_text_of("stable"), 2, &error));
  assert_fine(eva_version_resolve(store, dataset, eva_text_of("stable"), &version, &error));
  assert_int_equal(version, 2);
  assert_fine(eva_version_resolve(store, dataset, eva_text_of("latest"), &version, &error));
  assert_int_equal(version, 2);
  assert_fine(eva_version_resolve(store, dataset, eva_text_of("1"), &version, &error));
  assert_int_equal(version, 1);
  assert_code(EVA_E_NOT_FOUND, eva_version_resolve(store, dataset, eva_text_of("3"), &version, &error));
  assert_code(EVA_E_NOT_FOUND, eva_version_resolve(store, dataset, eva_text_of("stabel"), &version, &error));
  assert_says("its aliases are \"stable\"");
  assert_code(EVA_E_NOT_FOUND, eva_alias_set(store, dataset, eva_text_of("next"), 3, &error));
  const char *bad[] = {"", "12", "latest", "a b", "a@b"};
  for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
    assert_code(EVA_E_ARGUMENT, eva_alias_set(store, dataset, eva_text_of(bad[index]), 1, &error));
  }
  assert_fine(eva_alias_set(store, dataset, eva_text_of("stable"), -1, &error));
  assert_code(EVA_E_NOT_FOUND, eva_version_resolve(store, dataset, eva_text_of("stable"), &version, &error));
}

/* Digests that anybody can check: SHA-256 of lines. */
static void test_digest(void **state) {
  (void)state;
  unsigned char bytes[EVA_SHA256_SIZE];
  char item[EVA_SHA256_TEXT_SIZE], wanted[EVA_SHA256_TEXT_SIZE], got[EVA_SHA256_TEXT_SIZE];
  eva_item one = item_of("a", "{\"b\":2,\"a\":1.0}");
  one.fields[EVA_ITEM_TAGS] = eva_text_of("[\"x\"]");
  eva_sync *sync = NULL;
  eva_change change;
  assert_fine(eva_sync_begin(store, dataset, eva_text_of("first"), &sync, &error));
  assert_fine(eva_sync_put(sync, &one, EVA_TEXT_NONE, &error));
  assert_fine(eva_sync_finish(sync, &change, &error));
  const char *lines = "item_id\n\"a\"\ninput\n{\"a\":1,\"b\":2}\ntags\n[\"x\"]\n";
  eva_sha256_of(lines, strlen(lines), bytes);
  eva_hex(bytes, sizeof bytes, item);
  char line[80];
  snprintf(line, sizeof line, "%s\n", item);
  eva_sha256_of(line, strlen(line), bytes);
  eva_hex(bytes, sizeof bytes, wanted);
  assert_string_equal(change.digest, wanted);
  assert_fine(eva_version_digest(store, dataset, 1, got, &error));
  assert_string_equal(got, wanted);
  /* computed later, for a version made by single changes, it is the same as that of a sync */
  eva_batch *batch = NULL;
  eva_item two = item_of("b", "2");
  assert_fine(eva_batch_begin(store, dataset, EVA_TEXT_NONE, &batch, &error));
  assert_fine(eva_batch_put(batch, &two, 0, &error));
  assert_fine(eva_batch_finish(batch, &change, &error));
  assert_fine(eva_version_digest(store, dataset, 2, got, &error));
  char other[EVA_UUID_TEXT_SIZE];
  make_dataset(store, "same", other);
  assert_fine(eva_sync_begin(store, other, EVA_TEXT_NONE, &sync, &error));
  assert_fine(eva_sync_put(sync, &one, EVA_TEXT_NONE, &error));
  assert_fine(eva_sync_put(sync, &two, EVA_TEXT_NONE, &error));
  assert_fine(eva_sync_finish(sync, &change, &error));
  assert_string_equal(change.digest, got);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM dataset_versions WHERE digest IS NULL"), 0);
}

static void test_sync_state(void **state) {
  (void)state;
  eva_sync *first = NULL, *second = NULL;
  assert_fine(eva_store_begin(store, &error));
  assert_code(EVA_E_STATE, eva_sync_begin(store, dataset, EVA_TEXT_NONE, &first, &error));
  eva_store_rollback(store);
  assert_code(EVA_E_NOT_FOUND, eva_sync_begin(store, "none", EVA_TEXT_NONE, &first, &error));
  assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &first, &error));
  assert_code(EVA_E_STATE, eva_sync_begin(store, dataset, EVA_TEXT_NONE, &second, &error));
  eva_sync_abort(first);
  eva_sync_abort(NULL);
}

/* Another process that changes the dataset while a sync compares: the sync notices before it writes. */
static void test_sync_race(void **state) {
  (void)state;
  char id[EVA_UUID_TEXT_SIZE];
  eva_store *first = open_store(path_in("race.db")), *second = open_store(path_in("race.db"));
  make_dataset(first, "tickets", id);
  sync_list(first, id, (const char *const[]){"a=1", "b=2", NULL});
  eva_sync *sync = NULL;
  eva_item a = item_of("a", "1"), b = item_of("b", "3");
  assert_fine(eva_sync_begin(first, id, EVA_TEXT_NONE, &sync, &error));
  assert_fine(eva_sync_put(sync, &a, EVA_TEXT_NONE, &error));
  sync_list(second, id, (const char *const[]){"a=2", "b=2", NULL});
  assert_code(EVA_E_BUSY, eva_sync_put(sync, &b, EVA_TEXT_NONE, &error));
  assert_says("try again");
  eva_sync_abort(sync);
  assert_string_equal(version_text(first, id, 2), "a=2 b=2");
  eva_store_close(first);
  eva_store_close(second);
}

/* A sync that changes nothing takes no lock: it works while another process writes. */
static void test_sync_reads_only(void **state) {
  (void)state;
  char id[EVA_UUID_TEXT_SIZE];
  eva_store *first = open_store(path_in("calm.db")), *second = open_store(path_in("calm.db"));
  make_dataset(first, "tickets", id);
  sync_list(first, id, (const char *const[]){"a=1", "b=2", NULL});
  assert_fine(eva_store_begin(first, &error));
  assert_false(sync_list(second, id, (const char *const[]){"a=1", "b=2", NULL}).changed);
  eva_store_rollback(first);
  eva_store_close(first);
  eva_store_close(second);
}

/* The same place again and again: the gap closes, rows are numbered afresh, no version changes. */
static void test_renumber(void **state) {
  (void)state;
  enum { ROUNDS = 60 };
  eva_buf expected[ROUNDS + 1] = {{0}};
  char inputs[ROUNDS][32];
  const char *list[ROUNDS + 3] = {"first=1", "last=1", NULL};
  sync_list(store, dataset, list);
  for (int round = 0; round < ROUNDS; round++) {
    snprintf(inputs[round], sizeof inputs[round], "n%d=%d", round, round);
    memmove(&list[2], &list[1], (size_t)(round + 2) * sizeof *list);
    list[1] = inputs[round]; /* right behind the first */
    assert_change(sync_list(store, dataset, list), round + 2, 1, 0, 0, 0);
    eva_buf_add_string(&expected[round], version_text(store, dataset, round + 2));
  }
  for (int round = 0; round < ROUNDS; round++) {
    assert_string_equal(version_text(store, dataset, round + 2), expected[round].data);
    eva_buf_free(&expected[round]);
  }
}

/* The model: every version as the text it should read as. */

enum { MODEL_VERSIONS = 300, MODEL_ITEMS = 40 };

typedef struct model_item {
  int id, input;
} model_item;

static unsigned long long random_state;
static int random_below(int limit) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (int)((random_state >> 33) % (unsigned)limit);
}

static int has_id(const model_item *items, int count, int id) {
  for (int index = 0; index < count; index++) {
    if (items[index].id == id) return 1;
  }
  return 0;
}

/* One to three random edits: insert, remove, change, move, reverse, shuffle away. */
static int edit_model(model_item *items, int count) {
  for (int edits = 1 + random_below(3); edits > 0; edits--) {
    int at = count ? random_below(count) : 0, to = count ? random_below(count) : 0;
    switch (random_below(8)) {
      case 0:
      case 1: {
        int id = random_below(2 * MODEL_ITEMS);
        if (count == MODEL_ITEMS || has_id(items, count, id)) break;
        memmove(&items[at + 1], &items[at], (size_t)(count - at) * sizeof *items);
        items[at] = (model_item){id, random_below(3)};
        count++;
        break;
      }
      case 2:
        if (count == 0) break;
        memmove(&items[at], &items[at + 1], (size_t)(count - at - 1) * sizeof *items);
        count--;
        break;
      case 3:
        if (count) items[at].input = random_below(3);
        break;
      case 4:
      case 5:
        if (count) {
          model_item moved = items[at];
          items[at] = items[to];
          items[to] = moved;
        }
        break;
      case 6:
        for (int low = 0, high = count - 1; random_below(4) == 0 && low < high; low++, high--) {
          model_item swapped = items[low];
          items[low] = items[high];
          items[high] = swapped;
        }
        break;
      default:
        if (random_below(20) == 0) count = 0;
        break;
    }
  }
  return count;
}

static void model_text(const model_item *items, int count, eva_buf *out) {
  eva_buf_clear(out);
  eva_buf_add_string(out, "");
  for (int index = 0; index < count; index++) {
    eva_buf_printf(out, "%si%d=%d", index ? " " : "", items[index].id, items[index].input);
  }
}

static eva_change sync_model(const model_item *items, int count) {
  eva_sync *sync = NULL;
  eva_change change;
  assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
  for (int index = 0; index < count; index++) {
    char id[16], input[16];
    snprintf(id, sizeof id, "i%d", items[index].id);
    snprintf(input, sizeof input, "%d", items[index].input);
    eva_item item = item_of(id, input);
    assert_fine(eva_sync_put(sync, &item, EVA_TEXT_NONE, &error));
  }
  assert_fine(eva_sync_finish(sync, &change, &error));
  return change;
}

/* The rows of a version by the plain definition. */
static int64_t count_naively(int64_t version) {
  static const char sql[] = "SELECT COUNT(*) FROM items WHERE valid_from <= ?1 AND (valid_to IS NULL OR valid_to > ?1)";
  eva_statement *select = NULL;
  assert_fine(eva_store_prepare(store, sql, &select, &error));
  eva_bind_int(select, 1, version);
  assert_fine(eva_step_one(select, &error));
  int64_t count = eva_column_int(select, 0);
  eva_reset(select);
  return count;
}

static void run_model(unsigned long long seed) {
  static eva_buf versions[MODEL_VERSIONS + 1];
  model_item items[MODEL_ITEMS + 1] = {{0}};
  int count = 0;
  int64_t version = 0;
  eva_buf now = {0};
  char digest[EVA_SHA256_TEXT_SIZE];
  random_state = seed;
  model_text(items, 0, &versions[0]);
  while (version < MODEL_VERSIONS) {
    count = edit_model(items, count);
    model_text(items, count, &now);
    int differs = strcmp(now.data, versions[version].data) != 0;
    eva_change change = sync_model(items, count);
    assert_int_equal(change.changed, differs);
    version += differs;
    assert_int_equal(change.version, version);
    assert_int_equal(change.item_count, count);
    model_text(items, count, &versions[version]);
  }
  for (int64_t number = 0; number <= version; number++) {
    assert_version(number, versions[number].data);
    int64_t item_count = 0, rows = 0;
    assert_fine(eva_item_count(store, dataset, number, &item_count, &error));
    for (const char *at = versions[number].data; (at = strchr(at, '=')); at++) rows++;
    assert_int_equal(item_count, rows);
    assert_int_equal(count_naively(number), rows);
  }
  /* equal versions have equal digests, others have not (300 of them: every pair would be slow, neighbours will do) */
  char before[EVA_SHA256_TEXT_SIZE] = "";
  for (int64_t number = 1; number <= version; number++) {
    assert_fine(eva_version_digest(store, dataset, number, digest, &error));
    assert_string_not_equal(digest, before);
    memcpy(before, digest, sizeof before);
  }
  for (int index = 0; index <= MODEL_VERSIONS; index++) eva_buf_free(&versions[index]);
  eva_buf_free(&now);
}

static void test_model(void **state) {
  for (unsigned long long seed = 1; seed <= 8; seed++) {
    run_model(seed);
    teardown(state);
    setup(state);
  }
}

/* Intervals and their nodes by brute force: a version meets an interval exactly at one of its own ancestors. */
static void test_span_node(void **state) {
  (void)state;
  enum { LATEST = 70 };
  for (int64_t first = 1; first <= LATEST; first++) {
    for (int64_t last = first; last <= LATEST; last++) {
      int64_t node = eva_span_node(first, last);
      assert_true(first <= node && node <= last);
      for (int64_t version = 1; version <= LATEST; version++) {
        int hits = 0;
        for (int level = 0; level <= eva_span_levels(LATEST); level++) {
          if ((((version >> level) | 1) << level) != node) continue;
          hits += node >= version ? first <= version : last >= version;
        }
        assert_int_equal(hits, first <= version && version <= last);
      }
    }
  }
}

static void test_paging(void **state) {
  (void)state;
  SYNC(store, dataset, "a=1", "b=1", "c=1", "d=1");
  SYNC(store, dataset, "a=2", "b=1", "d=1");
  for (int64_t version = 1; version <= 2; version++) {
    int64_t after = INT64_MIN;
    int found = 1, pages = 0;
    for (; found; pages++) {
      eva_item_cursor cursor;
      eva_item_row row;
      assert_fine(eva_items_open(store, dataset, version, after, &cursor, &error));
      assert_fine(eva_items_next(&cursor, &found, &row, &error));
      if (found) after = row.position;
      eva_items_close(&cursor);
    }
    assert_int_equal(pages, version == 1 ? 5 : 4);
  }
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_STORE(test_create),
      WITH_STORE(test_update_and_delete),
      WITH_STORE(test_sync),
      WITH_STORE(test_storage_text_decides),
      WITH_STORE(test_duplicate_ids),
      WITH_STORE(test_equal_inputs),
      WITH_STORE(test_equal_inputs_after_removal),
      WITH_STORE(test_many_equal_inputs),
      WITH_STORE(test_bad_items),
      WITH_STORE(test_batch),
      WITH_STORE(test_batch_auto_ids),
      WITH_STORE(test_diff),
      WITH_STORE(test_history),
      WITH_STORE(test_aliases),
      WITH_STORE(test_digest),
      WITH_STORE(test_sync_state),
      IN_DIRECTORY(test_sync_race),
      IN_DIRECTORY(test_sync_reads_only),
      WITH_STORE(test_renumber),
      WITH_STORE(test_model),
      cmocka_unit_test(test_span_node),
      WITH_STORE(test_paging),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
