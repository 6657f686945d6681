/* evalua.native.process: child processes for scripts; waiting yields inside items and blocks outside of them.
 *
 * A process object owns its child: closing it (`local process <close>`), collecting it, or giving up the scope that
 * waits on it kills the child's whole group. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/process.h"
#include "lua/call.h"
#include "lua/process_slots.h"
#include "lua/task.h"

#define PROCESS_TYPE "evalua.process"

enum { OUTPUT_LIMIT_DEFAULT = 10 * 1024 * 1024, ERROR_LIMIT_DEFAULT = 4096 };

extern char **environ;

typedef struct process_object {
  eva_process *process; /* NULL: not started, or closed */
} process_object;

static process_object *check_object(lua_State *L) { return luaL_checkudata(L, 1, PROCESS_TYPE); }

static eva_process *check_process(lua_State *L) {
  eva_process *process = check_object(L)->process;
  if (!process) luaL_error(L, "the process is closed");
  if (!eva_process_is_ours(process)) luaL_error(L, "the process belongs to another worker; start one of your own");
  return process;
}

static const char *signal_name(int number) {
  switch (number) {
    case SIGHUP: return "SIGHUP";
    case SIGINT: return "SIGINT";
    case SIGQUIT: return "SIGQUIT";
    case SIGILL: return "SIGILL";
    case SIGTRAP: return "SIGTRAP";
    case SIGABRT: return "SIGABRT";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGKILL: return "SIGKILL";
    case SIGUSR1: return "SIGUSR1";
    case SIGSEGV: return "SIGSEGV";
    case SIGUSR2: return "SIGUSR2";
    case SIGPIPE: return "SIGPIPE";
    case SIGALRM: return "SIGALRM";
    case SIGTERM: return "SIGTERM";
    case SIGXCPU: return "SIGXCPU";
    case SIGXFSZ: return "SIGXFSZ";
    case SIGSYS: return "SIGSYS";
    default: return NULL;
  }
}

/* ---- options ---- */

/* A C string of the value on top: a string without NUL bytes. `what` names it in the error. */
static const char *check_c_string(lua_State *L, const char *what) {
  size_t len = 0;
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s has to be a string, not %s", what, luaL_typename(L, -1));
  const char *text = lua_tolstring(L, -1, &len);
  if (strlen(text) != len) luaL_error(L, "%s contains a NUL byte, which the system cannot pass", what);
  return text;
}

/* Pushes a userdata with a NULL-terminated array of `count` strings (plus one). */
static const char **push_array(lua_State *L, size_t count) {
  const char **array = lua_newuserdatauv(L, (count + 1) * sizeof(*array), 0);
  memset(array, 0, (count + 1) * sizeof(*array));
  return array;
}

/* Reads options.argv; leaves the array on the stack. The strings live in the options table. */
static const char **read_argv(lua_State *L) {
  if (lua_getfield(L, 1, "argv") != LUA_TTABLE) luaL_error(L, "argv has to be a list of strings");
  size_t count = lua_rawlen(L, -1);
  const char **argv = push_array(L, count);
  for (size_t i = 0; i < count; i++) {
    char what[32];
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    snprintf(what, sizeof(what), "argv[%zu]", i + 1);
    argv[i] = check_c_string(L, what);
    lua_pop(L, 1);
  }
  return argv;
}

/* 1 when the table at `index` sets or removes the variable of this "NAME=value" entry. */
static int is_overridden(lua_State *L, int index, const char *entry) {
  const char *equals = strchr(entry, '=');
  lua_pushlstring(L, entry, equals ? (size_t)(equals - entry) : strlen(entry));
  int type = lua_rawget(L, index);
  lua_pop(L, 1);
  return type != LUA_TNIL;
}

/* Ours, with the entries of options.env set ("text") or removed (false). Leaves three values on the stack: the table,
 * the array and a list that keeps the new strings. Returns NULL, leaving one value, when there is no env. */
