/* Permits of hosts that are passed on inside a worker: what the coordinator counts and when it takes them back, and what a
 * worker keeps from one request to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/adaptive.h"
#include "engine/desk.h"
#include "engine/hosts.h"
#include "engine/passing.h"

enum { SLOTS = 200, START = EVA_ADAPTIVE_START };

/* ==== Two workers as their desk sees them ==== */

typedef struct client {
  eva_desk_client desk;
  int granted[SLOTS], may_pass_on[SLOTS]; /* by slot */
  int count;                              /* grants */
  int tells;
  char told[64]; /* the last one: which host */
} client;

static void on_answer(eva_desk_client *asked, uint64_t number, const eva_reply *reply) {
  client *self = (client *)asked;
  if (!reply->answer.data) return;
  self->granted[(uint32_t)number]++;
  self->may_pass_on[(uint32_t)number] = eva_text_equal(reply->answer, EVA_HOST_PASS_ON);
  self->count++;
}

static void on_tell(eva_desk_client *asked, eva_text service, eva_text message) {
  client *self = (client *)asked;
  assert_true(eva_text_equal(service, EVA_TEXT_LITERAL("hosts")));
  snprintf(self->told, sizeof self->told, "%.*s", (int)message.len, message.data);
  self->tells++;
}

typedef struct bench {
  uv_loop_t loop;
  eva_desk *desk;
  eva_hosts *hosts;
  client a, b;
} bench;

static int set_up(void **state) {
  bench *made = calloc(1, sizeof *made);
  uv_loop_init(&made->loop);
  made->desk = eva_desk_open();
  made->hosts = eva_hosts_open(&made->loop, made->desk);
  made->a.desk = made->b.desk = (eva_desk_client){.answer = on_answer, .tell = on_tell};
  *state = made;
  return 0;
}

static int tear_down(void **state) {
  bench *used = *state;
  eva_desk_leave(&used->a.desk);
  eva_desk_leave(&used->b.desk);
  eva_hosts_close(used->hosts);
  eva_desk_close(used->desk);
  uv_run(&used->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&used->loop), 0);
  free(used);
  return 0;
}

static uint64_t number_of(uint32_t slot) { return (uint64_t)1 << 32 | slot; }

static void ask(bench *b, client *who, uint32_t slot, const char *name) {
  eva_buf request = {0};
  eva_hosts_put_request(&request, eva_text_of(name), 0);
  eva_desk_ask(b->desk, &who->desk, number_of(slot), EVA_TEXT_LITERAL("hosts"), eva_buf_text(&request));
  eva_buf_free(&request);
}

static void end(client *who, uint32_t slot, eva_host_answer answer, double wait_ms) {
  eva_buf outcome = {0};
  eva_hosts_put_outcome(&outcome, answer, wait_ms);
  eva_desk_end(&who->desk, number_of(slot), eva_buf_text(&outcome));
  eva_buf_free(&outcome);
}

static void pass_on(client *who, uint32_t slot) { eva_desk_note(&who->desk, number_of(slot), eva_hosts_good_outcome()); }

static void calm_hosts_may_pass_on(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < START; slot++) ask(b, &b->a, slot, "http://one");
  for (uint32_t slot = 0; slot < START; slot++) assert_true(b->a.granted[slot] == 1 && b->a.may_pass_on[slot]);
  assert_int_equal(b->a.tells, 0);
  for (uint32_t slot = 0; slot < START; slot++) pass_on(&b->a, slot);
  assert_int_equal(b->a.tells, 0); /* nobody waits: it goes on */
}

/* The coordinator learns from passed permits as from those that come back. */
static void outcomes_count(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < START; slot++) ask(b, &b->a, slot, "http://one");
  for (uint32_t slot = 0; slot < START; slot++) pass_on(&b->a, slot); /* a clean round that used the limit: it doubles */
  for (uint32_t slot = 0; slot < 2 * START; slot++) ask(b, &b->b, slot, "http://one");
  assert_int_equal(b->b.count, START); /* those of a are under way: they hold the other half */
  for (uint32_t slot = 0; slot < START; slot++) end(&b->a, slot, EVA_HOST_OK, 0);
  assert_int_equal(b->b.count, 2 * START);
}

static void good_outcome_is_one(void **state) {
  eva_buf outcome = {0};
  (void)state;
  eva_hosts_put_outcome(&outcome, EVA_HOST_OK, 0);
  assert_true(eva_text_equal(eva_buf_text(&outcome), eva_hosts_good_outcome()));
  eva_buf_free(&outcome);
}

static void who_waits_ends_it(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < START; slot++) ask(b, &b->a, slot, "http://one");
  ask(b, &b->b, 0, "http://two"); /* another host: nothing is said */
  assert_int_equal(b->a.tells, 0);
  ask(b, &b->b, 1, "http://one");
  assert_int_equal(b->b.granted[1], 0);
  assert_int_equal(b->a.tells, 1);
  assert_string_equal(b->a.told, "http://one");
  pass_on(&b->a, 0); /* this crossed the word on its way: it has begun, and b waits on */
  assert_int_equal(b->b.granted[1], 0);
  end(&b->a, 0, EVA_HOST_OK, 0);
  assert_int_equal(b->b.granted[1], 1);
  assert_int_equal(b->a.tells, 1); /* once is enough */
  assert_int_equal(b->b.tells, 0);
}

