/* The desk and what is behind it: asks and their ends, semaphores, token buckets, and what hosts are let learn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/adaptive.h"
#include "engine/desk.h"
#include "engine/hosts.h"
#include "engine/limits.h"
#include "engine/names.h"

static const uint64_t SECOND = 1000000000;

/* ==== A client that remembers its answers ==== */

typedef struct client {
  eva_desk_client desk;
  uint64_t numbers[256]; /* in the order of the answers */
  int ok[256];
  char message[64];
  int count;
} client;

static void remember(eva_desk_client *asked, uint64_t number, const eva_reply *reply) {
  client *self = (client *)asked;
  self->numbers[self->count] = number;
  self->ok[self->count] = reply->answer.data != NULL;
  if (reply->message.data) {
    snprintf(self->message, sizeof self->message, "%.*s", (int)reply->message.len, reply->message.data);
  }
  self->count++;
}

static uint64_t number_of(uint32_t slot, uint32_t use) { return (uint64_t)use << 32 | slot; }

typedef struct bench {
  uv_loop_t loop;
  eva_desk *desk;
  eva_limits *limits;
  eva_hosts *hosts;
  client a, b;
} bench;

static int set_up(void **state) {
  bench *made = calloc(1, sizeof *made);
  uv_loop_init(&made->loop);
  made->desk = eva_desk_open();
  made->limits = eva_limits_open(&made->loop, made->desk);
  made->hosts = eva_hosts_open(&made->loop, made->desk);
  made->a.desk.answer = made->b.desk.answer = remember;
  *state = made;
  return 0;
}

static int tear_down(void **state) {
  bench *used = *state;
  eva_desk_leave(&used->a.desk);
  eva_desk_leave(&used->b.desk);
  eva_limits_close(used->limits);
  eva_hosts_close(used->hosts);
  eva_desk_close(used->desk);
  uv_run(&used->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&used->loop), 0);
  free(used);
  return 0;
}

static void ask_limit(bench *b, client *who, uint32_t slot, const char *name, uint32_t max, double per_minute) {
  eva_buf request = {0};
  eva_limits_put_request(&request, eva_text_of(name), max, per_minute);
  eva_desk_ask(b->desk, &who->desk, number_of(slot, 1), EVA_TEXT_LITERAL("limits"), eva_buf_text(&request));
  eva_buf_free(&request);
}

static void ask_host(bench *b, client *who, uint32_t slot, const char *name, uint8_t flags) {
  eva_buf request = {0};
  eva_hosts_put_request(&request, eva_text_of(name), flags);
  eva_desk_ask(b->desk, &who->desk, number_of(slot, 1), EVA_TEXT_LITERAL("hosts"), eva_buf_text(&request));
  eva_buf_free(&request);
}

static void end_host(client *who, uint32_t slot, eva_host_answer answer, double wait_ms) {
  eva_buf outcome = {0};
  eva_hosts_put_outcome(&outcome, answer, wait_ms);
  eva_desk_end(&who->desk, number_of(slot, 1), eva_buf_text(&outcome));
  eva_buf_free(&outcome);
}

