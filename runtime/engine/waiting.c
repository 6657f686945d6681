/* Jobs that wait to be assigned again, the earliest first: a heap by the moment they are due, and a timer for it. */
#include "engine/coordinator_private.h"

#include "base/clock.h"
#include "engine/timer.h"

static void swap(assignment *a, assignment *b) {
  assignment kept = *a;
  *a = *b;
  *b = kept;
}

static void sift_up(assignment_list *heap, int place) {
  while (place > 0) {
    int above = (place - 1) / 2;
    if (heap->all[above].due_ns <= heap->all[place].due_ns) return;
    swap(&heap->all[above], &heap->all[place]);
    place = above;
  }
}

static void sift_down(assignment_list *heap, int place) {
  for (;;) {
    int least = place;
    for (int below = 2 * place + 1; below <= 2 * place + 2 && below < heap->count; below++) {
      if (heap->all[below].due_ns < heap->all[least].due_ns) least = below;
    }
    if (least == place) return;
    swap(&heap->all[least], &heap->all[place]);
    place = least;
  }
}

void waiting_add(coordinator *c, assignment job) {
  if (job.is_alone || job.interrupted_by >= EVA_RERUNS_MAX) { /* it waits for a worker of its own */
    assignment_add(&c->lonely, job);
    return;
  }
  assignment_add(&c->waiting, job);
  sift_up(&c->waiting, c->waiting.count - 1);
}

int waiting_is_due(const coordinator *c, uint64_t now_ns) {
  return c->waiting.count > 0 && c->waiting.all[0].due_ns <= now_ns;
}

assignment waiting_take(coordinator *c) {
  assignment first = c->waiting.all[0];
  assignment_remove(&c->waiting, 0);
  sift_down(&c->waiting, 0);
  return first;
}

int waiting_count(const coordinator *c) { return c->waiting.count + c->lonely.count; }

static void on_due(uv_timer_t *timer) { (void)timer; } /* the loop takes its turn */

void waiting_arm(coordinator *c) {
  uint64_t now = eva_clock_monotonic_ns();
  if (c->waiting.count == 0 || c->waiting.all[0].due_ns <= now) { /* what is due waits for a worker, not for time */
    uv_timer_stop(&c->due);
    c->due_ns = 0;
    return;
  }
  if (c->due_ns == c->waiting.all[0].due_ns) return;
  c->due_ns = c->waiting.all[0].due_ns;
  eva_timer_wake_at(&c->due, on_due, c->due_ns);
}
