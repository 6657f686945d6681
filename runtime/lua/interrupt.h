/* Ctrl-C while the coordinator runs a hook of the script: its loop sees no signal then, and the default would end the
 * process before teardown. The signal that is one too many raises an error in the hook, one more ends the process. */
#ifndef EVA_LUA_INTERRUPT_H
#define EVA_LUA_INTERRUPT_H

#include "lua/vm.h"

/* call_hook(patience, function, ...) -> how many of SIGINT, SIGTERM and SIGHUP came, and what pcall(function, ...) returns.
 * The one after `patience` others interrupts the function, or its wait. Who handled signals before gets what came. */
int eva_interrupt_call(lua_State *L);

#endif
