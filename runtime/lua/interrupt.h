/* Ctrl-C while the coordinator runs a hook of the script: its loop sees no signal then, and the default would end the
 * process before teardown. The signal that is one too many raises an error in the hook, one more ends the process. */
#ifndef EVA_LUA_INTERRUPT_H
#define EVA_LUA_INTERRUPT_H

#include "lua/vm.h"

/* hold_signals(patience): from here on SIGINT, SIGTERM and SIGHUP are counted; the one after `patience` others interrupts the
 * Lua code or the wait that runs now. */
int eva_interrupt_hold(lua_State *L);
/* release_signals() -> how many came. They are as before; who handled them before gets what came. */
int eva_interrupt_release(lua_State *L);

#endif
