/* Signals that end a command, or a hook of the script in the coordinator; see interrupt.h. */
#include "lua/interrupt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "io/process_spawn.h"
#include "lua/call.h"

#define ERROR_TYPE "evalua.interrupted"

enum { SIGNALS = 3, BEAT_MS = 200 };

static const int NUMBERS[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

/* Of the command that this process runs. */
static struct {
  eva_vm *vm; /* NULL: signals are nobody's */
  uv_async_t wake; /* what waits does so in the loop */
  int has_wake;
  volatile sig_atomic_t count, beats, insists;
  int is_raised;
  char text[256];
} command;

/* Of the hook that runs; one at a time. */
static struct {
  eva_vm *vm; /* NULL: none */
  struct sigaction before[SIGNALS];
  volatile sig_atomic_t came[SIGNALS];
  volatile sig_atomic_t count, patience;
  uint64_t until_ns; /* when it must have ended; 0: no deadline */
  volatile sig_atomic_t is_late;
} held;

static void say(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

static void end_now(void) {
  eva_process_kill_all();
  _exit(INTERRUPT_EXIT);
}

/* ==== Raising ==== */

static int error_text(lua_State *L) {
  lua_getfield(L, 1, "message");
  return 1;
}

int eva_interrupt_raise(lua_State *L) {
  command.is_raised = 1;
  eva_push_place(L); /* "suite.lua:3: " */
  size_t len = lua_rawlen(L, -1);
  if (!command.text[0]) {
    if (len > 2) snprintf(command.text, sizeof command.text, "interrupted (%.*s)", (int)len - 2, lua_tostring(L, -1));
    else snprintf(command.text, sizeof command.text, "interrupted");
  }
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, INTERRUPT_EXIT);
  lua_setfield(L, -2, "exit");
  lua_pushstring(L, command.text);
  lua_setfield(L, -2, "message");
  if (luaL_newmetatable(L, ERROR_TYPE)) {
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
  }
  lua_setmetatable(L, -2);
  return lua_error(L);
}

static void on_hook(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (eva_vm_of(L)->is_interrupted) {
    if (held.vm) luaL_error(L, "interrupted");
    if (!command.is_raised || command.insists) eva_interrupt_raise(L);
  }
  lua_sethook(L, NULL, 0, 0);
}

/* Only sets flags and a hook, as lua.c does at Ctrl-C; uv_async_send may be called from a signal handler. */
static void interrupt(eva_vm *vm) {
  vm->is_interrupted = 1;
  if (vm->running) lua_sethook(vm->running, on_hook, LUA_MASKCOUNT, 1);
  if (command.has_wake) uv_async_send(&command.wake);
}

void eva_interrupt_follow(lua_State *L) {
  if (eva_vm_of(L)->is_interrupted) lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
}

int eva_interrupt_came(void) { return command.count > 0; }

const char *eva_interrupt_text(void) { return command.text[0] ? command.text : "interrupted"; }

/* ==== A command ==== */

static void set_beat(int first_ms) {
  const struct itimerval timer = {{0, first_ms ? BEAT_MS * 1000 : 0}, {first_ms / 1000, first_ms % 1000 * 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_beat(int number) {
  (void)number;
  if (held.vm && held.until_ns && eva_clock_monotonic_ns() >= held.until_ns) {
    held.is_late = 1;
    interrupt(held.vm);
  }
  if (!command.count) return;
  if (!command.insists) say("evalua: warning: stopping; once more to stop at once\n");
  command.insists = 1;
  if (++command.beats * BEAT_MS >= INTERRUPT_GRACE_MS - INTERRUPT_INSISTS_MS) {
    say("evalua: interrupted: what runs did not end in time\n");
    end_now();
  }
  if (command.vm->is_interrupted) interrupt(command.vm);
}

static void on_command_signal(int number) {
  (void)number;
  if (++command.count > 1) end_now();
  eva_stop_asked = 1;
  command.beats = 0;
  set_beat(INTERRUPT_INSISTS_MS);
  interrupt(command.vm);
}

/* Under nohup a command goes on; SIGINT and SIGTERM end it even where a shell ignores them for what is in its background. */
static int keeps_on(int index) {
  struct sigaction now;
  return NUMBERS[index] == SIGHUP && sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void on_wake(uv_async_t *handle) { (void)handle; }

void eva_interrupt_start(eva_vm *vm) {
  command.vm = vm;
  if (uv_async_init(vm->loop, &command.wake, on_wake) == 0) {
    uv_unref((uv_handle_t *)&command.wake);
    command.has_wake = 1;
  }
  struct sigaction action;
  memset(&action, 0, sizeof action); /* no SA_RESTART: what blocks in a call of the system is to come back */
  action.sa_handler = on_beat;
  sigaction(SIGALRM, &action, NULL);
  action.sa_handler = on_command_signal;
  for (int index = 0; index < SIGNALS; index++) {
    if (!keeps_on(index)) sigaction(NUMBERS[index], &action, NULL);
  }
}

/* The handlers stay: closing is as bounded as what it closes. */
void eva_interrupt_stop(eva_vm *vm) {
  vm->is_interrupted = 0;
  if (command.has_wake) uv_close((uv_handle_t *)&command.wake, NULL);
  command.has_wake = 0;
}

/* Nothing interrupts any more; the hooks that are set take themselves away. */
static void forget(eva_vm *vm) {
  set_beat(0);
  vm->is_interrupted = 0;
  command.count = command.insists = command.beats = eva_stop_asked = 0;
  command.is_raised = 0;
  command.text[0] = 0;
}

int eva_interrupt_guard(lua_State *L) {
  luaL_checkany(L, 1);
  int status = eva_call_plain(L, lua_gettop(L) - 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  if (command.count) {
    lua_pushstring(L, eva_interrupt_text());
    forget(eva_vm_of(L));
  } else {
    lua_pushnil(L);
  }
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* ==== A hook ==== */

static void on_signal(int number) {
  for (int index = 0; index < SIGNALS; index++) held.came[index] |= NUMBERS[index] == number;
  held.count++;
  if (held.count > held.patience + 1) end_now();
  say("evalua: warning: stopping; once more to stop at once\n");
  if (held.count > held.patience) interrupt(held.vm);
}

static void hold(lua_State *L, eva_vm *vm, int patience, lua_Integer timeout_ms) {
  if (held.vm || vm->in_worker) luaL_error(L, "a hook runs already");
  if (command.count) set_beat(0); /* teardown of a command that ends: it has the time it takes */
  vm->is_interrupted = 0;
  held.vm = vm;
  held.count = 0;
  held.patience = patience;
  held.is_late = 0;
  held.until_ns = timeout_ms > 0 ? eva_clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000 : 0;
  if (held.until_ns) set_beat((int)(timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX));
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int index = 0; index < SIGNALS; index++) {
    held.came[index] = 0;
    sigaction(NUMBERS[index], NULL, &held.before[index]);
    if (!keeps_on(index)) sigaction(NUMBERS[index], &action, NULL);
  }
}

static int is_others(const struct sigaction *before) {
  return before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN && before->sa_handler != on_command_signal;
}

static void release(eva_vm *vm) {
  vm->is_interrupted = command.count > 0; /* the hook takes itself away when it is next called */
  held.vm = NULL;
  if (held.until_ns) set_beat(0);
  for (int index = 0; index < SIGNALS; index++) {
    const struct sigaction *before = &held.before[index];
    if (!keeps_on(index)) sigaction(NUMBERS[index], before, NULL);
    if (held.came[index] && is_others(before)) raise(NUMBERS[index]);
  }
  if (command.count) set_beat(INTERRUPT_INSISTS_MS);
}

int eva_interrupt_call(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  int patience = (int)luaL_checkinteger(L, 1);
  lua_Integer timeout_ms = luaL_checkinteger(L, 2);
  luaL_checkany(L, 3);
  hold(L, vm, patience, timeout_ms);
  int status = eva_call_plain(L, lua_gettop(L) - 3);
  release(vm);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 2);
  lua_pushboolean(L, held.is_late && status != LUA_OK);
  lua_replace(L, 1);
  lua_pushinteger(L, held.count);
  lua_insert(L, 1);
  return lua_gettop(L);
}
