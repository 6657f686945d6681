/* evalua.native.engine, the coordinator's side: hands a selection to the engine and reports how it goes. */
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lua/call.h"
#include "lua/engine_private.h"
#include "lua/interrupt.h"
#include "lua/lib_desk.h"
#include "lua/lib_store.h"

enum { TRIM_FROM = 4 * 1024 * 1024 /* bytes of Lua: below, a full collection costs more than it gives back */ };
enum { MEMORY_PER_WORKER = 1024 * 1024 * 1024 }; /* the default of memory_per_worker, in bytes */

static void push_progress(lua_State *L, const eva_run_progress *progress) {
  lua_createtable(L, 0, 8);
  lua_pushinteger(L, progress->total);
  lua_setfield(L, -2, "total");
  lua_pushinteger(L, progress->done);
  lua_setfield(L, -2, "done");
  lua_pushinteger(L, progress->failed);
  lua_setfield(L, -2, "failed");
  lua_pushinteger(L, progress->in_flight);
  lua_setfield(L, -2, "in_flight");
  lua_pushinteger(L, progress->waiting);
  lua_setfield(L, -2, "waiting");
  lua_pushinteger(L, progress->retrying);
  lua_setfield(L, -2, "retrying");
  lua_pushinteger(L, progress->own_scorers);
  lua_setfield(L, -2, "own_scorers");
  if (!progress->slow.position) return;
  lua_createtable(L, 0, 3);
  eva_push_text(L, progress->slow.id);
  lua_setfield(L, -2, "item_id");
  lua_pushinteger(L, progress->slow.running_ms);
  lua_setfield(L, -2, "running_ms");
  eva_push_text(L, progress->slow.doing);
  lua_setfield(L, -2, "doing");
  lua_setfield(L, -2, "slowest");
}

typedef struct notice {
  engine *engine;
  const char *callback;
  const eva_run_progress *progress;
  int64_t from, to;
} notice;

static int notify(lua_State *L) {
  notice *told = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, EVA_ENGINE_SPEC);
  if (lua_getfield(L, -1, told->callback) != LUA_TFUNCTION) return 0;
  push_progress(L, told->progress);
  lua_pushinteger(L, told->from);
  lua_pushinteger(L, told->to);
  lua_call(L, 3, 0);
  return 0;
}

/* A report that fails must not end the run: said once, on stderr. */
static void tell(engine *e, notice told) {
  eva_error error;
  if (eva_call_protected(e->vm, notify, &told, &error) == EVA_OK) return;
  if (e->spare.len) return;
  eva_buf_add_string(&e->spare, error.message);
  fprintf(stderr, "evalua: warning: reporting progress failed: %s\n", error.message);
}

/* The coordinator calls it outside of its loop, so that after_each may wait. */
static void on_commit(void *context, int64_t from, int64_t to, const eva_run_progress *progress) {
  ((engine *)context)->vm->is_in_loop = 0;
  tell(context, (notice){context, "on_commit", progress, from, to});
  ((engine *)context)->vm->is_in_loop = 1;
}

static void on_tick(void *context, const eva_run_progress *progress) {
  tell(context, (notice){context, "on_tick", progress, 0, 0});
}

static int is_aborted(void *context) {
  const engine *e = context;
  return e->signal && atomic_load(e->signal) == 2;
}

static int64_t spec_integer(lua_State *L, const char *name, int64_t otherwise) {
  int64_t value = lua_getfield(L, 1, name) == LUA_TNIL ? otherwise : (int64_t)ceil(luaL_checknumber(L, -1));
  lua_pop(L, 1);
  return value;
}

static double spec_number(lua_State *L, const char *name) {
  double value = lua_getfield(L, 1, name) == LUA_TNIL ? 0 : luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return value;
}

/* max_failures is a share below 1 and a count from 1 on. */
static eva_early_rules spec_early(lua_State *L) {
  double failures = spec_number(L, "max_failures");
  return (eva_early_rules){.max_failures = failures >= 1 ? (int64_t)failures : 0,
                           .max_failure_share = failures < 1 ? failures : 0,
                           .run_tokens = (int64_t)spec_number(L, "run_tokens"),
                           .run_cost = spec_number(L, "run_cost"),
                           .spent_tokens = spec_number(L, "spent_tokens"),
                           .spent_cost = spec_number(L, "spent_cost")};
}

static eva_job_set spec_job_set(lua_State *L) {
  static const char *const sets[] = {"all", "missing", "failed", "unscored", "unscored_any", NULL};
  lua_getfield(L, 1, "jobs");
  eva_job_set set = (eva_job_set)luaL_checkoption(L, -1, "all", sets);
  lua_pop(L, 1);
  return set;
}

static const char *end_name(eva_run_end end) {
  static const char *const names[] = {"completed", "cancelled", "timeout",      "max_failures",
                                      "stopped",   "budget",    "script_error", "broken"};
  return names[end];
}

/* run{store, experiment_id, total, selected, jobs, max_concurrency, workers, max_retries, max_failures, timeout_ms,
 * item_timeout_ms, run_tokens, run_cost, spent_tokens, spent_cost, seed, run_item, open_worker, on_commit(progress, from, to),
 * on_tick(progress)} -> end, progress, message. `jobs` is all, missing or failed, of "ID@SET" unscored or unscored_any; `total` their number, `selected` that
 * of the whole selection. `end` is completed, cancelled, timeout, or with a message max_failures, stopped, budget,
 * script_error, broken. */