static void run_for(bench *b, int ms) {
  uint64_t until = eva_clock_monotonic_ns() + (uint64_t)ms * 1000000;
  while (eva_clock_monotonic_ns() < until) {
    uv_run(&b->loop, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
}

/* ==== The desk ==== */

static void unknown_service(void **state) {
  bench *b = *state;
  eva_desk_ask(b->desk, &b->a.desk, number_of(0, 1), EVA_TEXT_LITERAL("nobody"), EVA_TEXT_LITERAL("x"));
  assert_int_equal(b->a.count, 1);
  assert_false(b->a.ok[0]);
  assert_non_null(strstr(b->a.message, "nobody"));
}

static void frames_are_checked(void **state) {
  bench *b = *state;
  eva_buf frame = {0};
  eva_frame_type type;
  eva_cursor payload;
  eva_put_ask(&frame, EVA_FRAME_ASK, number_of(EVA_DESK_SLOTS_MAX, 1), EVA_TEXT_LITERAL("limits"), EVA_TEXT_LITERAL(""));
  eva_frame_next(&frame, 0, &type, &payload);
  assert_int_equal(eva_desk_receive(b->desk, &b->a.desk, type, &payload), 0);
  eva_buf_clear(&frame);
  eva_put_ask(&frame, EVA_FRAME_ASK, number_of(0, 1), EVA_TEXT_NONE, EVA_TEXT_LITERAL(""));
  eva_frame_next(&frame, 0, &type, &payload);
  assert_int_equal(eva_desk_receive(b->desk, &b->a.desk, type, &payload), 0);
  eva_buf_clear(&frame);
  eva_put_ask(&frame, EVA_FRAME_CLOSE, number_of(77, 1), EVA_TEXT_NONE, EVA_TEXT_NONE); /* nothing is open there */
  eva_frame_next(&frame, 0, &type, &payload);
  assert_int_equal(eva_desk_receive(b->desk, &b->a.desk, type, &payload), 1);
  payload = (eva_cursor){frame.data, frame.data + 3, 0};
  assert_int_equal(eva_desk_receive(b->desk, &b->a.desk, EVA_FRAME_ASK, &payload), 0);
  eva_buf_free(&frame);
}

static void requests_are_checked(void **state) {
  bench *b = *state;
  eva_desk_ask(b->desk, &b->a.desk, number_of(0, 1), EVA_TEXT_LITERAL("limits"), EVA_TEXT_LITERAL("x"));
  eva_desk_ask(b->desk, &b->a.desk, number_of(1, 1), EVA_TEXT_LITERAL("hosts"), EVA_TEXT_LITERAL("x"));
  assert_int_equal(b->a.count, 2);
  assert_false(b->a.ok[0] || b->a.ok[1]);
}

/* ==== Semaphores ==== */

static void semaphore_is_fifo(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 5; slot++) ask_limit(b, slot % 2 ? &b->b : &b->a, slot, "db", 2, 0);
  assert_int_equal(b->a.count, 1);
  assert_int_equal(b->b.count, 1);
  eva_desk_end(&b->a.desk, number_of(0, 1), EVA_TEXT_NONE);
  assert_int_equal(b->a.count, 2); /* slot 2 came before 3 */
  assert_true(b->a.numbers[1] == number_of(2, 1));
  eva_desk_end(&b->b.desk, number_of(1, 1), EVA_TEXT_NONE);
  assert_true(b->b.numbers[1] == number_of(3, 1));
}

static void waiting_is_given_up(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 4; slot++) ask_limit(b, &b->a, slot, "db", 1, 0);
  eva_desk_end(&b->a.desk, number_of(1, 1), EVA_TEXT_NONE); /* waits */
  eva_desk_end(&b->a.desk, number_of(1, 1), EVA_TEXT_NONE); /* is closed: nothing happens */
  eva_desk_end(&b->a.desk, number_of(0, 7), EVA_TEXT_NONE); /* a number of another use of the slot */
  assert_int_equal(b->a.count, 1);
  eva_desk_end(&b->a.desk, number_of(0, 1), EVA_TEXT_NONE);
  assert_int_equal(b->a.count, 2);
  assert_true(b->a.numbers[1] == number_of(2, 1));
}

static void death_gives_back(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 3; slot++) ask_limit(b, &b->a, slot, "db", 2, 0); /* two held, one waits */
  for (uint32_t slot = 0; slot < 2; slot++) ask_limit(b, &b->b, slot, "db", 2, 0);
  assert_int_equal(b->b.count, 0);
  eva_desk_leave(&b->a.desk);
  assert_int_equal(b->b.count, 2);
  assert_int_equal(b->a.count, 2); /* the one that waited there gets nothing */
}

