/* evalua.native.task: sleeping, and running functions at the same time in scopes of their own. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/alarm.h"
#include "lua/call.h"
#include "lua/task.h"

/* ==== sleep ==== */

typedef struct sleep_op {
  eva_op op;
  eva_alarm alarm;
  eva_alarms *alarms;
} sleep_op;

static int sleep_push(eva_op *op, lua_State *L) {
  (void)op;
  (void)L;
  return 0;
}

static void sleep_cancel(eva_op *op) {
  sleep_op *sleep = (sleep_op *)op;
  eva_alarm_stop(sleep->alarms, &sleep->alarm);
}

static void sleep_release(eva_op *op) { free(op); }

static void sleep_done(eva_alarm *alarm) {
  eva_op_complete(&((sleep_op *)((char *)alarm - offsetof(sleep_op, alarm)))->op);
}

/* sleep(ms): waits at least that long. */
static int l_sleep(lua_State *L) {
  lua_Number ms = luaL_checknumber(L, 1);
  luaL_argcheck(L, ms >= 0 && ms < 1e12, 1, "a duration from 0 to 1e12 ms");
  eva_vm *vm = eva_vm_of(L);
  if (!vm->alarms) vm->alarms = eva_alarms_open(vm->loop);
  if (!vm->alarms) return luaL_error(L, "cannot wait: out of file descriptors");
  sleep_op *sleep = eva_alloc_zeroed(1, sizeof *sleep);
  sleep->op = (eva_op){.what = "sleep", .push = sleep_push, .cancel = sleep_cancel, .release = sleep_release};
  sleep->alarms = vm->alarms;
  sleep->alarm = (eva_alarm){.until_ns = eva_clock_monotonic_ns() + (uint64_t)(ms * 1e6), .ring = sleep_done};
  eva_alarm_set(vm->alarms, &sleep->alarm);
  return eva_await(L, &sleep->op);
}

/* ==== groups ==== */

typedef struct group_op {
  eva_op op;
  int count, next, active, limit;
  int is_starting;     /* children that end now end inside group_start */
  int timeout_field;   /* elements are tables with an integer timeout_ms */
  int list_ref, function_ref; /* registry: what is still to start */
  eva_vm *vm;
  eva_scope **scopes;  /* [count]; NULL before its start */
} group_op;

static void group_start(group_op *group, lua_State *L);

static int group_push(eva_op *op, lua_State *L);

/* The scopes are children of the waiting scope and go with it; outside of any scope they are given up here. */
static void group_cancel(eva_op *op) {
  group_op *group = (group_op *)op;
  for (int index = 0; index < group->count; index++) {
    eva_scope *scope = group->scopes[index];
    if (!scope) continue;
    scope->ended = NULL;
    eva_scope_give_up(scope, EVA_GIVEN_UP);
  }
}

static void group_release(eva_op *op) {
  group_op *group = (group_op *)op;
  for (int index = 0; index < group->count; index++) {
    if (group->scopes[index]) eva_scope_recycle(group->scopes[index]);
  }
  luaL_unref(group->vm->L, LUA_REGISTRYINDEX, group->list_ref);
  luaL_unref(group->vm->L, LUA_REGISTRYINDEX, group->function_ref);
  free(group->scopes);
  free(group);
}

static int start_more(lua_State *L) {
  group_start(lua_touserdata(L, 1), L);
  return 0;
}

static void group_child_ended(eva_scope *scope) {
  group_op *group = scope->owner;
  group->active--;
  if (group->is_starting) return;
  if (group->next < group->count) {
    eva_error error;
    eva_scope *outer = group->vm->scope;
    group->vm->scope = group->op.scope->co ? group->op.scope : NULL;
    if (eva_call_protected(group->vm, start_more, group, &error) != EVA_OK) {
      group->is_starting = 0;
      group->next = group->count; /* out of memory: those that did not start have failed */
    }
    group->vm->scope = outer;
  }
  if (group->active == 0) eva_op_complete(&group->op);
}

/* FNV-1a with the top bit set: never the number of a child. */
static uint64_t salt_of(const char *name) {
  uint64_t hash = 14695981039346656037u;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 1099511628211u;
  return hash | (uint64_t)1 << 63;
}

