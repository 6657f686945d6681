/* Named limits over all workers: how many hold one at a time (a semaphore), and how many are begun in a minute (a token
 * bucket). Those who wait are served in the order they came. A service of the desk, named "limits". */
#ifndef EVA_ENGINE_LIMITS_H
#define EVA_ENGINE_LIMITS_H

#include <uv.h>

#include "engine/desk.h"

typedef struct eva_limits eva_limits;

/* Serves at `desk`; waits on `loop`, which must run once more after eva_limits_close. */
eva_limits *eva_limits_open(uv_loop_t *loop, eva_desk *desk);
void eva_limits_close(eva_limits *limits);

/* The request for one permit of the limit `name`. max_concurrency 0 and per_minute 0 mean no such bound; the last request
 * decides what the bounds are. It is granted with an empty answer and held until it is closed. */
void eva_limits_put_request(eva_buf *out, eva_text name, uint32_t max_concurrency, double per_minute);

/* A permit that is closed with this was not used: its token goes back into the bucket. */
#define EVA_LIMIT_UNUSED EVA_TEXT_LITERAL("unused")

/* ==== The bucket ==== */

/* At most per_minute in any minute: what is worth one second (at least 1) may come at once, the rest evenly. */
typedef struct eva_bucket {
  double per_minute; /* above 0 */
  double tokens;
  uint64_t filled_ns;
} eva_bucket;

void eva_bucket_set(eva_bucket *bucket, double per_minute, uint64_t now_ns); /* full, or no fuller than before */
int eva_bucket_take(eva_bucket *bucket, uint64_t now_ns);                    /* 0: none is there */
void eva_bucket_put_back(eva_bucket *bucket, uint64_t now_ns);
uint64_t eva_bucket_next_ns(const eva_bucket *bucket, uint64_t now_ns);      /* when one is there */

#endif
