/* Alarms ring in order, never early, once; setting and stopping inside a ring works; an empty heap lets the loop end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/alarm.h"

enum { MANY = 5000, MS = 1000000 };

typedef struct bell {
  eva_alarm alarm; /* first: a bell is found by its alarm */
  int rings;
  struct bell *stops; /* when it rings, this one is stopped */
  struct bell *sets;  /* and this one set to 1 ms later */
} bell;

static eva_alarms *alarms;
static uint64_t last_until;
static int early, unordered;

static void ring(eva_alarm *alarm) {
  bell *rung = (bell *)alarm;
  rung->rings++;
  if (eva_clock_monotonic_ns() < alarm->until_ns) early++;
  if (alarm->until_ns < last_until) unordered++;
  last_until = alarm->until_ns;
  if (rung->stops) eva_alarm_stop(alarms, &rung->stops->alarm);
  if (rung->sets) {
    rung->sets->alarm.until_ns = eva_clock_monotonic_ns() + MS;
    eva_alarm_set(alarms, &rung->sets->alarm);
  }
}

static void in_loop(void (*test)(uv_loop_t *loop)) {
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  alarms = eva_alarms_open(&loop);
  assert_non_null(alarms);
  last_until = 0;
  early = unordered = 0;
  test(&loop);
  eva_alarms_close(alarms);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(early, 0);
  assert_int_equal(unordered, 0);
}

static void many(uv_loop_t *loop) {
  bell *bells = calloc(MANY, sizeof *bells);
  uint64_t now = eva_clock_monotonic_ns(), random = 42;
  for (int i = 0; i < MANY; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    bells[i].alarm = (eva_alarm){.until_ns = now + (random >> 33) % (20 * MS), .ring = ring};
    eva_alarm_set(alarms, &bells[i].alarm);
  }
  for (int i = 0; i < MANY; i += 3) eva_alarm_stop(alarms, &bells[i].alarm);
  for (int i = 0; i < MANY; i += 3) eva_alarm_stop(alarms, &bells[i].alarm); /* twice is once */
  uv_run(loop, UV_RUN_DEFAULT); /* ends by itself: nothing is set any more */
  for (int i = 0; i < MANY; i++) assert_int_equal(bells[i].rings, i % 3 ? 1 : 0);
  free(bells);
}

static void many_ring_once_in_order(void **state) {
  (void)state;
  in_loop(many);
}

static void inside(uv_loop_t *loop) {
  uint64_t now = eva_clock_monotonic_ns();
  bell stopped = {.alarm = {.until_ns = now + 1 * MS, .ring = ring}};
  bell later = {.alarm = {.ring = ring}};
  bell first = {.alarm = {.until_ns = now, .ring = ring}, .stops = &stopped, .sets = &later};
  eva_alarm_set(alarms, &stopped.alarm);
  eva_alarm_set(alarms, &first.alarm);
  uv_run(loop, UV_RUN_DEFAULT);
  assert_int_equal(first.rings, 1);
  assert_int_equal(stopped.rings, 0);
  assert_int_equal(later.rings, 1);
  /* The timer was last armed for what is past; a new alarm still waits its time. */
  first.stops = first.sets = NULL;
  first.alarm.until_ns = eva_clock_monotonic_ns() + 2 * MS;
  eva_alarm_set(alarms, &first.alarm);
  uv_run(loop, UV_RUN_DEFAULT);
  assert_int_equal(first.rings, 2);
}

static void rings_set_and_stop_others(void **state) {
  (void)state;
  in_loop(inside);
}

static void left(uv_loop_t *loop) {
  static bell never;
  (void)loop;
  never = (bell){.alarm = {.until_ns = eva_clock_monotonic_ns() + 3600000ull * MS, .ring = ring}};
  eva_alarm_set(alarms, &never.alarm);
}

static void closing_forgets_what_is_set(void **state) {
  (void)state;
  in_loop(left);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(many_ring_once_in_order),
      cmocka_unit_test(rings_set_and_stop_others),
      cmocka_unit_test(closing_forgets_what_is_set),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
