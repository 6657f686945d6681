/* Interrupts Lua code whose time is up; see deadline.h. */
#include "lua/deadline.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"

static eva_vm *watched_vm; /* of this process, once eva_deadline_beat was called */
static int has_deadlines;  /* once eva_deadline_start was */

/* Of one scope alone; time in which others held the process is not charged. */
static uint64_t own_deadline(const eva_scope *scope) {
  uint64_t busy = scope->vm->busy_ns - scope->others_ns;
  uint64_t held_by_others = busy > scope->busy_ns ? busy - scope->busy_ns : 0;
  return scope->started_ns + held_by_others + (uint64_t)scope->timeout_ms * 1000000;
}

uint64_t eva_deadline_of(const eva_scope *scope) {
  uint64_t earliest = 0;
  for (; scope; scope = scope->parent) {
    if (scope->timeout_ms <= 0) continue;
    uint64_t deadline = own_deadline(scope);
    if (!earliest || deadline < earliest) earliest = deadline;
  }
  return earliest;
}

/* The outermost scope whose time is up: what is inside goes with it. */
static eva_scope *expired_scope(eva_scope *scope, uint64_t now) {
  eva_scope *expired = NULL;
  for (; scope; scope = scope->parent) {
    if (scope->timeout_ms > 0 && own_deadline(scope) <= now) expired = scope;
  }
  return expired;
}

static void on_hook(lua_State *L, lua_Debug *frame) {
  eva_vm *vm = eva_vm_of(L);
  uint64_t now = eva_clock_monotonic_ns();
  (void)frame;
  if (vm->flush) vm->flush();
  if (vm->closing) {
    if (vm->slice_ns && now >= vm->slice_ns) luaL_error(L, "__close took too long; the item is being given up");
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (!vm->interrupted) vm->interrupted = vm->scope ? expired_scope(vm->scope, now) : NULL;
  if (!vm->interrupted) { /* another scope's, or the signal was early */
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (lua_isyieldable(L)) {
    lua_yield(L, 0);
    return;
  }
  luaL_error(L, "the time of the item is up");
}

void eva_deadline_hook(lua_State *L) { lua_sethook(L, on_hook, LUA_MASKCOUNT, 1); }

/* Only counts, reads the clock and sets a hook, as lua.c does at Ctrl-C. */
static void on_beat(int number) {
  int saved = errno;
  eva_vm *vm = watched_vm;
  (void)number;
  if (vm && has_deadlines && vm->beats) atomic_fetch_add_explicit(vm->beats, 1, memory_order_relaxed);
  if (vm && vm->running) {
    int is_late = vm->slice_ns && eva_clock_monotonic_ns() >= vm->slice_ns;
    if (is_late || (vm->has_unsent && vm->has_unsent())) eva_deadline_hook(vm->running);
  }
  errno = saved;
}

void eva_deadline_start(eva_vm *vm) {
  has_deadlines = 1;
  eva_deadline_beat(vm);
}

void eva_deadline_beat(eva_vm *vm) {
  if (watched_vm == vm) return;
  watched_vm = vm;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_beat;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  const struct timeval beat = {0, DEADLINE_BEAT_MS * 1000};
  const struct itimerval timer = {beat, beat};
  setitimer(ITIMER_REAL, &timer, NULL);
}
