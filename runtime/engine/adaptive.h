/* How many requests a host takes at a time, learnt from its answers. Arithmetic only: time is an argument.
 *
 * It starts at EVA_ADAPTIVE_START and is judged by rounds: as many answers as the limit, at least EVA_ADAPTIVE_ROUND_MIN. A
 * round without a refusal (429) in which the limit was really used doubles it, until the first cut; later it adds 5%. More
 * than a tenth refused cuts it by half of the part that was refused. Few refusals change nothing, but for slow start,
 * which goes on: a host that refuses one in twenty, whatever we do, is not made faster by fewer requests. After a cut the
 * answers to older requests and those of the cooldown count for nothing. Other failures stop growth and never cut.
 *
 * A host that refuses more than half of the last requests (about as many as are under way, at least 4) and says how long
 * to wait is left alone until then. Requests count from their beginning, as refusals come faster than answers. One that
 * has to be left alone EVA_ADAPTIVE_PATIENCE times without a good answer between is hopeless: its limit says nothing any
 * more, and waiting for it counts as being refused. The first good answer ends that. */
#ifndef EVA_ENGINE_ADAPTIVE_H
#define EVA_ENGINE_ADAPTIVE_H

#include <stdint.h>

enum {
  EVA_ADAPTIVE_START = 20,
  EVA_ADAPTIVE_ROUND_MIN = 20,
  EVA_ADAPTIVE_RECENT_MIN = 4,
  EVA_ADAPTIVE_PATIENCE = 5,
  EVA_ADAPTIVE_COOLDOWN_MS = 1000,      /* or as long as the host asks to wait */
  EVA_ADAPTIVE_CLOSED_MS_MAX = 120000
};

typedef enum eva_host_answer {
  EVA_HOST_NEUTRAL, /* nothing is known: given up, not sent */
  EVA_HOST_OK,
  EVA_HOST_REFUSED, /* 429 */
  EVA_HOST_FAILED   /* 5xx, no answer */
} eva_host_answer;

typedef struct eva_adaptive {
  double limit;
  int is_slow_start; /* no cut yet */
  uint32_t in_flight;
  uint32_t epoch; /* grows with every cut */
  uint64_t cooldown_until_ns;
  uint64_t closed_until_ns;
  int closings; /* since the last good answer */
  double recent_begun, recent_refused; /* faded: each request that begins makes older ones count less */
  struct { /* so far */
    uint32_t answers, refused, failed, peak;
  } round;
} eva_adaptive;

void eva_adaptive_start(eva_adaptive *host);
uint32_t eva_adaptive_limit(const eva_adaptive *host);                /* at least 1 */
int eva_adaptive_is_hopeless(const eva_adaptive *host);
int eva_adaptive_may_begin(const eva_adaptive *host, uint64_t now_ns);
uint32_t eva_adaptive_begin(eva_adaptive *host); /* returns the epoch, for the end */
/* `wait_ns` is what a refusal asked for, 0: nothing. */
void eva_adaptive_end(eva_adaptive *host, uint32_t epoch, eva_host_answer answer, uint64_t wait_ns, uint64_t now_ns);

#endif
