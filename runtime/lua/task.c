/* Scopes and waiting; see task.h. The coroutine functions that pass waiting upward are in coroutines.c. */
#include "lua/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "lua/call.h"
#include "lua/deadline.h"
#include "lua/interrupt.h"

/* Yielded by native waits; its address is what counts. */
const char eva_wait_sentinel = 0;

/* ==== Operations ==== */

static void op_unlink(eva_op *op) {
  if (op->previous) op->previous->next = op->next;
  else op->scope->ops = op->next;
  if (op->next) op->next->previous = op->previous;
  op->previous = op->next = NULL;
}

static void op_link(eva_op *op, eva_scope *scope) {
  op->scope = scope;
  op->previous = NULL;
  op->next = scope->ops;
  if (scope->ops) scope->ops->previous = op;
  scope->ops = op;
}

static void op_drop(eva_op *op) {
  op_unlink(op);
  if (!op->done) op->cancel(op);
  op->release(op);
}

/* The results of a complete operation. If `push` raises, the op stays with its scope and goes when that ends. */
static int op_take(lua_State *L, eva_op *op) {
  int count = op->push(op, L);
  op_unlink(op);
  op->release(op);
  return count;
}

/* Raises with the script's line first; `format` takes what the op waits for. */
static int await_error(lua_State *L, const char *format, const eva_op *op) {
  eva_push_place(L);
  lua_pushfstring(L, format, op->what);
  lua_concat(L, 2);
  return lua_error(L);
}

/* Where the code runs that Lua cannot pause: the innermost function of Lua's own that calls scripts without a way back. */
static const char *where_no_wait(lua_State *L) {
  static const struct {
    const char *name, *where;
  } known[] = {{"sort", "in a sort comparator"}, {"gsub", "in a gsub callback"},   {"tostring", "in __tostring"},
               {"print", "in __tostring"},       {"format", "in __tostring"},      {"close", "in __close"},
               {"load", "in a reader of load"},  {"require", "in a required file"}};
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sn", &frame);
    if (*frame.what != 'C' || !frame.name) continue;
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
      if (strcmp(frame.name, known[index].name) == 0) return known[index].where;
    }
  }
  return "here";
}

/* The operation of the running scope with that number: one that was given up is gone, and a coroutine that waits for it
 * may still be resumed by its script, from another scope too. */
static eva_op *op_find(const eva_vm *vm, uint64_t number) {
  for (eva_op *op = vm->scope ? vm->scope->ops : NULL; op; op = op->next) {
    if (op->number == number) return op;
  }
  return NULL;
}

static int await_continue(lua_State *L, int status, lua_KContext context) {
  eva_op *op = op_find(eva_vm_of(L), (uint64_t)context);
  (void)status;
  if (!op) {
    return await_error(L, "%s was resumed, but what it waited for was given up or belongs to another function",
                       &(eva_op){.what = "a waiting coroutine"});
  }
  if (op->done) return op_take(L, op);
  /* Resumed by somebody else of the same scope: it goes on waiting. */
  lua_pushlightuserdata(L, (void *)&eva_wait_sentinel);
  return lua_yieldk(L, 1, context, await_continue);
}

static eva_scope *root_of(eva_vm *vm) {
  if (!vm->root) {
    vm->root = eva_alloc_zeroed(1, sizeof *vm->root);
    vm->root->vm = vm;
  }
  return vm->root;
}

int eva_await(lua_State *L, eva_op *op) {
  eva_vm *vm = eva_vm_of(L);
  eva_scope *scope = vm->scope;
  op->number = ++vm->op_count;
  op_link(op, scope ? scope : root_of(vm));
  if (op->done) return op_take(L, op);
  if (op->is_excused) {
    op->since_ns = eva_clock_monotonic_ns();
    op->since_busy_ns = vm->busy_ns;
  }
  if (vm->closing) {
    const eva_op told = {.what = op->what};
    op_drop(op);
    return await_error(L, "cannot wait (%s) while the item is being given up", &told);
  }
  if (!scope && !vm->is_opening && (vm->in_worker || vm->is_in_loop)) {
    const eva_op told = {.what = op->what};
    op_drop(op);
    return await_error(L, "cannot wait (%s) here: this code runs between items", &told);
  }
  if (!scope) {
    vm->is_in_loop = 1;
    while (!op->done && !vm->is_interrupted) uv_run(vm->loop, UV_RUN_ONCE);
    vm->is_in_loop = 0;
    if (op->done) return op_take(L, op);
    const eva_op told = {.what = op->what};
    op_drop(op);
    if (eva_interrupt_came()) return eva_interrupt_raise(L);
    return await_error(L, "waiting (%s) was interrupted", &told);
  }
  if (!lua_isyieldable(L)) {
    const eva_op told = {.what = op->what};
    op_drop(op);
    eva_push_place(L);
    lua_pushfstring(L, "cannot wait (%s) %s: Lua cannot pause inside a sort comparator, a gsub callback, __tostring or a "
                       "required file; wait before or after it", told.what, where_no_wait(L));
    lua_concat(L, 2);
    return lua_error(L);
  }
  /* What is below stays: the caller's arguments keep alive what the operation uses. */
  lua_pushlightuserdata(L, (void *)&eva_wait_sentinel);
  return lua_yieldk(L, 1, (lua_KContext)op->number, await_continue);
}

