/* Waiting: scopes, tasks and pending operations.
 *
 * A scope is what can be given up as a whole: one attempt at an item, one scorer, one branch of eval.all. It runs one
 * task (a base coroutine) and owns a list of pending operations and child scopes. Giving up a scope cancels its
 * operations first, then its children, then resets its coroutine; nothing of it is resumed again.
 *
 * A native function that has to wait starts its I/O, fills an operation and returns eva_await(). Waiting yields a
 * private sentinel; our coroutine.resume and wrap pass it upward, so waiting works inside user coroutines too. When the
 * I/O is done its loop callback calls eva_op_complete(); the waiting function then returns what `push` pushes.
 * Outside any scope eva_await runs the loop until the operation is done (it blocks), with the same results. */
#ifndef EVA_LUA_TASK_H
#define EVA_LUA_TASK_H

#include "lua/vm.h"

typedef struct eva_op eva_op;

struct eva_op {
  /* Filled by the function that starts the operation. The struct is usually the first member of a larger one made
   * with eva_alloc; eva_await takes ownership of it. */
  const char *what; /* "sleep", "process read": what an item is waiting for, in messages */
  /* Pushes the results onto L and returns their number; may raise (the error reaches the waiting script). Runs in the
   * waiting coroutine, after completion. */
  int (*push)(eva_op *op, lua_State *L);
  /* Stops I/O that is still under way: after it returns, nothing may call eva_op_complete on this op. No Lua here. */
  void (*cancel)(eva_op *op);
  /* Frees the op and what it owns; called exactly once, after push or after cancel. May finish later by itself
   * (uv_close callbacks) as long as it does not touch the scope. No Lua here. */
  void (*release)(eva_op *op);

  /* Owned by task.c. */
  eva_scope *scope;
  eva_op *previous, *next;
  int done;
};

/* Waits for `op`. Use only as `return eva_await(L, op);`. If the op is complete already it does not yield.
 * Raises (and cancels and releases the op) where Lua cannot yield: a sort comparator, a gsub callback, __tostring. */
int eva_await(lua_State *L, eva_op *op);

/* Marks the op complete and lets its script go on; call it from loop callbacks only, once per op. */
void eva_op_complete(eva_op *op);

#endif