static void limits_have_names(void **state) {
  bench *b = *state;
  ask_limit(b, &b->a, 0, "one", 1, 0);
  ask_limit(b, &b->a, 1, "two", 1, 0);
  ask_limit(b, &b->a, 2, "one", 1, 0);
  assert_int_equal(b->a.count, 2);
  ask_limit(b, &b->a, 3, "one", 3, 0); /* the last numbers count: two more may go */
  assert_int_equal(b->a.count, 4);
}

static void names_are_many(void **state) {
  (void)state;
  eva_names names = {0};
  for (int round = 0; round < 2; round++) {
    for (intptr_t index = 1; index <= 1000; index++) {
      char text[32];
      snprintf(text, sizeof text, "name %d", (int)index);
      void **place = eva_names_place(&names, eva_text_of(text));
      if (round == 0) *place = (void *)index;
      assert_ptr_equal(*place, (void *)index);
    }
  }
  eva_names_free(&names);
}

/* ==== Buckets ==== */

static void bucket_keeps_the_minute(void **state) {
  (void)state;
  const double rates[] = {1, 7, 60, 119, 120, 600, 6000};
  for (size_t index = 0; index < sizeof rates / sizeof *rates; index++) {
    eva_bucket bucket = {0};
    uint64_t now = SECOND, times[20000];
    int count = 0;
    eva_bucket_set(&bucket, rates[index], now);
    while (now < 190 * SECOND && count < 20000) { /* as greedy as can be */
      if (eva_bucket_take(&bucket, now)) times[count++] = now;
      else now = eva_bucket_next_ns(&bucket, now);
    }
    for (int first = 0, last = 0; last < count; last++) {
      while (times[last] - times[first] >= 60 * SECOND) first++;
      assert_true(last - first + 1 <= rates[index]);
    }
    assert_true(count >= 3 * rates[index] * 0.95); /* and no slower than it must be */
  }
}

static void bucket_holds_requests(void **state) {
  bench *b = *state;
  uint64_t begin = eva_clock_monotonic_ns();
  for (uint32_t slot = 0; slot < 22; slot++) ask_limit(b, &b->a, slot, "rate", 0, 1200); /* 20 at once, then 20 a second */
  assert_int_equal(b->a.count, 20);
  while (b->a.count < 22) uv_run(&b->loop, UV_RUN_ONCE);
  double ms = (double)(eva_clock_monotonic_ns() - begin) / 1e6;
  assert_true(ms > 90 && ms < 500);
  for (int index = 0; index < 22; index++) assert_true(b->a.numbers[index] == number_of((uint32_t)index, 1));
}

static void unused_tokens_go_back(void **state) {
  bench *b = *state;
  ask_limit(b, &b->a, 0, "rate", 0, 1);
  ask_limit(b, &b->a, 1, "rate", 0, 1);
  assert_int_equal(b->a.count, 1);
  eva_desk_end(&b->a.desk, number_of(0, 1), EVA_LIMIT_UNUSED);
  assert_int_equal(b->a.count, 2);
}

/* ==== What hosts take ==== */

/* One round: as many at a time as the host takes, `refused` of them with 429. */
static void play(eva_adaptive *host, uint32_t most, uint32_t refused, uint64_t wait_ns, uint64_t *now) {
  uint32_t count = eva_adaptive_limit(host) < most ? eva_adaptive_limit(host) : most, epochs[4096];
  *now += SECOND / 100;
  for (uint32_t index = 0; index < count; index++) epochs[index] = eva_adaptive_begin(host);
  *now += SECOND / 100;
  for (uint32_t index = 0; index < count; index++) {
    eva_adaptive_end(host, epochs[index], index < refused ? EVA_HOST_REFUSED : EVA_HOST_OK, wait_ns, *now);
  }
}