static void scope_resume(eva_scope *scope, int argument_count); /* below: ends scopes too */

void eva_op_complete(eva_op *op) {
  eva_scope *scope = op->scope;
  op->done = 1;
  if (op->is_excused && scope && scope->co) eva_scope_excuse(op);
  if (scope && scope->co && scope->is_waiting) {
    eva_vm *vm = scope->vm;
    scope_resume(scope, 0);
    if (!vm->scope && vm->settled) vm->settled(vm);
    return;
  }
  /* A turn of the loop runs timers first and would then wait for I/O, though what was waited for is there. */
  if (scope && !scope->co) uv_stop(scope->vm->loop);
}

/* ==== Scopes ==== */

/* What ran before a scope was entered. */
typedef struct eva_scope_context {
  eva_scope *scope;
  uint64_t slice_ns;
} eva_scope_context;

/* Time in which other scopes held the process is not charged, and I/O that has finished is delivered first. */
static void on_deadline(uv_timer_t *timer) {
  eva_scope *scope = timer->data;
  uint64_t now = eva_clock_monotonic_ns(), excused = eva_scope_excused_ns(scope, now);
  uint64_t elapsed = now - scope->started_ns;
  elapsed = elapsed > excused ? elapsed - excused : 0;
  uint64_t busy = scope->vm->busy_ns - scope->others_ns;
  uint64_t held_by_others = busy > scope->busy_ns ? busy - scope->busy_ns : 0;
  uint64_t charged_ms = (elapsed > held_by_others ? elapsed - held_by_others : 0) / 1000000;
  if (charged_ms < (uint64_t)scope->timeout_ms) {
    uv_timer_start(timer, on_deadline, (uint64_t)scope->timeout_ms - charged_ms, 0);
  } else if (!scope->is_last_look) {
    scope->is_last_look = 1;
    uv_timer_start(timer, on_deadline, 1, 0);
  } else {
    eva_scope_give_up(scope, EVA_TIMED_OUT);
  }
}

eva_scope *eva_scope_new(lua_State *L, eva_scope *parent) {
  eva_vm *vm = eva_vm_of(L);
  eva_scope *scope = vm->pool;
  if (scope) {
    vm->pool = scope->next;
  } else {
    lua_State *co = lua_newthread(L);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    scope = eva_alloc_zeroed(1, sizeof *scope);
    scope->vm = vm;
    scope->co = co;
    scope->co_ref = ref;
    uv_timer_init(vm->loop, &scope->timer);
    scope->timer.data = scope;
  }
  scope->outcome = EVA_RUNNING;
  scope->result_count = scope->is_waiting = scope->index = scope->random_is_seeded = 0;
  scope->timeout_ms = 0;
  scope->is_last_look = 0;
  scope->busy_ns = 0;
  scope->others_ns = vm->busy_ns;
  scope->excused_ns = scope->excused_to = 0;
  scope->ended = NULL;
  scope->owner = NULL;
  scope->ops = NULL;
  scope->children = NULL;
  scope->previous = scope->next = NULL;
  scope->parent = parent;
  scope->item = parent ? parent->item : NULL;
  scope->tag = parent ? parent->tag : 0;
  scope->serial = ++vm->scope_count;
  scope->salt = parent ? parent->child_count++ : 0;
  scope->child_count = 0;
  if (parent) {
    scope->next = parent->children;
    if (parent->children) parent->children->previous = scope;
    parent->children = scope;
  }
  return scope;
}

/* Everything below it is gone after this: operations first, so that nothing completes into a scope that ends. */
static void scope_drop_work(eva_scope *scope) {
  while (scope->ops) op_drop(scope->ops);
  while (scope->children) {
    eva_scope *child = scope->children;
    if (child->outcome == EVA_RUNNING) {
      child->ended = NULL;
      eva_scope_give_up(child, EVA_GIVEN_UP);
    }
    eva_scope_recycle(child);
  }
}

