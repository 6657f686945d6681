/* Timers of services that wake at a moment of the monotonic clock. One lives on the heap: the loop may let go of it only
 * after its owner is gone. */
#ifndef EVA_ENGINE_TIMER_H
#define EVA_ENGINE_TIMER_H

#include <stdint.h>
#include <uv.h>

/* timer->data is `data`. */
uv_timer_t *eva_timer_open(uv_loop_t *loop, void *data);
/* It is freed when the loop has let go of it. */
void eva_timer_close(uv_timer_t *timer);

/* Calls once, at `when_ns` of eva_clock_monotonic_ns or up to 1 ms later, never earlier; in the loop's next turn if that
 * is past. Any timer of the loop will do. */
void eva_timer_wake_at(uv_timer_t *timer, uv_timer_cb call, uint64_t when_ns);

#endif
