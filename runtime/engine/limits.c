/* Semaphores and token buckets by name; see limits.h. */
#include "engine/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/names.h"
#include "engine/timer.h"

typedef struct limit limit;

/* Who waits for a permit or holds one: slip->held. */
typedef struct ticket {
  limit *of;
  eva_slip *slip;
  struct ticket *previous, *next; /* while it waits */
} ticket;

struct limit {
  eva_limits *limits;
  limit *next;
  uint32_t max; /* 0: no bound */
  uint32_t held;
  eva_bucket bucket; /* per_minute 0: no bound */
  ticket *first, *last;
  int is_granting;
};

struct eva_limits {
  eva_names names;
  limit *all;
  uv_timer_t *timer; /* for the bucket that fills next */
  eva_desk_service service;
};

/* ==== The bucket ==== */

static double burst_of(const eva_bucket *bucket) { return bucket->per_minute < 120 ? 1 : bucket->per_minute / 60; }

/* Tokens a nanosecond: with the burst at its start, no minute has more than per_minute. */
static double rate_of(const eva_bucket *bucket) { return (bucket->per_minute - burst_of(bucket) + 1) / 60e9; }

static double filled_to(const eva_bucket *bucket, uint64_t now_ns) {
  double tokens = bucket->tokens + (double)(now_ns - bucket->filled_ns) * rate_of(bucket);
  return tokens < burst_of(bucket) ? tokens : burst_of(bucket);
}

void eva_bucket_set(eva_bucket *bucket, double per_minute, uint64_t now_ns) {
  if (bucket->per_minute == per_minute) return;
  double tokens = bucket->per_minute > 0 ? filled_to(bucket, now_ns) : per_minute;
  bucket->per_minute = per_minute;
  bucket->tokens = tokens;
  bucket->filled_ns = now_ns;
  if (per_minute > 0) bucket->tokens = filled_to(bucket, now_ns);
}

static const double WHOLE = 1 - 1e-9; /* sums of fractions may miss 1 by a hair */

int eva_bucket_take(eva_bucket *bucket, uint64_t now_ns) {
  bucket->tokens = filled_to(bucket, now_ns);
  bucket->filled_ns = now_ns;
  if (bucket->tokens < WHOLE) return 0;
  bucket->tokens -= 1;
  return 1;
}

void eva_bucket_put_back(eva_bucket *bucket, uint64_t now_ns) {
  bucket->tokens = filled_to(bucket, now_ns) + 1;
  bucket->filled_ns = now_ns;
}

uint64_t eva_bucket_next_ns(const eva_bucket *bucket, uint64_t now_ns) {
  double missing = 1 - filled_to(bucket, now_ns);
  return missing <= 0 ? now_ns : now_ns + (uint64_t)(missing / rate_of(bucket)) + 1;
}

/* ==== Granting ==== */

static void unlink_ticket(ticket *waiting) {
  limit *of = waiting->of;
  if (waiting->previous) waiting->previous->next = waiting->next;
  else of->first = waiting->next;
  if (waiting->next) waiting->next->previous = waiting->previous;
  else of->last = waiting->previous;
  waiting->previous = waiting->next = NULL;
}

static int has_room(const limit *of) { return of->max == 0 || of->held < of->max; }

/* To those who wait, as many as may go. A grant may give something back at once: this goes on with it. */
static void grant(limit *of, uint64_t now_ns) {
  if (of->is_granting) return;
  of->is_granting = 1;
  while (of->first && has_room(of)) {
    if (of->bucket.per_minute > 0 && !eva_bucket_take(&of->bucket, now_ns)) break;
    ticket *next = of->first;
    unlink_ticket(next);
    of->held++;
    eva_slip_grant(next->slip, EVA_TEXT_LITERAL(""));
  }
  of->is_granting = 0;
}

static void on_timer(uv_timer_t *timer);

/* Wakes for the next token that somebody waits for. */
static void set_timer(eva_limits *limits) {
  uint64_t now = eva_clock_monotonic_ns(), due = UINT64_MAX;
  for (const limit *of = limits->all; of; of = of->next) {
    if (!of->first || !has_room(of) || of->bucket.per_minute <= 0) continue;
    uint64_t next = eva_bucket_next_ns(&of->bucket, now);
    if (next < due) due = next;
  }
  if (due == UINT64_MAX) {
    uv_timer_stop(limits->timer);
    return;
  }
  eva_timer_wake_at(limits->timer, on_timer, due);
}

static void on_timer(uv_timer_t *timer) {
  eva_limits *limits = timer->data;
  uint64_t now = eva_clock_monotonic_ns();
  for (limit *of = limits->all; of; of = of->next) grant(of, now);
  set_timer(limits);
}

static void grant_and_wait(limit *of) {
  grant(of, eva_clock_monotonic_ns());
  if (of->bucket.per_minute > 0) set_timer(of->limits);
}

/* ==== The service ==== */

void eva_limits_put_request(eva_buf *out, eva_text name, uint32_t max_concurrency, double per_minute) {
  eva_put_text(out, name);
  eva_put_u32(out, max_concurrency);
  eva_put_f64(out, per_minute);
}

static limit *limit_of(eva_limits *limits, eva_text name) {
  void **place = eva_names_place(&limits->names, name);
  if (*place) return *place;
  limit *made = eva_alloc_zeroed(1, sizeof *made);
  made->limits = limits;
  made->next = limits->all;
  limits->all = made;
  *place = made;
  return made;
}

static void on_ask(void *context, eva_slip *slip, eva_text request) {
  eva_cursor cursor = {request.data, request.data + request.len, 0};
  eva_text name = eva_get_text(&cursor);
  uint32_t max = eva_get_u32(&cursor);
  double per_minute = eva_get_f64(&cursor);
  if (cursor.bad || !name.data || !(per_minute >= 0)) {
    eva_slip_fail(slip, "argument", "not a request for a limit");
    return;
  }
  limit *of = limit_of(context, name);
  ticket *made = eva_alloc_zeroed(1, sizeof *made);
  of->max = max;
  eva_bucket_set(&of->bucket, per_minute, eva_clock_monotonic_ns());
  made->of = of;
  made->slip = slip;
  made->previous = of->last;
  if (of->last) of->last->next = made;
  else of->first = made;
  of->last = made;
  slip->held = made;
  grant_and_wait(of);
}

static void on_close(void *context, eva_slip *slip, eva_text outcome) {
  ticket *closed = slip->held;
  limit *of = closed->of;
  (void)context;
  if (slip->is_granted) of->held--;
  else unlink_ticket(closed);
  if (slip->is_granted && outcome.data && of->bucket.per_minute > 0) {
    eva_bucket_put_back(&of->bucket, eva_clock_monotonic_ns());
  }
  free(closed);
  grant_and_wait(of);
}

eva_limits *eva_limits_open(uv_loop_t *loop, eva_desk *desk) {
  eva_limits *limits = eva_alloc_zeroed(1, sizeof *limits);
  limits->timer = eva_timer_open(loop, limits);
  limits->service = (eva_desk_service){.name = "limits", .context = limits, .ask = on_ask, .close = on_close};
  eva_desk_serve(desk, &limits->service);
  return limits;
}

void eva_limits_close(eva_limits *limits) {
  if (!limits) return;
  while (limits->all) {
    limit *of = limits->all;
    limits->all = of->next;
    free(of);
  }
  eva_names_free(&limits->names);
  eva_timer_close(limits->timer);
  free(limits);
}
