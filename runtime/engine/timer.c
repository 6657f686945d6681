/* Timers that wake at a moment of the monotonic clock; see timer.h. */
#include "engine/timer.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"

uv_timer_t *eva_timer_open(uv_loop_t *loop, void *data) {
  uv_timer_t *timer = eva_alloc(sizeof *timer);
  uv_timer_init(loop, timer);
  timer->data = data;
  return timer;
}

static void free_timer(uv_handle_t *handle) { free(handle); }

void eva_timer_close(uv_timer_t *timer) { uv_close((uv_handle_t *)timer, free_timer); }

void eva_timer_wake_at(uv_timer_t *timer, uv_timer_cb call, uint64_t when_ns) {
  uint64_t now_ns = eva_clock_monotonic_ns();
  uv_update_time(timer->loop);
  uv_timer_start(timer, call, when_ns > now_ns ? (when_ns - now_ns + 999999) / 1000000 : 0, 0);
}