static const char **read_environment(lua_State *L) {
  int type = lua_getfield(L, 1, "env");
  if (type == LUA_TNIL) return NULL;
  if (type != LUA_TTABLE) luaL_error(L, "env has to be a table of NAME = \"value\" (or false to remove one)");
  int table = lua_gettop(L);
  size_t count = 0;
  for (char **entry = environ; entry && *entry; entry++) count++;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) count++;
  const char **array = push_array(L, count);
  lua_newtable(L);
  int keep = lua_gettop(L);
  size_t used = 0;
  for (char **entry = environ; entry && *entry; entry++) {
    if (!is_overridden(L, table, *entry)) array[used++] = *entry;
  }
  lua_Integer kept = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || strchr(lua_tostring(L, -2), '=')) {
      luaL_error(L, "env has to be a table of NAME = \"value\"");
    }
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) continue;
    const char *value = check_c_string(L, "a value of env");
    array[used++] = lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), value);
    lua_rawseti(L, keep, ++kept);
  }
  return array;
}

static int read_flag(lua_State *L, const char *name, int otherwise) {
  int value = lua_getfield(L, 1, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static size_t read_size(lua_State *L, const char *name, size_t otherwise) {
  lua_Integer value = (lua_Integer)otherwise;
  if (lua_getfield(L, 1, name) != LUA_TNIL) {
    if (!lua_isinteger(L, -1) || (value = lua_tointeger(L, -1)) < 0) {
      luaL_error(L, "%s has to be a whole number of bytes", name);
    }
  }
  lua_pop(L, 1);
  return (size_t)value;
}

/* Reads argv, cwd and env; what they point to stays on the stack. */
static eva_spawn_plan read_plan(lua_State *L) {
  eva_spawn_plan plan = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstack(L, 16, NULL);
  plan.argv = read_argv(L);
  plan.environment = read_environment(L);
  if (lua_getfield(L, 1, "cwd") != LUA_TNIL) plan.cwd = check_c_string(L, "cwd");
  plan.has_stdin = read_flag(L, "stdin", 1);
  return plan;
}

/* ---- starting ---- */

/* process.spawn{argv, cwd, env, stdin = true, lines = false, output_limit, error_limit, error_tail = false, timeout_ms}
 * -> process | nil, message, code */
static int process_spawn(lua_State *L) {
  eva_error error = {0};
  eva_process_options options = {.plan = read_plan(L)};
  options.line_mode = read_flag(L, "lines", 0);
  options.error_tail = read_flag(L, "error_tail", 0);
  options.output_limit = read_size(L, "output_limit", OUTPUT_LIMIT_DEFAULT);
  options.error_limit = read_size(L, "error_limit", ERROR_LIMIT_DEFAULT);
  int has_timeout = lua_getfield(L, 1, "timeout_ms") != LUA_TNIL;
  lua_Number timeout_ms = has_timeout ? luaL_checknumber(L, -1) : -1;
  process_object *object = lua_newuserdatauv(L, sizeof(*object), 0);
  object->process = NULL;
  luaL_setmetatable(L, PROCESS_TYPE);
  object->process = eva_process_spawn(eva_vm_of(L)->loop, &options, &error);
  if (!object->process) return eva_push_error(L, &error);
  if (has_timeout) eva_process_deadline(object->process, (int64_t)timeout_ms);
  return 1;
}

/* process.find{argv, cwd, env} -> path of the file that would run | nil, message, code */
static int process_find(lua_State *L) {
  eva_error error = {0};
  eva_spawn_plan plan = read_plan(L);
  eva_buf *path = eva_push_buf(L);
  if (eva_spawn_find(&plan, path, &error)) return eva_push_error(L, &error);
  lua_pushlstring(L, path->data, path->len);
  return 1;
}

/* ---- waiting ---- */

typedef struct process_op {
  eva_op op;
  eva_process *process;
  eva_process_event event;
} process_op;

static void on_event(void *context) {
  process_op *waiting = context;
  eva_op_complete(&waiting->op);
}

/* What is given up while it waits leaves a child in an unknown state: it is killed. */
static void cancel_wait(eva_op *op) {
  process_op *waiting = (process_op *)op;
  eva_process_forget(waiting->process, waiting->event);
  eva_process_kill(waiting->process);
}

static void release_wait(eva_op *op) {
  process_op *waiting = (process_op *)op;
  eva_process_release(waiting->process);
  free(waiting);
}

static int await_event(lua_State *L, eva_process *process, eva_process_event event, const char *what,
                       int (*push)(eva_op *, lua_State *)) {
  process_op *waiting = eva_alloc_zeroed(1, sizeof(*waiting));
  waiting->op.what = what;
  waiting->op.push = push;
  waiting->op.cancel = cancel_wait;
  waiting->op.release = release_wait;
  waiting->process = process;
  waiting->event = event;
  if (!eva_process_when(process, event, on_event, waiting)) {
    free(waiting);
    return luaL_error(L, "another coroutine is waiting on this process already");
  }
  eva_process_retain(process);
  return eva_await(L, &waiting->op);
}

static void set_text(lua_State *L, const char *name, eva_text text) {
  lua_pushlstring(L, text.data, text.len);
  lua_setfield(L, -2, name);
}

/* Pushes {code|signal, timed_out, over, over_bytes, stdout, stderr}. */
static int push_end(lua_State *L, const eva_process *process) {
  eva_process_end end = eva_process_result(process);
  lua_createtable(L, 0, 6);
  if (end.code >= 0) {
    lua_pushinteger(L, end.code);
    lua_setfield(L, -2, "code");
  } else {
    const char *name = signal_name(end.signal);
    if (name) lua_pushstring(L, name);
    else if (end.signal < 0) lua_pushliteral(L, "unknown");
    else lua_pushfstring(L, "signal %d", end.signal);
    lua_setfield(L, -2, "signal");
  }
  if (end.timed_out) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "timed_out");
  }
  if (end.over != EVA_PROCESS_NO_STREAM) {
    lua_pushstring(L, end.over == EVA_PROCESS_STDOUT ? "stdout" : "stderr");
    lua_setfield(L, -2, "over");
    lua_pushinteger(L, (lua_Integer)end.over_bytes);
    lua_setfield(L, -2, "over_bytes");
  }
  set_text(L, "stdout", eva_process_output(process));
  set_text(L, "stderr", eva_process_errors(process));
  return 1;
}

