/* Permits for requests by host and key; see hosts.h. */
#include "engine/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/names.h"
#include "engine/timer.h"

enum { COME_BACK_MS_MIN = 10 };

typedef struct host host;

/* What one client holds of a host; it goes with the last permit. */
typedef struct share {
  struct share *next;
  eva_desk_client *client;
  uint32_t held;
  int may_pass_on; /* as the client was told last */
} share;

/* Who waits for a permit or holds one: slip->held. */
typedef struct visit {
  host *of;
  eva_slip *slip;
  struct visit *previous, *next; /* while it waits */
  int is_retry;
  share *share; /* while it holds one */
  uint32_t epoch;
  uint64_t begun_ns;
} visit;

struct host {
  eva_hosts *hosts;
  host *next;
  eva_adaptive adaptive;
  visit *first, *last, *last_retry; /* retries are in front */
  share *shares;
  uint32_t waiting;
  double mean_ns;         /* of a request that was answered, smoothed */
  uint64_t come_back_ns;  /* when the last one who was sent away shall come back */
  int is_granting;
  size_t name_len;
  char name[];
};

struct eva_hosts {
  eva_names names;
  host *all;
  uv_timer_t *timer; /* for the first host with waiters that opens again */
  uint64_t timer_ns;
  eva_desk_service service;
};

/* ==== Those who wait ==== */

static void link_visit(visit *made) {
  host *of = made->of;
  visit *before = made->is_retry ? of->last_retry : of->last;
  made->previous = before;
  made->next = before ? before->next : of->first;
  if (made->previous) made->previous->next = made;
  else of->first = made;
  if (made->next) made->next->previous = made;
  else of->last = made;
  if (made->is_retry) of->last_retry = made;
  of->waiting++;
}

static void unlink_visit(visit *gone) {
  host *of = gone->of;
  if (of->last_retry == gone) of->last_retry = gone->previous; /* in front of a retry are only retries */
  if (gone->previous) gone->previous->next = gone->next;
  else of->first = gone->next;
  if (gone->next) gone->next->previous = gone->previous;
  else of->last = gone->previous;
  gone->previous = gone->next = NULL;
  of->waiting--;
}

/* ==== Passing on ==== */

static share *share_of(host *of, eva_desk_client *client) {
  for (share *known = of->shares; known; known = known->next) {
    if (known->client == client) return known;
  }
  share *made = eva_alloc_zeroed(1, sizeof *made);
  made->client = client;
  made->next = of->shares;
  of->shares = made;
  return made;
}

static void share_leave(host *of, share *left) {
  if (--left->held > 0) return;
  share **at = &of->shares;
  while (*at != left) at = &(*at)->next;
  *at = left->next;
  free(left);
}

/* Whether whoever asks next would get a permit that is given back now: then it may as well be passed on. */
static int is_calm(const host *of, uint64_t now_ns) {
  const eva_adaptive *adaptive = &of->adaptive;
  return !of->first && adaptive->in_flight <= eva_adaptive_limit(adaptive) && !eva_adaptive_is_hopeless(adaptive) &&
         now_ns >= adaptive->closed_until_ns;
}

/* Tells those who may pass on that they have to ask again. */
static void stop_passing(host *of) {
  for (share *told = of->shares; told; told = told->next) {
    if (!told->may_pass_on) continue;
    told->may_pass_on = 0;
    told->client->tell(told->client, EVA_TEXT_LITERAL("hosts"), (eva_text){of->name, of->name_len});
  }
}

static void on_timer(uv_timer_t *timer);

static void wake_at(eva_hosts *hosts, uint64_t when_ns) {
  if (uv_is_active((uv_handle_t *)hosts->timer) && hosts->timer_ns <= when_ns) return;
  hosts->timer_ns = when_ns;
  eva_timer_wake_at(hosts->timer, on_timer, when_ns);
}

/* A grant may give something back at once: this goes on with it. */
static void grant(host *of, uint64_t now_ns) {
  if (of->is_granting) return;
  of->is_granting = 1;
  while (of->first && eva_adaptive_may_begin(&of->adaptive, now_ns)) {
    visit *next = of->first;
    unlink_visit(next);
    next->epoch = eva_adaptive_begin(&of->adaptive);
    next->begun_ns = now_ns;
    next->share = share_of(of, next->slip->client);
    next->share->held++;
    next->share->may_pass_on = next->slip->client->tell && is_calm(of, now_ns);
    eva_slip_grant(next->slip, next->share->may_pass_on ? EVA_HOST_PASS_ON : EVA_TEXT_LITERAL(""));
  }
  of->is_granting = 0;
  if (!is_calm(of, now_ns)) stop_passing(of);
  if (of->first && of->adaptive.closed_until_ns > now_ns) wake_at(of->hosts, of->adaptive.closed_until_ns);
}

static void on_timer(uv_timer_t *timer) {
  eva_hosts *hosts = timer->data;
  uint64_t now = eva_clock_monotonic_ns();
  for (host *of = hosts->all; of; of = of->next) grant(of, now);
}

/* How long who can come back shall stay away; 0: it waits here. Where a host takes fewer than come, one round of them waits
 * here and the others come back one after the other, as fast as requests end. */