/* Starts functions until the limit is met. Stack of L: whatever; may raise before a child has started. */
static void group_start(group_op *group, lua_State *L) {
  group->is_starting = 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, group->list_ref);
  int list = lua_gettop(L);
  while (group->next < group->count && group->active < group->limit) {
    int index = group->next;
    eva_scope *scope = eva_scope_new(L, group->vm->scope);
    group->scopes[index] = scope;
    group->next++;
    scope->index = index;
    scope->owner = group;
    scope->ended = group_child_ended;
    int64_t timeout_ms = 0;
    int arguments = 0;
    if (group->function_ref != LUA_NOREF) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, group->function_ref);
      arguments = 1;
    }
    lua_rawgeti(L, list, index + 1);
    if (group->timeout_field) {
      lua_pushliteral(L, "timeout_ms");
      lua_rawget(L, -2);
      timeout_ms = (int64_t)ceil(lua_tonumber(L, -1));
      lua_pop(L, 1);
      lua_pushliteral(L, "name");
      if (lua_rawget(L, -2) == LUA_TSTRING) scope->salt = salt_of(lua_tostring(L, -1));
      lua_pop(L, 1);
    }
    lua_xmove(L, scope->co, arguments + 1);
    group->active++;
    eva_scope_start(scope, arguments, timeout_ms);
  }
  group->is_starting = 0;
  lua_settop(L, list - 1);
}

/* Pushes {ok = true, value = v} or {ok = false, error = e, trace = t, timed_out = true}. */
static void push_ended(lua_State *L, eva_scope *scope) {
  lua_createtable(L, 0, 3);
  lua_pushboolean(L, scope->outcome == EVA_FINISHED);
  lua_setfield(L, -2, "ok");
  if (scope->outcome == EVA_FINISHED) {
    if (scope->result_count == 0) return;
    lua_pushvalue(scope->co, -scope->result_count);
    lua_xmove(scope->co, L, 1);
    lua_setfield(L, -2, "value");
    return;
  }
  if (scope->outcome == EVA_FAILED) {
    eva_push_trace(L, scope->co, 0);
    lua_setfield(L, -2, "trace");
    lua_pushvalue(scope->co, -1);
    lua_xmove(scope->co, L, 1);
    if (eva_scope_close(scope) && scope->timeout_ms) {
      lua_pushboolean(L, 1);
      lua_setfield(L, -3, "timed_out");
    }
  } else {
    lua_pushboolean(L, scope->outcome == EVA_TIMED_OUT);
    lua_setfield(L, -2, "timed_out");
    lua_pushliteral(L, "given up");
  }
  lua_setfield(L, -2, "error");
}

static int group_push(eva_op *op, lua_State *L) {
  group_op *group = (group_op *)op;
  lua_createtable(L, group->count, 0);
  for (int index = 0; index < group->count; index++) {
    if (group->scopes[index]) {
      push_ended(L, group->scopes[index]);
    } else {
      lua_createtable(L, 0, 2);
      lua_pushboolean(L, 0);
      lua_setfield(L, -2, "ok");
      lua_pushliteral(L, "not enough memory");
      lua_setfield(L, -2, "error");
    }
    lua_rawseti(L, -2, index + 1);
  }
  return 1;
}

static group_op *group_new(lua_State *L, int list, int function, int count) {
  lua_pushvalue(L, list);
  int list_ref = luaL_ref(L, LUA_REGISTRYINDEX), function_ref = LUA_NOREF;
  if (function) {
    lua_pushvalue(L, function);
    function_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  group_op *group = eva_alloc_zeroed(1, sizeof *group);
  group->op = (eva_op){.what = "eval.all", .push = group_push, .cancel = group_cancel, .release = group_release};
  group->vm = eva_vm_of(L);
  group->count = count;
  group->limit = count;
  group->list_ref = list_ref;
  group->function_ref = function_ref;
  group->scopes = eva_alloc_zeroed((size_t)count + 1, sizeof *group->scopes);
  return group;
}

static int group_run(lua_State *L, group_op *group) {
  group_start(group, L);
  if (group->active == 0 && group->next == group->count) group->op.done = 1;
  return eva_await(L, &group->op);
}

/* all(list of functions, max) -> list of {ok, value | error, trace}, in order, when all have ended. */
static int l_all(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer limit = luaL_optinteger(L, 2, LUA_MAXINTEGER);
  int count = (int)lua_rawlen(L, 1);
  group_op *group = group_new(L, 1, 0, count);
  if (limit >= 1 && limit < count) group->limit = (int)limit;
  return group_run(L, group);
}

/* map(function, list of tables): all of function(list[i]) at the same time; each is given up after its timeout_ms. Those
 * with a `name` have random numbers that depend on it, not on the others in the list. */
static int l_map(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TTABLE);
  group_op *group = group_new(L, 2, 1, (int)lua_rawlen(L, 2));
  group->timeout_field = 1;
  return group_run(L, group);
}

