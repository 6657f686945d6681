/* Ctrl-C, SIGTERM and SIGHUP outside of the engine's loop, which has handlers of its own: while suites load, items are
 * imported, rules and reports run, and while the coordinator runs a hook of the script.
 *
 * A command is ended by an error {exit = 130, message} in what runs, or out of its wait. It is raised once, so that
 * __close, rollbacks and reports of what is finished have their turn; what swallows it (a loop of pcalls) meets it again at
 * every instruction after INTERRUPT_INSISTS_MS. Code in C that does not come back is given INTERRUPT_GRACE_MS, then the
 * process ends; so does a second signal at once. */
#ifndef EVA_LUA_INTERRUPT_H
#define EVA_LUA_INTERRUPT_H

#include "lua/vm.h"

enum { INTERRUPT_EXIT = 130, INTERRUPT_INSISTS_MS = 1000, INTERRUPT_GRACE_MS = 5000 };

/* From here on signals end the command of this process as above. Once, by main. */
void eva_interrupt_start(eva_vm *vm);
/* The command has ended: nothing is raised any more. Before eva_vm_close. */
void eva_interrupt_stop(eva_vm *vm);
/* Whether a signal ends the command, and nothing has taken that yet. */
int eva_interrupt_came(void);
/* "interrupted", and the script's line where it was. */
const char *eva_interrupt_text(void);
/* Raises that error. */
int eva_interrupt_raise(lua_State *L);
/* A coroutine has come back to L: what interrupts goes on there. */
void eva_interrupt_follow(lua_State *L);

/* guard(function, ...) -> message or nil, and what pcall(function, ...) returns. With a message a signal came meanwhile; it
 * has been taken, and who called decides what that means. What the function returned or stored before may lack a part. */
int eva_interrupt_guard(lua_State *L);

/* call_hook(patience, timeout_ms, function, ...) -> how many of SIGINT, SIGTERM and SIGHUP came, whether it was ended
 * because its time was up (timeout_ms 0: it has any), and what pcall(function, ...) returns. The signal after `patience`
 * others interrupts the function, or its wait; one more ends the process. What else handled signals before (the engine)
 * gets what came. */
int eva_interrupt_call(lua_State *L);

#endif
