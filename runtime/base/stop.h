/* Whether the user has asked what runs to stop. Long waits in C look at it, and end as if their time were over. */
#ifndef EVA_BASE_STOP_H
#define EVA_BASE_STOP_H

#include <signal.h>

extern volatile sig_atomic_t eva_stop_asked; /* set by a signal (lua/interrupt.c) */

#endif