static void slow_start(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  assert_int_equal(eva_adaptive_limit(&host), EVA_ADAPTIVE_START);
  const uint32_t expected[] = {40, 80, 160, 320};
  for (int round = 0; round < 4; round++) {
    play(&host, 4096, 0, 0, &now);
    assert_int_equal(eva_adaptive_limit(&host), expected[round]);
  }
}

static void only_what_is_used_grows(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  for (int round = 0; round < 50; round++) play(&host, 5, 0, 0, &now); /* never more than 5 at a time */
  assert_int_equal(eva_adaptive_limit(&host), EVA_ADAPTIVE_START);
}

static void refusals_cut(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  play(&host, 4096, 20, 0, &now); /* all of 20: one cut, whatever the others say that were under way */
  assert_int_equal(eva_adaptive_limit(&host), 10);
  assert_false(host.is_slow_start);
  play(&host, 4096, 10, 0, &now); /* within the cooldown nothing counts */
  assert_int_equal(eva_adaptive_limit(&host), 10);
  now += 2 * SECOND;
  for (int round = 0; round < 2; round++) play(&host, 4096, 0, 0, &now); /* a round has 20 answers */
  assert_int_equal(eva_adaptive_limit(&host), 11);
  for (int round = 0; round < 100; round++) {
    now += 2 * SECOND;
    play(&host, 4096, 4096, 0, &now);
  }
  assert_int_equal(eva_adaptive_limit(&host), 1); /* and never less */
}

static void few_refusals_cut_nothing(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  play(&host, 4096, 1, SECOND, &now); /* 1 in 20 */
  assert_int_equal(eva_adaptive_limit(&host), 40);
  assert_true(eva_adaptive_may_begin(&host, now));
  host.is_slow_start = 0;
  for (int round = 0; round < 10; round++) play(&host, 4096, 2, SECOND, &now);
  assert_int_equal(eva_adaptive_limit(&host), 40); /* nor do they let it grow */
  assert_true(eva_adaptive_may_begin(&host, now));
}

static void failures_stop_growth_only(void **state) {
  (void)state;
  eva_adaptive host;
  eva_adaptive_start(&host);
  for (int round = 0; round < 10; round++) {
    uint32_t epochs[20];
    for (int index = 0; index < 20; index++) epochs[index] = eva_adaptive_begin(&host);
    for (int index = 0; index < 20; index++) eva_adaptive_end(&host, epochs[index], EVA_HOST_FAILED, 0, SECOND);
    assert_int_equal(eva_adaptive_limit(&host), EVA_ADAPTIVE_START);
  }
  assert_int_equal(host.in_flight, 0);
}

static void refusing_hosts_are_left_alone(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  for (int request = 0; request < 3; request++) { /* one at a time */
    assert_true(eva_adaptive_may_begin(&host, now));
    eva_adaptive_end(&host, eva_adaptive_begin(&host), EVA_HOST_REFUSED, 5 * SECOND, now);
  }
  assert_false(eva_adaptive_may_begin(&host, now));
  assert_false(eva_adaptive_may_begin(&host, now + 5 * SECOND - 1));
  assert_true(eva_adaptive_may_begin(&host, now + 5 * SECOND));
  eva_adaptive_start(&host);
  for (int request = 0; request < 3; request++) { /* for a day: two minutes, then it is asked again */
    eva_adaptive_end(&host, eva_adaptive_begin(&host), EVA_HOST_REFUSED, 86400 * SECOND, now);
  }
  assert_true(eva_adaptive_may_begin(&host, now + 120 * SECOND));
}

