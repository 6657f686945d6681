/* Signals while a hook of the script runs in the coordinator; see interrupt.h. */
#include "lua/interrupt.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/process_spawn.h"

enum { SIGNALS = 3, EXIT_INTERRUPTED = 130 };

static const int NUMBERS[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

/* Of this process: the coordinator runs one hook at a time. */
static struct {
  eva_vm *vm; /* NULL: nothing is held */
  struct sigaction before[SIGNALS];
  volatile sig_atomic_t came[SIGNALS];
  volatile sig_atomic_t count, patience;
  volatile sig_atomic_t has_wake;
  uv_async_t wake; /* a hook that waits does so in the loop; inside the engine's loop it cannot wait */
} held;

static void on_hook(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (eva_vm_of(L)->is_interrupted) luaL_error(L, "interrupted");
  lua_sethook(L, NULL, 0, 0);
}

static void say(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

/* Only sets flags and a hook, as lua.c does at Ctrl-C; uv_async_send may be called from a signal handler. */
static void on_signal(int number) {
  for (int index = 0; index < SIGNALS; index++) held.came[index] |= NUMBERS[index] == number;
  held.count++;
  if (held.count > held.patience + 1) {
    eva_process_kill_all();
    _exit(EXIT_INTERRUPTED);
  }
  say("evalua: warning: stopping; once more to stop at once\n");
  if (held.count <= held.patience) return;
  held.vm->is_interrupted = 1;
  if (held.vm->running) lua_sethook(held.vm->running, on_hook, LUA_MASKCOUNT, 1);
  if (held.has_wake) uv_async_send(&held.wake);
}

/* Under nohup a run goes on; SIGINT and SIGTERM end it even where a shell ignores them for what is in its background. */
static int keeps_on(int index) { return NUMBERS[index] == SIGHUP && held.before[index].sa_handler == SIG_IGN; }

static void on_wake(uv_async_t *handle) { (void)handle; }

static void on_closed(uv_handle_t *handle) {
  (void)handle;
  held.has_wake = 0;
}

static void hold(lua_State *L, eva_vm *vm, int patience) {
  if (held.vm || vm->in_worker) luaL_error(L, "a hook runs already");
  if (!vm->is_running_items) {
    if (uv_async_init(vm->loop, &held.wake, on_wake) != 0) luaL_error(L, "out of file descriptors");
    uv_unref((uv_handle_t *)&held.wake);
    held.has_wake = 1;
  }
  held.vm = vm;
  held.count = 0;
  held.patience = patience;
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

static void release(eva_vm *vm) {
  vm->is_interrupted = 0; /* the hook takes itself away when it is next called */
  for (int index = 0; index < SIGNALS; index++) {
    const struct sigaction *before = &held.before[index];
    if (!keeps_on(index)) sigaction(NUMBERS[index], before, NULL);
    if (held.came[index] && before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) raise(NUMBERS[index]);
  }
  held.vm = NULL;
  if (held.has_wake) uv_close((uv_handle_t *)&held.wake, on_closed);
  while (held.has_wake) uv_run(vm->loop, UV_RUN_NOWAIT);
}

int eva_interrupt_call(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  int patience = (int)luaL_checkinteger(L, 1);
  luaL_checkany(L, 2);
  hold(L, vm, patience);
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  release(vm);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  lua_pushinteger(L, held.count);
  lua_insert(L, 1);
  return lua_gettop(L);
}
