/* Requests over all workers, by host and key: each takes a permit before it is sent and says with what answer it ended. How
 * many permits a host has is learnt, see adaptive.h. A service of the desk, named "hosts".
 *
 * Those who wait are served in the order they came, tries that were refused before first ones. Who can come back later
 * (an item that has done nothing yet) is sent away with the time to come back where the wait would be long, so that it
 * does not hold a slot that items of other hosts could use.
 *
 * While a host is calm (nobody waits, there is room) whoever asks gets a permit, so the client may pass one on from a
 * request that has ended well to its next one and say so afterwards (eva_desk_note, with the outcome of the former). Each
 * grant says whether it may; a tell with the host's name says that it may no longer. What crosses that word on its way is
 * counted and begins nothing beyond it. */
#ifndef EVA_ENGINE_HOSTS_H
#define EVA_ENGINE_HOSTS_H

#include <uv.h>

#include "engine/adaptive.h"
#include "engine/desk.h"

typedef struct eva_hosts eva_hosts;

/* Serves at `desk`; waits on `loop`, which must run once more after eva_hosts_close. */
eva_hosts *eva_hosts_open(uv_loop_t *loop, eva_desk *desk);
void eva_hosts_close(eva_hosts *hosts);

enum { EVA_HOST_IS_RETRY = 1, EVA_HOST_CAN_COME_BACK = 2 };

/* In the answer of a grant: the client may pass permits of this host on from now on. Else the answer is empty. */
#define EVA_HOST_PASS_ON EVA_TEXT_LITERAL("pass on")

/* The request for a permit of the host `name`. It is granted with EVA_HOST_PASS_ON or an empty answer, or refused with the milliseconds to wait
 * as message and the code "later", or "refused" where the host is hopeless and this counts as its answer. */
void eva_hosts_put_request(eva_buf *out, eva_text name, uint8_t flags);
/* What a permit is closed with. `wait_ms` is what a refusal asked for, 0: nothing. */
void eva_hosts_put_outcome(eva_buf *out, eva_host_answer answer, double wait_ms);
eva_text eva_hosts_good_outcome(void); /* that of EVA_HOST_OK */

#endif