static void patience_ends(void **state) {
  (void)state;
  eva_adaptive host;
  uint64_t now = SECOND;
  eva_adaptive_start(&host);
  for (int closing = 0; closing < EVA_ADAPTIVE_PATIENCE; closing++) {
    assert_false(eva_adaptive_is_hopeless(&host));
    play(&host, 4096, 4096, SECOND, &now);
    assert_false(eva_adaptive_may_begin(&host, now));
    if (host.in_flight == 0 && eva_adaptive_limit(&host) == 1) play(&host, 4096, 4096, SECOND, &now);
    now += 2 * SECOND;
  }
  assert_true(eva_adaptive_is_hopeless(&host));
  eva_adaptive_end(&host, eva_adaptive_begin(&host), EVA_HOST_OK, 0, now);
  assert_false(eva_adaptive_is_hopeless(&host));
}

static void hosts_do_not_meet(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 30; slot++) ask_host(b, &b->a, slot, "http://one", 0);
  assert_int_equal(b->a.count, EVA_ADAPTIVE_START);
  for (uint32_t slot = 0; slot < 10; slot++) ask_host(b, &b->b, slot, "http://two", 0);
  assert_int_equal(b->b.count, 10);
  end_host(&b->a, 0, EVA_HOST_OK, 0);
  assert_int_equal(b->a.count, EVA_ADAPTIVE_START + 1);
}

static void retries_go_first(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < EVA_ADAPTIVE_START; slot++) ask_host(b, &b->a, slot, "http://one", 0);
  ask_host(b, &b->b, 0, "http://one", 0);
  ask_host(b, &b->b, 1, "http://one", EVA_HOST_IS_RETRY);
  ask_host(b, &b->b, 2, "http://one", EVA_HOST_IS_RETRY);
  ask_host(b, &b->b, 3, "http://one", 0);
  eva_desk_end(&b->b.desk, number_of(1, 1), EVA_TEXT_NONE); /* the first retry is given up */
  ask_host(b, &b->b, 4, "http://one", EVA_HOST_IS_RETRY);
  for (uint32_t slot = 0; slot < 4; slot++) end_host(&b->a, slot, EVA_HOST_OK, 0);
  const uint32_t order[] = {2, 4, 0, 3};
  for (int index = 0; index < 4; index++) assert_true(b->b.numbers[index] == number_of(order[index], 1));
}

static void closed_hosts_send_away(void **state) {
  bench *b = *state;
  for (uint32_t slot = 0; slot < 4; slot++) ask_host(b, &b->a, slot, "http://one", 0);
  for (uint32_t slot = 0; slot < 4; slot++) end_host(&b->a, slot, EVA_HOST_REFUSED, 300);
  ask_host(b, &b->b, 0, "http://one", EVA_HOST_CAN_COME_BACK);
  assert_int_equal(b->b.count, 1);
  assert_false(b->b.ok[0]);
  assert_true(atof(b->b.message) > 200 && atof(b->b.message) <= 302);
  ask_host(b, &b->b, 1, "http://one", 0); /* this one waits */
  run_for(b, 100);
  assert_int_equal(b->b.count, 1);
  uint64_t begin = eva_clock_monotonic_ns();
  while (b->b.count < 2) uv_run(&b->loop, UV_RUN_ONCE);
  assert_true(b->b.ok[1] && eva_clock_monotonic_ns() - begin < SECOND);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(unknown_service),        TEST(frames_are_checked),
      TEST(requests_are_checked),   TEST(semaphore_is_fifo),
      TEST(waiting_is_given_up),    TEST(death_gives_back),
      TEST(limits_have_names),      cmocka_unit_test(names_are_many),
      TEST(bucket_holds_requests),  cmocka_unit_test(bucket_keeps_the_minute),
      TEST(unused_tokens_go_back),  cmocka_unit_test(slow_start),
      TEST(hosts_do_not_meet),      cmocka_unit_test(only_what_is_used_grows),
      TEST(retries_go_first),       cmocka_unit_test(refusals_cut),
      TEST(closed_hosts_send_away), cmocka_unit_test(few_refusals_cut_nothing),
      cmocka_unit_test(failures_stop_growth_only), cmocka_unit_test(refusing_hosts_are_left_alone),
      cmocka_unit_test(patience_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
