/* Moments to wake at, to the nanosecond: a heap of deadlines behind one timerfd on a loop. The timers of libuv count
 * whole milliseconds, which costs a round of short waits one millisecond each. */
#ifndef EVA_IO_ALARM_H
#define EVA_IO_ALARM_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct eva_alarm eva_alarm;
typedef struct eva_alarms eva_alarms;

/* Lives in the struct of who waits; must not move or be freed while it is set. */
struct eva_alarm {
  uint64_t until_ns; /* monotonic */
  size_t place;      /* in the heap, from 1; 0: not set */
  void (*ring)(eva_alarm *alarm);
};

/* The alarms of a loop. Returns NULL when the process is out of descriptors. */
eva_alarms *eva_alarms_open(uv_loop_t *loop);
/* Forgets all alarms. The memory goes when the loop has run its close callbacks. */
void eva_alarms_close(eva_alarms *alarms);
/* In a forked child, whose descriptors are closed already: frees the memory and leaves the parent's loop alone. */
void eva_alarms_forget(eva_alarms *alarms);

/* Calls alarm->ring from the loop once until_ns has passed, never before. `until_ns` and `ring` are filled by the caller;
 * the alarm is no longer set when it rings. Alarms keep the loop alive. */
void eva_alarm_set(eva_alarms *alarms, eva_alarm *alarm);
/* It does not ring any more. Nothing happens when it is not set. */
void eva_alarm_stop(eva_alarms *alarms, eva_alarm *alarm);

#endif