static void scope_end(eva_scope *scope, eva_outcome outcome) {
  uv_timer_stop(&scope->timer);
  scope->outcome = outcome;
  scope->is_waiting = 0;
  if (scope->ended) scope->ended(scope);
}

/* Makes `scope` what runs, until eva_scope_leave. */
static eva_scope_context scope_enter(eva_scope *scope, uint64_t slice_ns) {
  eva_vm *vm = scope->vm;
  eva_scope_context outer = {vm->scope, vm->slice_ns};
  vm->scope = scope;
  vm->slice_ns = outer.slice_ns && (!slice_ns || outer.slice_ns < slice_ns) ? outer.slice_ns : slice_ns;
  if (vm->on_cpu) vm->on_cpu(vm);
  return outer;
}

static void scope_leave(eva_vm *vm, eva_scope_context outer) {
  vm->scope = outer.scope;
  vm->slice_ns = outer.slice_ns;
  if (vm->on_cpu) vm->on_cpu(vm);
}

/* Runs what __close is pending in the coroutines that wait inside each other, the innermost first. */
static void reset_coroutines(eva_vm *vm, lua_State *co) {
  enum { DEPTH_MAX = 200 }; /* Lua nests no deeper (LUAI_MAXCCALLS) */
  lua_State *chain[DEPTH_MAX];
  int depth = 0;
  for (; co && depth < DEPTH_MAX; co = eva_coroutine_inner(co)) chain[depth++] = co;
  while (depth > 0) { /* a coroutine is kept alive by the stack of the one around it */
    co = chain[--depth];
    vm->running = co;
    lua_sethook(co, NULL, 0, 0);
    lua_resetthread(co);
    lua_sethook(co, NULL, 0, 0);
  }
}

/* lua_resetthread runs user's __close: the scope counts as running and cannot wait. `until` is when that must end, 0:
 * whenever. */
static void scope_reset(eva_scope *scope, uint64_t until) {
  eva_vm *vm = scope->vm;
  lua_State *outer_running = vm->running;
  eva_scope *outer_interrupted = vm->interrupted;
  int outer_closing = vm->closing;
  uint64_t outer_slice = vm->slice_ns;
  vm->slice_ns = 0; /* the item's own deadline has passed: closing has a time of its own */
  eva_scope_context outer = scope_enter(scope, until);
  outer.slice_ns = outer_slice;
  vm->closing = 1;
  reset_coroutines(vm, scope->co);
  vm->closing = outer_closing;
  vm->running = outer_running;
  vm->interrupted = outer_interrupted;
  scope_leave(vm, outer);
}

/* However many scopes there are to close, all of one item share the time after its deadline. */
static uint64_t closing_until(const eva_scope *scope) {
  uint64_t deadline = eva_deadline_of(scope);
  return deadline ? deadline + (uint64_t)DEADLINE_CLOSING_MS * 1000000 : 0;
}

int eva_scope_close(eva_scope *scope) {
  uint64_t deadline = eva_deadline_of(scope);
  scope_reset(scope, deadline);
  return deadline && eva_clock_monotonic_ns() >= deadline;
}

void eva_scope_give_up(eva_scope *scope, eva_outcome outcome) {
  if (scope->outcome != EVA_RUNNING) return;
  scope->outcome = outcome;
  scope_drop_work(scope);
  scope_reset(scope, closing_until(scope));
  lua_settop(scope->co, 0);
  scope_end(scope, outcome);
}

/* A resume inside another scope's is part of that one's time; one by the loop counts for all its ancestors. */
static void charge(eva_scope *scope, const eva_scope *outer, uint64_t spent_ns) {
  scope->busy_ns += spent_ns;
  if (outer) return;
  scope->vm->busy_ns += spent_ns;
  for (eva_scope *above = scope->parent; above; above = above->parent) above->busy_ns += spent_ns;
}

/* The code of `scope` was left because the time of vm->interrupted, it or one above it, is up. */
static void scope_interrupted(eva_scope *scope) {
  eva_vm *vm = scope->vm;
  eva_scope *expired = vm->interrupted;
  if (expired == scope || !vm->scope) { /* it, or one above that waits for it and is on no stack */
    vm->interrupted = NULL;
    eva_scope_give_up(expired, EVA_TIMED_OUT);
    return;
  }
  eva_scope_give_up(scope, EVA_GIVEN_UP);
  eva_deadline_hook(vm->running); /* the code that started this scope is to be left too */
}

