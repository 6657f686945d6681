/* Deadlines of scopes that are busy in Lua. (Those that wait are given up by a timer of the loop, see task.c.)
 *
 * Nothing is checked while code runs. A signal every DEADLINE_BEAT_MS looks at the clock; when the running scope's time is
 * up it sets a hook on vm->running. The hook yields, so that no pcall can catch it, and the coroutine is never resumed;
 * where Lua cannot yield it raises, at every instruction, until it can. Code in C and in __gc is out of its reach: the
 * coordinator kills the worker then. */
#ifndef EVA_LUA_DEADLINE_H
#define EVA_LUA_DEADLINE_H

#include "lua/task.h"

enum {
  DEADLINE_BEAT_MS = 20,
  DEADLINE_CLOSING_MS = 200 /* for user's __close of a scope that is given up */
};

/* When the code that is about to run for `scope` must end: monotonic ns; 0: no deadline. */
uint64_t eva_deadline_of(const eva_scope *scope);
/* Starts the signal in a worker; once per process. It also has what finished items left sent, when the code of another one
 * holds the process for longer than a beat. */
void eva_deadline_beat(eva_vm *vm);
/* The same, and from here on there are deadlines: the beats are counted, so that their absence is seen. */
void eva_deadline_start(eva_vm *vm);
/* Sets the hook on L, so that an interruption that is under way goes on there. */
void eva_deadline_hook(lua_State *L);

#endif
