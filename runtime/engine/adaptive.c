/* Additive increase, multiplicative decrease, by rounds; see adaptive.h. */
#include "engine/adaptive.h"

#include <string.h>

static const double REFUSED_CUT = 0.1;   /* a larger part of a round cuts */
static const double USED_ENOUGH = 0.8;   /* of the limit, for a round that may raise it */
static const double STEP = 0.05;         /* of the limit, once slow start is over */
static const double LIMIT_MAX = 1e6;
static const double REFUSED_CLOSE = 0.5; /* a larger part of the recent ones closes */

void eva_adaptive_start(eva_adaptive *host) {
  memset(host, 0, sizeof *host);
  host->limit = EVA_ADAPTIVE_START;
  host->is_slow_start = 1;
}

uint32_t eva_adaptive_limit(const eva_adaptive *host) { return host->limit < 1 ? 1 : (uint32_t)host->limit; }

int eva_adaptive_is_hopeless(const eva_adaptive *host) { return host->closings >= EVA_ADAPTIVE_PATIENCE; }

int eva_adaptive_may_begin(const eva_adaptive *host, uint64_t now_ns) {
  int is_room = host->in_flight < eva_adaptive_limit(host) || eva_adaptive_is_hopeless(host);
  return is_room && now_ns >= host->closed_until_ns;
}

uint32_t eva_adaptive_begin(eva_adaptive *host) {
  host->in_flight++;
  if (host->in_flight > host->round.peak) host->round.peak = host->in_flight;
  double recent = host->in_flight > EVA_ADAPTIVE_RECENT_MIN ? host->in_flight : EVA_ADAPTIVE_RECENT_MIN;
  host->recent_begun = host->recent_begun * (1 - 1 / recent) + 1;
  host->recent_refused *= 1 - 1 / recent;
  return host->epoch;
}

static void new_round(eva_adaptive *host) {
  memset(&host->round, 0, sizeof host->round);
  host->round.peak = host->in_flight;
}

static double round_size(const eva_adaptive *host) {
  return host->limit > EVA_ADAPTIVE_ROUND_MIN ? host->limit : EVA_ADAPTIVE_ROUND_MIN;
}

static void cut(eva_adaptive *host, uint64_t wait_ns, uint64_t now_ns) {
  uint64_t cooldown_ns = (uint64_t)EVA_ADAPTIVE_COOLDOWN_MS * 1000000;
  double used = host->round.peak < host->limit ? host->round.peak : host->limit;
  double part = (double)host->round.refused / host->round.answers;
  host->limit = used * (1 - part / 2);
  if (host->limit < 1) host->limit = 1;
  host->is_slow_start = 0;
  host->epoch++;
  host->cooldown_until_ns = now_ns + (wait_ns > cooldown_ns ? wait_ns : cooldown_ns);
  new_round(host);
}

static void grow(eva_adaptive *host) {
  double step = host->limit * STEP;
  if (host->is_slow_start) host->limit *= 2;
  else host->limit += step > 1 ? step : 1;
  if (host->limit > LIMIT_MAX) host->limit = LIMIT_MAX;
}

static void end_round(eva_adaptive *host) {
  int is_used = host->round.peak >= USED_ENOUGH * eva_adaptive_limit(host);
  int is_clean = host->round.failed == 0 && (host->round.refused == 0 || host->is_slow_start);
  if (is_used && is_clean) grow(host);
  new_round(host);
}

/* While it is closed, refusals of what was under way only say how long. */
static void refuse(eva_adaptive *host, uint64_t wait_ns, uint64_t now_ns) {
  host->recent_refused += 1;
  int is_closed = now_ns < host->closed_until_ns;
  int is_closing = host->recent_refused >= 2 && host->recent_refused > REFUSED_CLOSE * host->recent_begun;
  if (wait_ns == 0 || (!is_closed && !is_closing)) return;
  if (now_ns + wait_ns > host->closed_until_ns) host->closed_until_ns = now_ns + wait_ns;
  host->recent_begun = host->recent_refused = 0;
  host->closings += !is_closed;
}

void eva_adaptive_end(eva_adaptive *host, uint32_t epoch, eva_host_answer answer, uint64_t wait_ns, uint64_t now_ns) {
  const uint64_t wait_max_ns = (uint64_t)EVA_ADAPTIVE_CLOSED_MS_MAX * 1000000;
  if (wait_ns > wait_max_ns) wait_ns = wait_max_ns;
  host->in_flight--;
  if (answer == EVA_HOST_NEUTRAL) return;
  if (answer == EVA_HOST_OK) host->closings = 0;
  if (answer == EVA_HOST_REFUSED) refuse(host, wait_ns, now_ns);
  if (epoch != host->epoch || now_ns < host->cooldown_until_ns) return;
  host->round.answers++;
  host->round.refused += answer == EVA_HOST_REFUSED;
  host->round.failed += answer == EVA_HOST_FAILED;
  if (host->round.refused > REFUSED_CUT * round_size(host)) cut(host, wait_ns, now_ns);
  else if (host->round.answers >= round_size(host)) end_round(host);
}
