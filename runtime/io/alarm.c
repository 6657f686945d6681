/* A binary heap of moments and the timerfd that is armed for the earliest; see alarm.h. */
#include "io/alarm.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

struct eva_alarms {
  uv_poll_t poll;
  int timer;        /* the timerfd */
  uint64_t armed_ns; /* what it is set to; 0: off */
  int is_ringing;   /* it is armed again when all that are due have rung */
  eva_alarm **heap; /* [1..count]; the earliest is at 1 */
  size_t count, cap;
};

static void put(eva_alarms *alarms, size_t place, eva_alarm *alarm) {
  alarms->heap[place] = alarm;
  alarm->place = place;
}

static void rise(eva_alarms *alarms, size_t place, eva_alarm *alarm) {
  while (place > 1 && alarms->heap[place / 2]->until_ns > alarm->until_ns) {
    put(alarms, place, alarms->heap[place / 2]);
    place /= 2;
  }
  put(alarms, place, alarm);
}

static void sink(eva_alarms *alarms, size_t place, eva_alarm *alarm) {
  for (size_t child; (child = place * 2) <= alarms->count; place = child) {
    if (child < alarms->count && alarms->heap[child + 1]->until_ns < alarms->heap[child]->until_ns) child++;
    if (alarms->heap[child]->until_ns >= alarm->until_ns) break;
    put(alarms, place, alarms->heap[child]);
  }
  put(alarms, place, alarm);
}

static void take(eva_alarms *alarms, eva_alarm *alarm) {
  size_t place = alarm->place;
  eva_alarm *last = alarms->heap[alarms->count--];
  alarm->place = 0;
  if (last == alarm) return;
  if (place > 1 && alarms->heap[place / 2]->until_ns > last->until_ns) rise(alarms, place, last);
  else sink(alarms, place, last);
}

static void rang(uv_poll_t *poll, int status, int events);

/* Sets the timer to the earliest alarm; a loop without any is not kept alive. */
static void arm(eva_alarms *alarms) {
  uint64_t wanted = alarms->count ? alarms->heap[1]->until_ns : 0;
  if (alarms->is_ringing) return;
  if (wanted) {
    if (!uv_is_active((uv_handle_t *)&alarms->poll)) uv_poll_start(&alarms->poll, UV_READABLE, rang);
  } else {
    uv_poll_stop(&alarms->poll);
  }
  /* A timer that is set too early only wakes once for nothing, which is cheaper than setting it each time. */
  if (!wanted || (alarms->armed_ns && alarms->armed_ns <= wanted)) return;
  struct itimerspec at = {.it_value = {.tv_sec = (time_t)(wanted / 1000000000), .tv_nsec = (long)(wanted % 1000000000)}};
  timerfd_settime(alarms->timer, TFD_TIMER_ABSTIME, &at, NULL);
  alarms->armed_ns = wanted;
}

static void rang(uv_poll_t *poll, int status, int events) {
  eva_alarms *alarms = poll->data;
  uint64_t expirations, now = eva_clock_monotonic_ns();
  (void)status;
  (void)events;
  if (read(alarms->timer, &expirations, sizeof expirations) == (ssize_t)sizeof expirations) alarms->armed_ns = 0;
  alarms->is_ringing = 1;
  while (alarms->count && alarms->heap[1]->until_ns <= now) { /* those that are set from here on are later than now */
    eva_alarm *alarm = alarms->heap[1];
    take(alarms, alarm);
    alarm->ring(alarm);
  }
  alarms->is_ringing = 0;
  arm(alarms);
}

eva_alarms *eva_alarms_open(uv_loop_t *loop) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) return NULL;
  eva_alarms *alarms = eva_alloc_zeroed(1, sizeof *alarms);
  alarms->timer = timer;
  if (uv_poll_init(loop, &alarms->poll, timer) != 0) {
    close(timer);
    free(alarms);
    return NULL;
  }
  alarms->poll.data = alarms;
  return alarms;
}

static void closed(uv_handle_t *handle) { free(handle->data); }

void eva_alarms_close(eva_alarms *alarms) {
  if (!alarms) return;
  for (size_t place = 1; place <= alarms->count; place++) alarms->heap[place]->place = 0;
  free(alarms->heap);
  alarms->heap = NULL;
  alarms->count = alarms->cap = 0;
  uv_poll_stop(&alarms->poll);
  close(alarms->timer);
  uv_close((uv_handle_t *)&alarms->poll, closed);
}

void eva_alarms_forget(eva_alarms *alarms) {
  if (!alarms) return;
  free(alarms->heap);
  free(alarms);
}

void eva_alarm_set(eva_alarms *alarms, eva_alarm *alarm) {
  if (alarms->count + 2 > alarms->cap) {
    alarms->cap = alarms->cap ? alarms->cap * 2 : 64;
    alarms->heap = eva_realloc(alarms->heap, alarms->cap * sizeof *alarms->heap);
  }
  alarms->count++;
  rise(alarms, alarms->count, alarm);
  arm(alarms);
}

void eva_alarm_stop(eva_alarms *alarms, eva_alarm *alarm) {
  if (!alarm->place) return;
  take(alarms, alarm);
  arm(alarms);
}
