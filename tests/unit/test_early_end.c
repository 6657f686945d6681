/* What ends a run early, and at which result exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/early_end.h"

static const eva_result_head OK = {.status = EVA_STATUS_OK};
static const eva_result_head FAILED = {.status = EVA_STATUS_ERROR};

static eva_early note(eva_early_end *early, eva_result_head head) { return eva_early_note(early, &head, 1); }

/* How many failures it takes. */
static int failures_to_end(eva_early_rules rules, int64_t total) {
  eva_early_end early;
  eva_early_open(&early, &rules, total);
  for (int count = 1; count <= total; count++) {
    int64_t room = eva_early_room(&early);
    eva_early found = note(&early, FAILED);
    if (found == EVA_EARLY_FAILURES) {
      assert_int_equal(room, 0);
      return count;
    }
    assert_int_equal(found, EVA_EARLY_NONE);
    assert_int_equal(note(&early, OK), EVA_EARLY_NONE);
  }
  return 0;
}

static void counts_and_shares(void **state) {
  (void)state;
  assert_int_equal(failures_to_end((eva_early_rules){.max_failures = 1}, 10), 1);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failures = 5}, 10), 5);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failures = 11}, 10), 0);
  assert_int_equal(failures_to_end((eva_early_rules){0}, 10), 0);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.1}, 100), 10);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.1}, 70), 7); /* 0.1 * 70 > 7 */
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.07}, 100), 7); /* 7.000000000000001 */
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.1}, 71), 8);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.001}, 10), 1);
  assert_int_equal(failures_to_end((eva_early_rules){.max_failure_share = 0.999}, 10), 10);
}

static void attempts_are_no_failures(void **state) {
  (void)state;
  eva_early_end early;
  eva_early_open(&early, &(eva_early_rules){.max_failures = 1}, 10);
  for (int count = 0; count < 5; count++) assert_int_equal(eva_early_note(&early, &FAILED, 0), EVA_EARLY_NONE);
  assert_int_equal(note(&early, FAILED), EVA_EARLY_FAILURES);
  assert_non_null(strstr(early.reason, "1 items had failed (max_failures)"));
}

static void what_every_item_meets(void **state) {
  (void)state;
  eva_result_head stops = {.status = EVA_STATUS_ERROR, .stop_reason = EVA_TEXT_LITERAL("bad key")};
  eva_early_end early;
  eva_early_open(&early, &(eva_early_rules){0}, 100);
  for (int round = 0; round < 3; round++) {
    for (int count = 1; count < EVA_STOPS_IN_A_ROW; count++) assert_int_equal(note(&early, stops), EVA_EARLY_NONE);
    assert_int_equal(note(&early, FAILED), EVA_EARLY_NONE); /* other failures neither count nor help */
    assert_int_equal(note(&early, OK), EVA_EARLY_NONE);
  }
  for (int count = 1; count < EVA_STOPS_IN_A_ROW; count++) note(&early, stops);
  assert_int_equal(note(&early, stops), EVA_EARLY_STOPS);
  assert_non_null(strstr(early.reason, "bad key"));
}

static void budgets(void **state) {
  (void)state;
  eva_early_end early;
  eva_result_head used = {.status = EVA_STATUS_OK, .tokens = 50, .cost = 0.25};
  eva_early_open(&early, &(eva_early_rules){.run_tokens = 100}, 100);
  assert_int_equal(note(&early, used), EVA_EARLY_NONE);
  assert_int_equal(eva_early_note(&early, &used, 0), EVA_EARLY_NONE); /* 100: not more than the limit */
  used.tokens = 1;
  assert_int_equal(eva_early_note(&early, &used, 0), EVA_EARLY_BUDGET);
  assert_non_null(strstr(early.reason, "101 tokens, the limit (run_tokens) is 100"));
  eva_early_open(&early, &(eva_early_rules){.run_cost = 0.5}, 100);
  assert_int_equal(note(&early, used), EVA_EARLY_NONE);
  assert_int_equal(note(&early, used), EVA_EARLY_NONE);
  assert_int_equal(note(&early, used), EVA_EARLY_BUDGET);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_and_shares),
      cmocka_unit_test(attempts_are_no_failures),
      cmocka_unit_test(what_every_item_meets),
      cmocka_unit_test(budgets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