/* ==== one function with a deadline ==== */

typedef struct attempt_op {
  eva_op op;
  eva_scope *scope;
} attempt_op;

static int attempt_push(eva_op *op, lua_State *L) {
  eva_scope *scope = ((attempt_op *)op)->scope;
  if (scope->outcome == EVA_FINISHED) {
    int count = scope->result_count;
    lua_pushliteral(L, "ok");
    luaL_checkstack(L, count, "too many results");
    lua_xmove(scope->co, L, count);
    scope->result_count = 0;
    return 1 + count;
  }
  if (scope->outcome == EVA_FAILED) {
    lua_pushliteral(L, "error");
    lua_pushvalue(scope->co, -1);
    lua_xmove(scope->co, L, 1);
    eva_push_trace(L, scope->co, 0);
    if (!eva_scope_close(scope)) return 3;
    lua_pushliteral(L, "timeout");
    return 1;
  }
  lua_pushliteral(L, "timeout");
  return 1;
}

static void attempt_cancel(eva_op *op) {
  eva_scope *scope = ((attempt_op *)op)->scope;
  scope->ended = NULL;
  eva_scope_give_up(scope, EVA_GIVEN_UP);
}

static void attempt_release(eva_op *op) {
  eva_scope_recycle(((attempt_op *)op)->scope);
  free(op);
}

static void attempt_ended(eva_scope *scope) { eva_op_complete(scope->owner); }

/* attempt(timeout_ms, function, ...) -> "ok", results... | "error", error, trace | "timeout" */
static int l_attempt(lua_State *L) {
  int64_t timeout_ms = (int64_t)ceil(luaL_checknumber(L, 1));
  luaL_checktype(L, 2, LUA_TFUNCTION);
  eva_vm *vm = eva_vm_of(L);
  eva_scope *scope = eva_scope_new(L, vm->scope);
  int count = lua_gettop(L) - 1;
  attempt_op *attempt = eva_alloc_zeroed(1, sizeof *attempt);
  attempt->op =
      (eva_op){.what = "the target", .push = attempt_push, .cancel = attempt_cancel, .release = attempt_release};
  attempt->scope = scope;
  scope->owner = &attempt->op;
  scope->ended = attempt_ended;
  lua_xmove(L, scope->co, count);
  eva_scope_start(scope, count - 1, timeout_ms);
  return eva_await(L, &attempt->op);
}

/* ==== what runs ==== */

/* item() -> the slot of the running item in this process (a light userdata) and the tag of the running scope | nil */
static int l_item(lua_State *L) {
  const eva_scope *scope = eva_vm_of(L)->scope;
  if (!scope || !scope->item) return 0;
  lua_pushlightuserdata(L, scope->item);
  lua_pushinteger(L, scope->tag);
  return 2;
}

/* tag(number): marks the running scope, and those that it starts from here on. */
static int l_tag(lua_State *L) {
  eva_scope *scope = eva_vm_of(L)->scope;
  if (scope) scope->tag = (int)luaL_checkinteger(L, 1);
  return 0;
}

/* excused_ms() -> how long the running scope has waited for permits: not its own time */
static int l_excused_ms(lua_State *L) {
  const eva_scope *scope = eva_vm_of(L)->scope;
  lua_pushnumber(L, scope ? (double)scope->excused_ns / 1e6 : 0);
  return 1;
}

/* lineage() -> the number of the running scope, of its parent, and so on. The last one is 0 where that is the script itself,
 * outside of all items. */
static int l_lineage(lua_State *L) {
  const eva_vm *vm = eva_vm_of(L);
  lua_settop(L, 0);
  for (const eva_scope *scope = vm->scope; scope; scope = scope->parent) {
    luaL_checkstack(L, 2, "too many scopes");
    lua_pushinteger(L, (lua_Integer)scope->serial);
  }
  if (!vm->in_worker) lua_pushinteger(L, 0);
  return lua_gettop(L);
}

static const luaL_Reg MODULE[] = {{"lineage", l_lineage}, {"turns", eva_lua_turns},
                                  {"excused_ms", l_excused_ms}, {"sleep", l_sleep},     {"all", l_all},   {"map", l_map},
                                  {"attempt", l_attempt}, {"item", l_item}, {"tag", l_tag},
                                  {NULL, NULL}};

int luaopen_evalua_native_task(lua_State *L) {
  luaL_newlib(L, MODULE);
  return 1;
}