static void scope_resume(eva_scope *scope, int argument_count) {
  eva_vm *vm = scope->vm;
  scope->is_waiting = 0;
  uint64_t begin = eva_clock_monotonic_ns();
  eva_scope_context outer = scope_enter(scope, eva_deadline_of(scope));
  int status = eva_resume(vm, scope->co, argument_count, &scope->result_count);
  scope_leave(vm, outer);
  charge(scope, outer.scope, eva_clock_monotonic_ns() - begin);
  if (vm->interrupted && scope->outcome == EVA_RUNNING) {
    scope_interrupted(scope);
    return;
  }
  if (scope->outcome != EVA_RUNNING) return; /* given up from inside */
  if (status == LUA_YIELD) {
    if (lua_touserdata(scope->co, -1) == &eva_wait_sentinel) {
      lua_pop(scope->co, scope->result_count);
      scope->is_waiting = 1;
      return;
    }
    /* A yield that no coroutine of the script receives. */
    scope_drop_work(scope);
    scope_reset(scope, closing_until(scope));
    lua_settop(scope->co, 0);
    lua_pushliteral(scope->co, "coroutine.yield outside of a coroutine: nothing resumes an item; to wait use eval.sleep");
    scope->result_count = 1;
    scope_end(scope, EVA_FAILED);
    return;
  }
  if (status == LUA_OK) {
    scope_drop_work(scope);
    scope_end(scope, EVA_FINISHED);
    return;
  }
  scope->result_count = 1;
  scope_drop_work(scope);
  scope_end(scope, EVA_FAILED);
}

void eva_scope_start(eva_scope *scope, int argument_count, int64_t timeout_ms) {
  if (timeout_ms > 0) {
    scope->timeout_ms = timeout_ms;
    scope->started_ns = eva_clock_monotonic_ns();
    if (scope->vm->in_worker) eva_deadline_start(scope->vm);
    uv_update_time(scope->vm->loop);
    uv_timer_start(&scope->timer, on_deadline, (uint64_t)timeout_ms, 0);
  }
  scope_resume(scope, argument_count);
}

void eva_scope_recycle(eva_scope *scope) {
  eva_vm *vm = scope->vm;
  if (scope->outcome == EVA_FAILED) scope_reset(scope, closing_until(scope));
  lua_settop(scope->co, 0);
  if (scope->parent) {
    if (scope->previous) scope->previous->next = scope->next;
    else scope->parent->children = scope->next;
    if (scope->next) scope->next->previous = scope->previous;
  }
  scope->parent = NULL;
  scope->next = vm->pool;
  vm->pool = scope;
}

/* ==== Random states ==== */

static void seed_scope(eva_scope *scope) {
  unsigned char text[sizeof scope->seed + sizeof scope->salt];
  if (scope->random_is_seeded) return;
  if (!scope->parent && scope->co && scope->vm->seed) scope->vm->seed(scope);
  if (scope->parent && scope->co) {
    seed_scope(scope->parent);
    memcpy(text, scope->parent->seed, sizeof scope->seed);
    memcpy(text + sizeof scope->seed, &scope->salt, sizeof scope->salt);
    eva_sha256_of(text, sizeof text, scope->seed);
  }
  eva_lua_random_seed(&scope->random, scope->seed);
  scope->random_is_seeded = 1;
}

eva_lua_random *eva_scope_random(eva_vm *vm) {
  eva_scope *scope = vm->scope;
  if (!scope) {
    scope = root_of(vm);
    if (!scope->random_is_seeded) {
      char id[EVA_UUID_TEXT_SIZE];
      eva_uuid7(id);
      eva_sha256_of(id, sizeof id, scope->seed);
    }
  }
  seed_scope(scope);
  return &scope->random;
}

eva_scope *eva_scope_innermost(eva_scope *scope) {
  for (eva_scope *child = scope->children; child; child = child->next) {
    if (child->outcome == EVA_RUNNING) return eva_scope_innermost(child);
  }
  return scope;
}

const char *eva_scope_waits_for(eva_scope *scope) {
  const eva_scope *innermost = eva_scope_innermost(scope);
  return innermost->ops && innermost->ops->what ? innermost->ops->what : "";
}

void eva_task_close(eva_vm *vm) {
  while (vm->pool) {
    eva_scope *scope = vm->pool;
    vm->pool = scope->next;
    uv_close((uv_handle_t *)&scope->timer, NULL);
    uv_run(vm->loop, UV_RUN_NOWAIT); /* the loop lets go of the timer before its memory goes */
    free(scope);
  }
  if (vm->root) {
    while (vm->root->ops) op_drop(vm->root->ops);
    free(vm->root);
    vm->root = NULL;
  }
}
