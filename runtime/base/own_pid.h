/* The id of this process without asking the system each time: for checks that stand before every small step. */
#ifndef EVA_BASE_OWN_PID_H
#define EVA_BASE_OWN_PID_H

#include <sys/types.h>

/* Notes the id, so that eva_own_pid is quick from here on; a fork forgets it. */
void eva_own_pid_note(void);
/* What getpid() says. Not for children that share their parent's memory (vfork). */
pid_t eva_own_pid(void);

#endif
