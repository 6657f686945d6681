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

#include "lua/random.h"
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

  int is_excused; /* its time is not the item's: deadlines do not count it (the wait for a permit) */

  /* Owned by task.c. */
  eva_scope *scope;
  uint64_t since_ns, since_busy_ns; /* excused ones: since when, and vm->busy_ns then */
  eva_op *previous, *next;
  uint64_t number; /* finds it again after a yield, if it is still there */
  int done;
};

/* Waits for `op`. Use only as `return eva_await(L, op);`. If the op is complete already it does not yield.
 * Raises (and cancels and releases the op) where Lua cannot yield: a sort comparator, a gsub callback, __tostring. */
int eva_await(lua_State *L, eva_op *op);

/* Marks the op complete and lets its script go on; call it from loop callbacks only, once per op. */
void eva_op_complete(eva_op *op);

/* ==== Scopes ==== */

typedef enum eva_outcome { EVA_RUNNING, EVA_FINISHED, EVA_FAILED, EVA_TIMED_OUT, EVA_GIVEN_UP } eva_outcome;

struct eva_scope {
  eva_vm *vm;
  lua_State *co;        /* the base coroutine; NULL for the root scope */
  int co_ref;           /* keeps it in the registry */
  eva_op *ops;          /* pending operations, unordered */
  eva_scope *parent;    /* on whose behalf it runs; NULL for an item's */
  eva_scope *children;  /* child scopes that are not recycled yet */
  eva_scope *previous, *next; /* among the parent's children, or in the pool */
  eva_outcome outcome;
  int result_count;     /* values on top of co when EVA_FINISHED; 1 (the error) when EVA_FAILED */
  int is_waiting;       /* the base coroutine has yielded and waits for an operation */
  int index;            /* among the functions started together, from 0 */
  int64_t timeout_ms;   /* of its deadline, 0: none */
  int is_last_look;     /* the deadline has passed once; finished I/O gets one turn of the loop before it counts */
  uint64_t started_ns;  /* monotonic */
  uint64_t busy_ns;     /* in which it ran Lua itself */
  uint64_t others_ns;   /* vm->busy_ns when it started */
  uint64_t excused_ns;  /* time that deadlines did not count */
  uint64_t excused_to;  /* until when it was counted */
  uv_timer_t timer;     /* the deadline; made once, kept in the pool */
  void (*ended)(eva_scope *scope); /* called once when the outcome is known; results are still on co */
  void *owner;          /* of `ended` */
  void *item;           /* what the engine knows of the item; children inherit it */
  int tag;              /* what the script says it is doing (task.tag); children inherit it */
  uint64_t serial;      /* its number in this process, never used again */
  uint64_t salt;        /* of its random state, among the children of its parent: their number, or a name's hash */
  uint64_t child_count; /* scopes that it has started */
  int random_is_seeded;
  eva_lua_random random;
  unsigned char seed[32]; /* of the random state; children derive theirs from it and their salt */
};

/* A scope with an empty coroutine, from the pool where there is one. May raise (memory). */
eva_scope *eva_scope_new(lua_State *L, eva_scope *parent);
/* Runs the function and its arguments that are on top of scope->co until it waits or ends. With timeout_ms > 0 it is
 * given up then, if it waits. */
void eva_scope_start(eva_scope *scope, int argument_count, int64_t timeout_ms);
/* Cancels its operations, then its children, then resets the coroutine (user's __close runs, and cannot wait). */
void eva_scope_give_up(eva_scope *scope, eva_outcome outcome);
/* Runs the __close that an error left pending, in what is left of the scope's time; 1 when that was not enough. The error
 * and its place on the stack are gone after it. Needed only where that time counts: recycling closes too. */
int eva_scope_close(eva_scope *scope);
/* Back to the pool; drops results. The scope must have ended. */
void eva_scope_recycle(eva_scope *scope);
/* The random state of what runs now. */
eva_lua_random *eva_scope_random(eva_vm *vm);
/* The scope itself, or what runs on behalf of it and has no running children: the one that waits. */
eva_scope *eva_scope_innermost(eva_scope *scope);
/* What the scope or one of its children waits for, for messages; "" when unknown. */
const char *eva_scope_waits_for(eva_scope *scope);

/* For how long all that the scope does has been excused waiting; 0: something else goes on. (excused.c) */
uint64_t eva_scope_excused_ns(const eva_scope *scope, uint64_t now_ns);
/* The operation is complete: its time is taken out of that of its scope, and of those above that did nothing else. */
void eva_scope_excuse(const eva_op *op);

/* Replaces coroutine.resume, wrap, close by versions that let waiting pass through. */
void eva_task_install(lua_State *L);
int eva_lua_turns(lua_State *L); /* lib_turn.c, for lib_task.c */
/* The coroutine that `co` has resumed and that waits, so that co does too; NULL where it waits by itself. */
lua_State *eva_coroutine_inner(lua_State *co);
void eva_task_close(eva_vm *vm); /* frees pooled scopes; before lua_close */

#endif