static void refusals_end_it(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < START / 2; slot++) ask(b, &b->a, slot, "http://one");
  for (uint32_t slot = 0; slot < START / 2; slot++) ask(b, &b->b, slot, "http://one");
  assert_true(b->a.may_pass_on[0] && b->b.may_pass_on[0]);
  for (uint32_t slot = 0; slot < 3; slot++) {
    assert_int_equal(b->b.tells, 0);
    end(&b->a, slot, EVA_HOST_REFUSED, 0);
  }
  assert_true(b->a.tells == 1 && b->b.tells == 1); /* more than a tenth: cut to half, and more than that are under way */
  for (uint32_t slot = 0; slot < 7; slot++) end(&b->b, slot, EVA_HOST_OK, 0);
  ask(b, &b->b, 20, "http://one");
  assert_int_equal(b->b.granted[20], 0); /* 10 are still */
  end(&b->b, 7, EVA_HOST_OK, 0);
  assert_true(b->b.granted[20] && b->b.may_pass_on[20]); /* within the new limit it is calm again */
}

static void closed_hosts_end_it(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 8; slot++) ask(b, &b->a, slot, "http://one");
  for (uint32_t slot = 0; slot < 2; slot++) ask(b, &b->b, slot, "http://one");
  for (uint32_t slot = 0; slot < 8; slot++) end(&b->a, slot, EVA_HOST_REFUSED, 300);
  assert_int_equal(b->b.tells, 1); /* it is to be left alone, though b was answered well so far */
  ask(b, &b->b, 2, "http://one");
  assert_int_equal(b->b.granted[2], 0);
  while (!b->b.granted[2]) uv_run(&b->loop, UV_RUN_ONCE);
  assert_true(b->b.may_pass_on[2]); /* open, and nobody waits */
}

static void death_returns_what_was_passed_on(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < START; slot++) ask(b, &b->a, slot, "http://one");
  for (uint32_t slot = 0; slot < 5; slot++) pass_on(&b->a, slot);
  for (uint32_t slot = 0; slot < START; slot++) ask(b, &b->b, slot, "http://one");
  assert_int_equal(b->b.count, 0);
  eva_desk_leave(&b->a.desk);
  assert_int_equal(b->b.count, START);
  assert_true(b->b.may_pass_on[START - 1]);
}

static void notes_need_a_grant(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot <= START; slot++) ask(b, &b->a, slot, "http://one");
  pass_on(&b->a, START);    /* it waits */
  pass_on(&b->a, SLOTS - 1); /* it was never asked for */
  end(&b->a, 0, EVA_HOST_OK, 0);
  pass_on(&b->a, 0); /* it was given back */
  assert_int_equal(b->a.granted[START], 1);
  ask(b, &b->b, 0, "http://one");
  assert_int_equal(b->b.count, 0); /* the limit holds still */
}

/* ==== What a worker keeps ==== */

static int given_back;
static uint64_t last_given;

static void give_back(void *context, uint64_t number) {
  (void)context;
  given_back++;
  last_given = number;
}

static void kept_until_taken_or_given_back(void **state) {
  eva_passing passing = {.count = 0};
  (void)state;
  given_back = 0;
  eva_passing_host *one = eva_passing_of(&passing, EVA_TEXT_LITERAL("http://one"));
  eva_passing_host *two = eva_passing_of(&passing, EVA_TEXT_LITERAL("http://two"));
  assert_ptr_equal(one, eva_passing_of(&passing, EVA_TEXT_LITERAL("http://one")));
  assert_false(eva_passing_keep(&passing, one, 1)); /* nobody has allowed it */
  one->may_pass_on = two->may_pass_on = 1;
  for (uint64_t number = 1; number <= 20; number++) assert_true(eva_passing_keep(&passing, one, number));
  assert_true(eva_passing_keep(&passing, two, 100));
  assert_true(eva_passing_take(two) == 100);
  assert_true(eva_passing_take(two) == 0); /* that of another host is not taken */
  assert_true(eva_passing_take(one) == 20);
  eva_passing_give_back(&passing, NULL, give_back, NULL);
  assert_int_equal(given_back, 19);
  assert_true(eva_passing_take(one) == 0);
  eva_passing_give_back(&passing, NULL, give_back, NULL);
  assert_int_equal(given_back, 19);
  eva_passing_keep(&passing, one, 7);
  eva_passing_keep(&passing, two, 8);
  eva_passing_give_back(&passing, one, give_back, NULL);
  assert_true(given_back == 20 && last_given == 7);
  two->may_pass_on = 0; /* the word has come */
  assert_true(eva_passing_take(two) == 0);
  eva_passing_give_back(&passing, NULL, give_back, NULL);
  assert_true(given_back == 21 && last_given == 8);
  eva_passing_free(&passing);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(calm_hosts_may_pass_on),
      TEST(outcomes_count),
      cmocka_unit_test(good_outcome_is_one),
      TEST(who_waits_ends_it),
      TEST(refusals_end_it),
      TEST(closed_hosts_end_it),
      TEST(death_returns_what_was_passed_on),
      TEST(notes_need_a_grant),
      cmocka_unit_test(kept_until_taken_or_given_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
