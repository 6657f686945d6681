/* The user's wish to stop; see stop.h. */
#include "base/stop.h"

volatile sig_atomic_t eva_stop_asked;