static int push_ended(eva_op *op, lua_State *L) { return push_end(L, ((process_op *)op)->process); }

/* process:wait() -> {code | signal, timed_out, over, over_bytes, stdout, stderr} */
static int process_wait(lua_State *L) {
  eva_process *process = check_process(L);
  if (eva_process_is_ready(process, EVA_PROCESS_ENDED)) return push_end(L, process);
  return await_event(L, process, EVA_PROCESS_ENDED, "the end of a process", push_ended);
}

/* process:finish(text|nil): writes the text while reading, closes stdin, and waits: see wait. */
static int process_finish(lua_State *L) {
  eva_process *process = check_process(L);
  eva_text text = eva_optional_text(L, 2);
  if (text.len) eva_process_write(process, text.data, text.len);
  eva_process_close_input(process);
  return process_wait(L);
}

static int push_written(lua_State *L, const eva_process *process) {
  eva_error error = {0};
  if (eva_process_has_input(process)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  eva_error_set(&error, EVA_E_IO, NULL, "the process has closed its stdin");
  return eva_push_error(L, &error);
}

static int push_written_op(eva_op *op, lua_State *L) { return push_written(L, ((process_op *)op)->process); }

/* process:write(text) -> true | nil, message, code; waits until the text is in the pipe. */
static int process_write(lua_State *L) {
  eva_process *process = check_process(L);
  eva_text text = eva_check_text(L, 2);
  eva_process_write(process, text.data, text.len);
  if (eva_process_is_ready(process, EVA_PROCESS_WRITTEN)) return push_written(L, process);
  return await_event(L, process, EVA_PROCESS_WRITTEN, "a process to read its stdin", push_written_op);
}

/* Pushes line, nil at the end, or nil, message, code. */
static int push_line(lua_State *L, eva_process *process) {
  eva_error error = {0};
  eva_text line;
  if (eva_process_take_line(process, &line, &error)) return eva_push_error(L, &error);
  if (line.data) lua_pushlstring(L, line.data, line.len);
  else lua_pushnil(L);
  return 1;
}

static int push_line_op(eva_op *op, lua_State *L) { return push_line(L, ((process_op *)op)->process); }

/* process:read_line() -> line without its newline | nil at the end of stdout | nil, message, code */
static int process_read_line(lua_State *L) {
  eva_process *process = check_process(L);
  int count = push_line(L, process);
  if (count > 1 || !lua_isnil(L, -1) || eva_process_is_ready(process, EVA_PROCESS_LINE)) return count;
  lua_pop(L, 1);
  return await_event(L, process, EVA_PROCESS_LINE, "a line from a process", push_line_op);
}

/* ---- the rest ---- */

static int process_close_input(lua_State *L) {
  eva_process_close_input(check_process(L));
  return 0;
}

static int process_kill(lua_State *L) {
  eva_process_kill(check_process(L));
  return 0;
}

static int process_close(lua_State *L) {
  process_object *object = check_object(L);
  eva_process *process = object->process;
  object->process = NULL;
  if (!process) return 0;
  eva_process_close(process);
  eva_process_release(process);
  return 0;
}

/* process:deadline(ms|nil): kills it then, or lifts the deadline. */
static int process_deadline(lua_State *L) {
  eva_process *process = check_process(L);
  eva_process_deadline(process, lua_isnoneornil(L, 2) ? -1 : (int64_t)luaL_checknumber(L, 2));
  return 0;
}

static int process_errors(lua_State *L) {
  eva_push_text(L, eva_process_errors(check_process(L)));
  return 1;
}

static int process_is_alive(lua_State *L) {
  eva_process *process = check_object(L)->process;
  lua_pushboolean(L, process && eva_process_is_alive(process));
  return 1;
}

static int process_has_timed_out(lua_State *L) {
  lua_pushboolean(L, eva_process_result(check_process(L)).timed_out);
  return 1;
}

static int process_pid(lua_State *L) {
  lua_pushinteger(L, eva_process_pid(check_process(L)));
  return 1;
}

static int process_own_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

static int process_live_count(lua_State *L) {
  lua_pushinteger(L, eva_process_live_count());
  return 1;
}

static const luaL_Reg process_methods[] = {
    {"finish", process_finish},           /* process:finish(text|nil) -> end */
    {"wait", process_wait},               /* process:wait() -> end */
    {"write", process_write},             /* process:write(text) -> true | nil, message, code */
    {"close_input", process_close_input}, /* process:close_input() */
    {"read_line", process_read_line},     /* process:read_line() -> line | nil | nil, message, code */
    {"errors", process_errors},           /* process:errors() -> stderr so far, or its tail */
    {"deadline", process_deadline},       /* process:deadline(ms|nil) */
    {"is_alive", process_is_alive},       /* process:is_alive() -> boolean */
    {"has_timed_out", process_has_timed_out}, /* process:has_timed_out() -> boolean: killed at its deadline */
    {"pid", process_pid},                 /* process:pid() -> integer */
    {"kill", process_kill},               /* process:kill() */
    {"close", process_close},             /* process:close() */
    {"__gc", process_close},
    {"__close", process_close},
    {NULL, NULL},
};

static const luaL_Reg module_functions[] = {
    {"spawn", process_spawn},           /* spawn{...} -> process | nil, message, code */
    {"find", process_find},             /* find{argv, cwd, env} -> path | nil, message, code */
    {"slots", eva_process_slots_new},   /* slots(limit) -> slots */
    {"own_pid", process_own_pid},       /* own_pid() -> integer */
    {"live_count", process_live_count}, /* live_count() -> integer: children alive */
    {NULL, NULL},
};

int luaopen_evalua_native_process(lua_State *L) {
  luaL_newmetatable(L, PROCESS_TYPE);
  luaL_setfuncs(L, process_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  eva_process_slots_register(L);
  luaL_newlib(L, module_functions);
  lua_pushinteger(L, EVA_PROCESS_MAX);
  lua_setfield(L, -2, "processes_max");
  return 1;
}