static int l_run(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (vm->in_worker || vm->scope || eva_engine_now) {
    return luaL_error(L, "an experiment cannot be started inside an item");
  }
  eva_run_options options = {.loop = vm->loop, .desk = eva_lua_desk(vm),
                             .on_commit = on_commit, .on_tick = on_tick,
                             .is_aborted = is_aborted};
  lua_getfield(L, 1, "store");
  options.store = eva_lua_check_store(L, -1);
  lua_getfield(L, 1, "experiment_id");
  options.experiment_id = luaL_checkstring(L, -1); /* stays on the stack */
  options.total = spec_integer(L, "total", 0);
  options.max_concurrency = (int)spec_integer(L, "max_concurrency", 1);
  options.workers = (int)spec_integer(L, "workers", 1);
  options.max_retries = (int)spec_integer(L, "max_retries", 0);
  options.early = spec_early(L);
  options.timeout_ms = spec_integer(L, "timeout_ms", 0);
  options.rss_per_worker = spec_integer(L, "rss_per_worker", 0);
  options.selected = spec_integer(L, "selected", options.total);
  options.set = spec_job_set(L);
  luaL_argcheck(L, options.max_concurrency >= 1, 1, "max_concurrency is at least 1");
  luaL_argcheck(L, options.workers >= 1 && options.workers <= EVA_WORKERS_MAX, 1, "workers: 1 to 256");
  if (options.workers > options.max_concurrency) options.workers = options.max_concurrency;
  luaL_checkstack(L, 20, "run");
  if (eva_interrupt_came()) return eva_interrupt_raise(L);
  engine e = {.vm = vm,
              .slots = options.max_concurrency,
              .item_timeout_ms = spec_integer(L, "item_timeout_ms", 0),
              .memory_limit = spec_integer(L, "memory_per_worker", MEMORY_PER_WORKER)};
  e.limits = (item_limits){.tokens = spec_number(L, "item_tokens"),
                           .cost = spec_number(L, "item_cost"),
                           .steps = spec_number(L, "item_steps"),
                           .processes = (int)spec_integer(L, "item_processes", 0),
                           .requests = (int)spec_integer(L, "item_requests", 0)};
  eva_worker_program program = eva_engine_program(&e);
  options.program = &program;
  if (lua_getfield(L, 1, "signal") != LUA_TNIL) { /* the table keeps it alive */
    e.signal = eva_shared_flag_state(L, -1);
  }
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, EVA_ENGINE_SPEC);
  snprintf(e.seed, sizeof e.seed, "%lld", (long long)spec_integer(L, "seed", 0));
  options.context = &e;
  eva_run_progress progress = {0};
  eva_error error;
  eva_engine_now = &e;
  vm->is_in_loop = 1;
  eva_run_end end = eva_coordinate(&options, &progress, &error);
  eva_engine_now = NULL;
  vm->is_in_loop = 0;
  eva_buf_free(&e.spare);
  lua_pushstring(L, end_name(end));
  push_progress(L, &progress);
  if (!error.message[0]) return 2;
  lua_pushstring(L, error.message);
  return 3;
}

/* current_item() -> id of the item that runs, or nil */
static int l_current_item(lua_State *L) {
  running_item *item = eva_engine_item(L);
  if (!item) return 0;
  lua_pushlstring(L, item->item_id.data, item->item_id.len);
  return 1;
}

static int l_in_worker(lua_State *L) {
  lua_pushboolean(L, eva_vm_of(L)->in_worker);
  return 1;
}

/* trim(): collects garbage and gives free memory back to the system, before workers are forked. */
static int l_trim(lua_State *L) {
  eva_vm_settle(eva_vm_of(L));
  if (eva_vm_of(L)->memory_used > TRIM_FROM) {
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
  }
  malloc_trim(0);
  return 0;
}

/* commit(): what the running experiment is about to store is stored, so that a transaction can begin. */
static int l_commit(lua_State *L) {
  (void)L;
  eva_coordinator_commit();
  return 0;
}

static const luaL_Reg MODULE[] = {{"cached", eva_engine_cached},
                                  {"charge", eva_engine_charge},
                                  {"memory", eva_engine_memory},
                                  {"open", eva_engine_open},
                                  {"spent", eva_engine_spent},
                                  {"stage", eva_engine_stage},
                                  {"target_retries", eva_engine_target_retries},
                                  {"commit", l_commit},
                                  {"current_item", l_current_item},
                                  {"emit", eva_engine_emit},
                                  {"in_worker", l_in_worker},
                                  {"run", l_run},
                                  {"call_hook", eva_interrupt_call},
                                  {"guard", eva_interrupt_guard},
                                  {"trim", l_trim},
                                  {"signal", eva_shared_flag_new},
                                  {NULL, NULL}};

int luaopen_evalua_native_engine(lua_State *L) {
  eva_shared_flag_register(L);
  eva_item_limits_register(L);
  luaL_newlib(L, MODULE);
  return 1;
}
