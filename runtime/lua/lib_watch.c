/* evalua.native.watch: what `run --watch` needs of the system: runs of this program in the foreground, one after
 * another, and pauses that a signal ends. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lua/call.h"

enum { LOOK_EVERY_MS = 20, ARGUMENTS_MAX = 4096 };

static void end_signals(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGHUP);
}

/* hold_signals(): from here on SIGINT, SIGTERM and SIGHUP wait until pause or run look at them. */
static int l_hold_signals(lua_State *L) {
  sigset_t set;
  (void)L;
  end_signals(&set);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return 0;
}

/* The next signal within `ms`, or 0. */
static int next_signal(long ms, siginfo_t *info) {
  sigset_t set;
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  end_signals(&set);
  int number = sigtimedwait(&set, info, &time);
  return number > 0 ? number : 0;
}

/* pause(ms) -> true when a signal ended it */
static int l_pause(lua_State *L) {
  siginfo_t info;
  lua_pushboolean(L, next_signal((long)luaL_checkinteger(L, 1), &info) != 0);
  return 1;
}

static void become(char **arguments) {
  sigset_t set;
  end_signals(&set);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

/* Waits for the child. A signal of the terminal has reached it as well; one that was sent to us alone is passed on. */
static int wait_for(pid_t pid, int *signalled) {
  int status = 0;
  for (;;) {
    siginfo_t info;
    int number = next_signal(LOOK_EVERY_MS, &info);
    if (number) {
      *signalled = 1;
      if (info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TKILL) kill(pid, number);
    }
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) return status;
    if (ended < 0 && errno != EINTR) return 0;
  }
}

/* run({argument, ...}, name, value) -> exit code | nil, number of the signal that ended it; was signalled. Runs this
 * program with an environment variable more, on the same terminal. */
static int l_run(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *name = luaL_checkstring(L, 2), *value = luaL_checkstring(L, 3);
  int count = (int)lua_rawlen(L, 1), signalled = 0;
  luaL_argcheck(L, count < ARGUMENTS_MAX, 1, "too many arguments");
  luaL_checkstack(L, count + 4, "too many arguments");
  char **arguments = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *arguments, 0);
  for (int index = 0; index < count; index++) {
    lua_rawgeti(L, 1, index + 1); /* stays on the stack, so that the text stays */
    arguments[index] = (char *)luaL_checkstring(L, -1);
  }
  arguments[count] = NULL;
  pid_t pid = fork();
  if (pid < 0) return luaL_error(L, "cannot start a process: %s", strerror(errno));
  if (pid == 0) {
    setenv(name, value, 1);
    become(arguments);
  }
  int status = wait_for(pid, &signalled);
  if (WIFEXITED(status)) {
    lua_pushinteger(L, WEXITSTATUS(status));
    lua_pushnil(L);
  } else {
    lua_pushnil(L);
    lua_pushinteger(L, WTERMSIG(status));
  }
  lua_pushboolean(L, signalled);
  return 3;
}

/* take(name) -> the value of an environment variable, or nil; it is gone then, so that no program we start sees it */
static int l_take(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const char *value = getenv(name);
  if (!value) return 0;
  lua_pushstring(L, value);
  unsetenv(name);
  return 1;
}

static const luaL_Reg MODULE[] = {{"hold_signals", l_hold_signals},
                                  {"pause", l_pause},
                                  {"run", l_run},
                                  {"take", l_take},
                                  {NULL, NULL}};

int luaopen_evalua_native_watch(lua_State *L) {
  luaL_newlib(L, MODULE);
  return 1;
}