static uint64_t stay_away_ns(host *of, uint64_t now_ns) {
  const eva_adaptive *adaptive = &of->adaptive;
  uint64_t least = (uint64_t)COME_BACK_MS_MIN * 1000000;
  if (adaptive->closed_until_ns > now_ns + least) return adaptive->closed_until_ns - now_ns;
  if (adaptive->is_slow_start || eva_adaptive_is_hopeless(adaptive) || of->waiting < eva_adaptive_limit(adaptive)) return 0;
  if (of->come_back_ns < now_ns + (uint64_t)of->mean_ns) of->come_back_ns = now_ns + (uint64_t)of->mean_ns;
  of->come_back_ns += (uint64_t)(of->mean_ns / adaptive->limit);
  return of->come_back_ns - now_ns > least ? of->come_back_ns - now_ns : least;
}

/* ==== The service ==== */

void eva_hosts_put_request(eva_buf *out, eva_text name, uint8_t flags) {
  eva_put_text(out, name);
  eva_put_u8(out, flags);
}

void eva_hosts_put_outcome(eva_buf *out, eva_host_answer answer, double wait_ms) {
  eva_put_u8(out, (uint8_t)answer);
  eva_put_f64(out, wait_ms);
}

eva_text eva_hosts_good_outcome(void) {
  static const char bytes[1 + sizeof(double)] = {EVA_HOST_OK};
  return (eva_text){bytes, sizeof bytes};
}

static host *host_of(eva_hosts *hosts, eva_text name) {
  void **place = eva_names_place(&hosts->names, name);
  if (*place) return *place;
  host *made = eva_alloc_zeroed(1, sizeof *made + name.len);
  memcpy(made->name, name.data, name.len);
  made->name_len = name.len;
  made->hosts = hosts;
  made->next = hosts->all;
  hosts->all = made;
  eva_adaptive_start(&made->adaptive);
  *place = made;
  return made;
}

static void on_ask(void *context, eva_slip *slip, eva_text request) {
  eva_cursor cursor = {request.data, request.data + request.len, 0};
  eva_text name = eva_get_text(&cursor);
  uint8_t flags = eva_get_u8(&cursor);
  uint64_t now = eva_clock_monotonic_ns();
  if (cursor.bad || !name.data) {
    eva_slip_fail(slip, "argument", "not a request for a host");
    return;
  }
  host *of = host_of(context, name);
  uint64_t away = flags & EVA_HOST_CAN_COME_BACK ? stay_away_ns(of, now) : 0;
  if (away) {
    char text[32];
    snprintf(text, sizeof text, "%.0f", (double)away / 1e6 + 1);
    eva_slip_fail(slip, eva_adaptive_is_hopeless(&of->adaptive) ? "refused" : "later", text);
    return;
  }
  visit *made = eva_alloc_zeroed(1, sizeof *made);
  made->of = of;
  made->slip = slip;
  made->is_retry = flags & EVA_HOST_IS_RETRY;
  slip->held = made;
  link_visit(made);
  grant(of, now);
}

/* The request of a permit has ended. */
static void end_request(visit *ended, eva_text outcome, uint64_t now) {
  host *of = ended->of;
  eva_cursor cursor = {outcome.data, outcome.data + outcome.len, 0};
  eva_host_answer answer = outcome.data ? (eva_host_answer)eva_get_u8(&cursor) : EVA_HOST_NEUTRAL;
  double wait_ms = outcome.data ? eva_get_f64(&cursor) : 0;
  if (cursor.bad || answer > EVA_HOST_FAILED) answer = EVA_HOST_NEUTRAL;
  if (!(wait_ms > 0)) wait_ms = 0;
  if (wait_ms > EVA_ADAPTIVE_CLOSED_MS_MAX) wait_ms = EVA_ADAPTIVE_CLOSED_MS_MAX;
  if (answer == EVA_HOST_OK) {
    double took = (double)(now - ended->begun_ns);
    of->mean_ns = of->mean_ns > 0 ? 0.9 * of->mean_ns + 0.1 * took : took;
  }
  eva_adaptive_end(&of->adaptive, ended->epoch, answer, (uint64_t)(wait_ms * 1e6), now);
}

/* It was passed on: the next request has begun with it, even where nobody would get one by now, as the word that stops
 * that is on its way. */
static void on_note(void *context, eva_slip *slip, eva_text outcome) {
  visit *passed = slip->held;
  host *of = passed->of;
  uint64_t now = eva_clock_monotonic_ns();
  (void)context;
  end_request(passed, outcome, now);
  passed->epoch = eva_adaptive_begin(&of->adaptive);
  passed->begun_ns = now;
  grant(of, now);
}

static void on_close(void *context, eva_slip *slip, eva_text outcome) {
  visit *closed = slip->held;
  host *of = closed->of;
  uint64_t now = eva_clock_monotonic_ns();
  (void)context;
  if (slip->is_granted) {
    end_request(closed, outcome, now);
    share_leave(of, closed->share);
  } else {
    unlink_visit(closed);
  }
  free(closed);
  grant(of, now);
}

eva_hosts *eva_hosts_open(uv_loop_t *loop, eva_desk *desk) {
  eva_hosts *hosts = eva_alloc_zeroed(1, sizeof *hosts);
  hosts->timer = eva_timer_open(loop, hosts);
  hosts->service = (eva_desk_service){.name = "hosts", .context = hosts, .ask = on_ask, .close = on_close,
                                      .note = on_note};
  eva_desk_serve(desk, &hosts->service);
  return hosts;
}

void eva_hosts_close(eva_hosts *hosts) {
  if (!hosts) return;
  while (hosts->all) {
    host *of = hosts->all;
    hosts->all = of->next;
    free(of);
  }
  eva_names_free(&hosts->names);
  eva_timer_close(hosts->timer);
  free(hosts);
}
