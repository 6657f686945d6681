/* Items that are put several at once make the dataset that they make one by one, whatever their ids are. */
#include "store_fixture.h"

enum { ITEMS = 137, ROUNDS = 40 };

static eva_error error;
static char ids[ITEMS][16], inputs[ITEMS][16], wheres[ITEMS][16];

static uint32_t random_state;
static uint32_t random_below(uint32_t limit) {
  random_state = random_state * 1664525u + 1013904223u;
  return (random_state >> 8) % limit;
}

/* Items whose ids are drawn from `kinds` auto ids, or are their own. */
static void make_items(eva_item *items, eva_text *places, uint32_t kinds) {
  for (int index = 0; index < ITEMS; index++) {
    int is_auto = kinds > 0 && random_below(3) == 0;
    snprintf(ids[index], sizeof *ids, is_auto ? "h%u" : "own-%u", is_auto ? random_below(kinds) : (unsigned)index);
    snprintf(inputs[index], sizeof *inputs, "%u", is_auto ? 1u : (unsigned)index);
    snprintf(wheres[index], sizeof *wheres, "f.jsonl:%d", index + 1);
    items[index] = item_of(ids[index], inputs[index]);
    items[index].auto_id = is_auto;
    places[index] = eva_text_of(wheres[index]);
  }
}

/* Puts the items, `at_once` of them at a time (0: one by one), and says how it went. */
static eva_code put(eva_store *store, const char *dataset, const eva_item *items, const eva_text *places,
                    size_t at_once, eva_change *change) {
  eva_sync *sync = NULL;
  eva_code code = EVA_OK;
  error.message[0] = error.where[0] = '\0';
  assert_fine(eva_sync_begin(store, dataset, EVA_TEXT_NONE, &sync, &error));
  for (size_t index = 0; !code && index < ITEMS; index += at_once ? at_once : 1) {
    size_t count = at_once && index + at_once > ITEMS ? ITEMS - index : at_once;
    code = at_once ? eva_sync_put_many(sync, &items[index], &places[index], count, &error)
                   : eva_sync_put(sync, &items[index], places[index], &error);
  }
  if (!code) return eva_sync_finish(sync, change, &error);
  eva_sync_abort(sync);
  return code;
}

static void assert_same(uint32_t kinds, size_t at_once) {
  eva_item items[ITEMS];
  eva_text places[ITEMS];
  char one[EVA_UUID_TEXT_SIZE], many[EVA_UUID_TEXT_SIZE];
  eva_change one_change, many_change;
  eva_store *store = open_store(":memory:");
  make_items(items, places, kinds);
  make_dataset(store, "other", one); /* its row is there already */
  SYNC(store, one, "own-1=1");
  make_dataset(store, "one", one);
  make_dataset(store, "many", many);
  assert_fine(put(store, one, items, places, 0, &one_change));
  assert_fine(put(store, many, items, places, at_once, &many_change));
  assert_int_equal(many_change.version, 1);
  assert_int_equal(many_change.added, ITEMS);
  assert_int_equal(many_change.duplicates, one_change.duplicates);
  assert_string_equal(many_change.digest, one_change.digest);
  char *expected = strdup(version_text(store, one, 1));
  assert_string_equal(version_text(store, many, 1), expected);
  free(expected);
  assert_fine(put(store, many, items, places, at_once, &many_change)); /* the same once more changes nothing */
  assert_false(many_change.changed);
  eva_store_close(store);
}

static void test_many_make_what_single_ones_make(void **state) {
  (void)state;
  static const uint32_t kinds[] = {0, 1, 3, 40, 1000};
  for (int round = 0; round < ROUNDS; round++) {
    random_state = (uint32_t)round;
    assert_same(kinds[round % 5], round % 2 ? EVA_SYNC_MANY : EVA_SYNC_MANY + 7);
  }
}

/* Wherever the second of two equal ids stands, both places are named and nothing is stored. */
static void test_equal_ids_are_refused(void **state) {
  (void)state;
  eva_item items[ITEMS];
  eva_text places[ITEMS];
  for (int second = 1; second < ITEMS; second += 5) {
    char id[EVA_UUID_TEXT_SIZE], wanted[100];
    eva_change change;
    eva_store *store = open_store(":memory:");
    make_dataset(store, "d", id);
    make_items(items, places, 0);
    items[second].item_id = items[second / 2].item_id;
    assert_code(EVA_E_EXISTS, put(store, id, items, places, EVA_SYNC_MANY, &change));
    snprintf(wanted, sizeof wanted, "item %d (f.jsonl:%d) and item %d (f.jsonl:%d)", second / 2 + 1, second / 2 + 1,
             second + 1, second + 1);
    assert_says(wanted);
    assert_int_equal(query_number(store, "SELECT COUNT(*) FROM items"), 0);
    eva_store_close(store);
  }
}

/* A bad item is told as if it were put alone. */
static void test_a_bad_item_is_named(void **state) {
  (void)state;
  eva_item items[ITEMS];
  eva_text places[ITEMS];
  char id[EVA_UUID_TEXT_SIZE];
  eva_change change;
  eva_store *store = open_store(":memory:");
  make_dataset(store, "d", id);
  make_items(items, places, 0);
  items[57].fields[EVA_ITEM_INPUT] = EVA_TEXT_LITERAL("{");
  assert_code(EVA_E_PARSE, put(store, id, items, places, EVA_SYNC_MANY, &change));
  assert_says("f.jsonl:58");
  assert_says("item \"own-57\": its input is not JSON text");
  eva_store_close(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many_make_what_single_ones_make),
      cmocka_unit_test(test_equal_ids_are_refused),
      cmocka_unit_test(test_a_bad_item_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
