/* evalua.native.engine: runs the items of an experiment. In the coordinator it hands a selection to the engine; in a
 * worker it starts a coroutine for each job and turns what the item's Lua emits into a result frame. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/id.h"
#include "data/json.h"
#include "engine/coordinator.h"
#include "io/alarm.h"
#include "io/process_spawn.h"
#include "lua/call.h"
#include "lua/lib_store.h"
#include "lua/task.h"

enum { TRIM_FROM = 4 * 1024 * 1024 /* bytes of Lua: below, a full collection costs more than it gives back */ };
enum { RESULT_BYTES_MAX = 256 * 1024 * 1024 }; /* of one result with everything in it; below EVA_FRAME_MAX */
enum { MEMORY_PER_WORKER = 1024 * 1024 * 1024 }; /* bytes of Lua beyond what the suite holds at the fork */

/* A job in a slot of this worker. */
typedef struct running_item {
  eva_worker *worker;
  int slot;
  int64_t position;
  int attempt, trial;
  int64_t item_version;
  eva_buf item_id;
  int64_t started_at_ms;
  int is_emitted;
} running_item;

typedef struct engine {
  eva_vm *vm;
  char seed[32];
  int slots;           /* max_concurrency: no worker has more */
  running_item *items; /* in a worker: by slot */
  eva_buf spare;       /* error texts */
  _Atomic int *signal; /* of the script's signal; NULL: none */
} engine;

static const char SPEC[] = "evalua.run"; /* in the registry: the options of the run */
static engine *current_engine; /* of this process; set while it runs an experiment */

/* ==== Worker: items ==== */

static running_item *item_of(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  return vm->scope ? vm->scope->item : NULL;
}

static void seed_item(eva_scope *scope) {
  running_item *item = scope->item;
  eva_buf text = {0};
  if (!item) return;
  eva_buf_printf(&text, "%s\n%.*s\n%d", current_engine->seed, (int)item->item_id.len, item->item_id.data, item->trial);
  eva_sha256_of(text.data, text.len, scope->seed);
  eva_buf_free(&text);
}

static eva_worker *this_worker;

static void note_cpu(eva_vm *vm) {
  running_item *item = vm->scope ? vm->scope->item : NULL;
  eva_worker_on_cpu(this_worker, item ? item->position : 0, vm->slice_ns);
}

static void put_head(running_item *item, eva_buf *out, eva_result_head *head) {
  head->position = item->position;
  head->attempt = item->attempt;
  head->trial = item->trial;
  head->item_version = item->item_version;
  head->item_id = eva_buf_text(&item->item_id);
  head->started_at_ms = item->started_at_ms;
  head->completed_at_ms = eva_clock_wall_ms();
  eva_put_result_head(out, head);
  item->is_emitted = 1;
}

static eva_text raw_text(lua_State *L, int index, const char *name) {
  lua_pushstring(L, name);
  eva_text text = EVA_TEXT_NONE;
  if (lua_rawget(L, index < 0 ? index - 1 : index) == LUA_TSTRING) text.data = lua_tolstring(L, -1, &text.len);
  lua_pop(L, 1); /* the table keeps it alive */
  return text;
}

static int raw_passed(lua_State *L, int index) {
  lua_pushliteral(L, "passed");
  int type = lua_rawget(L, index);
  int passed = type == LUA_TBOOLEAN ? lua_toboolean(L, -1) : -1;
  lua_pop(L, 1);
  return passed;
}

/* One outcome (a table) of one scorer (a table with id, name, step_id), at absolute indexes. */
static void put_outcome(lua_State *L, eva_buf *out, int scorer, int outcome) {
  eva_score_row row = {.scorer_id = raw_text(L, scorer, "id"),
                       .scorer_name = raw_text(L, scorer, "name"),
                       .step_id = raw_text(L, scorer, "step_id"),
                       .label = raw_text(L, outcome, "label"),
                       .reason = raw_text(L, outcome, "reason"),
                       .error = raw_text(L, outcome, "error"),
                       .status = raw_text(L, outcome, "status"),
                       .metadata = raw_text(L, outcome, "metadata"),
                       .passed = raw_passed(L, outcome),
                       .latency_ms = -1};
  lua_pushliteral(L, "score");
  if (lua_rawget(L, outcome) == LUA_TNUMBER) {
    row.has_score = 1;
    row.score = lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  eva_put_score(out, &row);
}

/* emit(status, passed, output, error, latency_ms, is_permanent, is_repaired, extras, scorers, outcomes): the result of
 * the running item. Texts are JSON; extras is nil or {usage, steps, trajectory, context, metadata}; outcomes is a list
 * beside scorers whose error and metadata are JSON texts. */
static int l_emit(lua_State *L) {
  static const char *const statuses[] = {"ok", "error", "timeout", "limited", NULL};
  static const char *const extras[] = {"usage", "steps", "trajectory", "context", "metadata"};
  running_item *item = item_of(L);
  if (!item || item->is_emitted) return luaL_error(L, "emit: there is no item, or its result is known already");
  luaL_checkstack(L, 20, "emit");
  eva_result_head head = {.status = (eva_status)luaL_checkoption(L, 1, NULL, statuses),
                          .passed = lua_isboolean(L, 2) ? lua_toboolean(L, 2) : -1,
                          .latency_ms = luaL_optnumber(L, 5, -1),
                          .permanent = lua_toboolean(L, 6),
                          .output_repaired = lua_toboolean(L, 7)};
  eva_text output = eva_optional_text(L, 3), error = eva_optional_text(L, 4);
  int has_extras = lua_istable(L, 8);
  luaL_checktype(L, 9, LUA_TTABLE);
  luaL_checktype(L, 10, LUA_TTABLE);
  uint32_t count = (uint32_t)lua_rawlen(L, 10);
  /* From here on nothing raises: raw reads of tables only. */
  eva_buf *out = eva_worker_out(item->worker);
  size_t offset = eva_frame_begin(out, EVA_FRAME_RESULT);
  put_head(item, out, &head);
  eva_put_text(out, output);
  eva_put_text(out, error);
  for (size_t index = 0; index < sizeof extras / sizeof *extras; index++) {
    eva_put_text(out, has_extras ? raw_text(L, 8, extras[index]) : EVA_TEXT_NONE);
  }
  eva_put_u32(out, count);
  for (uint32_t index = 1; index <= count; index++) {
    lua_rawgeti(L, 9, index);
    lua_rawgeti(L, 10, index);
    put_outcome(L, out, lua_gettop(L) - 1, lua_gettop(L));
    lua_pop(L, 2);
  }
  if (out->len - offset > RESULT_BYTES_MAX) { /* what the scorers said, or info: outputs have a smaller limit */
    out->len = offset;
    item->is_emitted = 0;
    return luaL_error(L, "the result of the item, with info and scores, has more than %d bytes (result_bytes)",
                      RESULT_BYTES_MAX);
  }
  eva_frame_end(out, offset);
  return 0;
}

/* The item's own Lua ended without a result: an error of ours, or no memory. */
static void emit_failure(engine *e, running_item *item, eva_scope *scope) {
  eva_text text = EVA_TEXT_LITERAL("the item ended without a result");
  if (scope->outcome == EVA_FAILED && lua_type(scope->co, -1) == LUA_TSTRING) {
    text.data = lua_tolstring(scope->co, -1, &text.len);
  }
  int is_memory = text.len == strlen("not enough memory") && memcmp(text.data, "not enough memory", text.len) == 0;
  eva_result_head head = {.status = is_memory ? EVA_STATUS_LIMITED : EVA_STATUS_ERROR, .passed = 0, .latency_ms = -1};
  eva_buf *out = eva_worker_out(item->worker);
  eva_buf_clear(&e->spare);
  eva_buf_printf(&e->spare, "{\"code\":\"%s\",\"message\":", is_memory ? "memory_per_worker" : "internal");
  if (is_memory) text = EVA_TEXT_LITERAL("not enough memory: the limit (memory_per_worker) is 1 GiB");
  eva_json_write_string(&e->spare, text.data, text.len);
  eva_buf_add_char(&e->spare, '}');
  size_t offset = eva_frame_begin(out, EVA_FRAME_RESULT);
  put_head(item, out, &head);
  for (int index = 0; index < EVA_RESULT_TEXTS; index++) {
    eva_put_text(out, index == 1 ? eva_buf_text(&e->spare) : EVA_TEXT_NONE);
  }
  eva_put_u32(out, 0);
  eva_frame_end(out, offset);
}

static void item_ended(eva_scope *scope) {
  running_item *item = scope->item;
  if (!item->is_emitted) emit_failure(current_engine, item, scope);
  eva_worker *worker = item->worker;
  int slot = item->slot;
  scope->item = NULL;
  eva_scope_recycle(scope);
  eva_worker_done(worker, slot);
}

typedef struct start_request {
  engine *engine;
  running_item *item;
  const eva_job_frame *frame;
} start_request;

static int start_item(lua_State *L) {
  start_request *request = lua_touserdata(L, 1);
  const eva_job_frame *frame = request->frame;
  eva_scope *scope = eva_scope_new(L, NULL);
  scope->item = request->item;
  scope->ended = item_ended;
  lua_State *co = scope->co;
  luaL_checkstack(L, EVA_ITEM_FIELD_COUNT + 8, "item");
  if (!lua_checkstack(co, EVA_ITEM_FIELD_COUNT + 8)) return luaL_error(L, "not enough memory");
  int base = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "evalua.run_item");
  eva_push_text(L, frame->job.item_id);
  lua_pushinteger(L, frame->job.trial);
  lua_pushinteger(L, frame->try_number);
  lua_pushinteger(L, frame->job.item_version);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) eva_push_text(L, frame->job.fields[field]);
  int count = lua_gettop(L) - base;
  lua_xmove(L, co, count);
  eva_scope_start(scope, count - 1, 0);
  return 0;
}

static void worker_start(void *context, eva_worker *worker, int slot, const eva_job_frame *frame) {
  engine *e = context;
  running_item *item = &e->items[slot];
  item->worker = worker;
  item->slot = slot;
  item->position = frame->position;
  item->attempt = frame->attempt;
  item->trial = frame->job.trial;
  item->item_version = frame->job.item_version;
  item->started_at_ms = eva_clock_wall_ms();
  item->is_emitted = 0;
  eva_buf_clear(&item->item_id);
  eva_buf_add(&item->item_id, frame->job.item_id.data, frame->job.item_id.len);
  start_request request = {e, item, frame};
  eva_error error;
  if (eva_call_protected(e->vm, start_item, &request, &error) == EVA_OK) return;
  eva_scope failed = {.outcome = EVA_GIVEN_UP};
  if (!item->is_emitted) emit_failure(e, item, &failed);
  eva_worker_done(worker, slot);
}

static int open_worker(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, SPEC);
  lua_getfield(L, -1, "run_item");
  lua_setfield(L, LUA_REGISTRYINDEX, "evalua.run_item");
  lua_getfield(L, -1, "open_worker");
  lua_call(L, 0, 0);
  return 0;
}

/* In the child: nothing of the parent's loop, scopes and store is used again. */
static uv_loop_t *worker_open(void *context, eva_worker *worker, eva_error *error) {
  engine *e = context;
  eva_vm *vm = e->vm;
  this_worker = worker;
  uv_loop_t *loop = eva_alloc(sizeof *loop);
  if (uv_loop_init(loop) != 0) {
    eva_error_set(error, EVA_E_IO, NULL, "cannot make an event loop");
    return NULL;
  }
  vm->loop = loop;
  vm->pool = vm->root = vm->scope = NULL;
  vm->in_worker = 1;
  vm->running = NULL; /* what ran in the parent does not go on here */
  vm->seed = seed_item;
  vm->on_cpu = note_cpu;
  e->items = eva_alloc_zeroed((size_t)e->slots + 1, sizeof *e->items);
  vm->is_opening = 1;
  eva_code code = eva_call_protected(vm, open_worker, NULL, error);
  vm->is_opening = 0;
  if (code != EVA_OK) return NULL;
  vm->memory_limit = vm->memory_used + MEMORY_PER_WORKER;
  return loop;
}

/* ==== Signals ==== */

/* Shared by the coordinator and all workers: whoever aborts first says why. */
typedef struct shared_flag {
  _Atomic int state; /* 0: nothing, 1: the reason is being written, 2: aborted */
  char reason[500];
} shared_flag;

typedef struct signal_handle {
  shared_flag *shared;
} signal_handle;

static const char SIGNAL[] = "evalua.engine.signal";

/* signal() -> a flag that is shared with workers forked later: flag:abort(reason), flag:reason() -> text or nil */
static int l_signal(lua_State *L) {
  signal_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
  handle->shared = mmap(NULL, sizeof *handle->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (handle->shared == MAP_FAILED) return luaL_error(L, "not enough memory");
  luaL_setmetatable(L, SIGNAL);
  return 1;
}

static int l_signal_gc(lua_State *L) {
  signal_handle *handle = luaL_checkudata(L, 1, SIGNAL);
  munmap(handle->shared, sizeof *handle->shared);
  return 0;
}

static int l_signal_abort(lua_State *L) {
  shared_flag *flag = ((signal_handle *)luaL_checkudata(L, 1, SIGNAL))->shared;
  const char *reason = luaL_checkstring(L, 2);
  int nothing = 0;
  if (!atomic_compare_exchange_strong(&flag->state, &nothing, 1)) return 0;
  snprintf(flag->reason, sizeof flag->reason, "%s", reason);
  atomic_store(&flag->state, 2);
  return 0;
}

static int l_signal_reason(lua_State *L) {
  shared_flag *flag = ((signal_handle *)luaL_checkudata(L, 1, SIGNAL))->shared;
  if (atomic_load(&flag->state) != 2) return 0;
  lua_pushstring(L, flag->reason);
  return 1;
}

static void push_signal_metatable(lua_State *L) {
  static const luaL_Reg methods[] = {{"abort", l_signal_abort}, {"reason", l_signal_reason}, {NULL, NULL}};
  luaL_newmetatable(L, SIGNAL);
  lua_pushcfunction(L, l_signal_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* ==== Coordinator ==== */

static void push_progress(lua_State *L, const eva_run_progress *progress) {
  lua_createtable(L, 0, 5);
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
}

typedef struct notice {
  engine *engine;
  const char *callback;
  const eva_run_progress *progress;
  int64_t from, to;
} notice;

static int notify(lua_State *L) {
  notice *told = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, SPEC);
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

static void on_commit(void *context, int64_t from, int64_t to, const eva_run_progress *progress) {
  tell(context, (notice){context, "on_commit", progress, from, to});
}

static void on_tick(void *context, const eva_run_progress *progress) {
  tell(context, (notice){context, "on_tick", progress, 0, 0});
}

static int is_aborted(void *context) {
  const engine *e = context;
  return e->signal && atomic_load(e->signal) == 2;
}

static int64_t spec_integer(lua_State *L, const char *name, int64_t otherwise) {
  int64_t value = lua_getfield(L, 1, name) == LUA_TNIL ? otherwise : (int64_t)luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return value;
}

static eva_job_set spec_job_set(lua_State *L) {
  static const char *const sets[] = {"all", "missing", "failed", NULL};
  lua_getfield(L, 1, "jobs");
  eva_job_set set = (eva_job_set)luaL_checkoption(L, -1, "all", sets);
  lua_pop(L, 1);
  return set;
}

static const char *end_name(eva_run_end end) {
  static const char *const names[] = {"completed", "cancelled", "timeout", "max_failures", "broken"};
  return names[end];
}

/* run{store, experiment_id, total, selected, jobs, max_concurrency, workers, max_retries, max_failures, timeout_ms,
 * seed, run_item, open_worker, on_commit(progress, from, to), on_tick(progress)} -> end, progress, message. `jobs` is
 * all, missing or failed; `total` their number, `selected` that of the whole selection. `end` is completed, cancelled,
 * timeout, max_failures, or broken with a message. */
static int l_run(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (vm->in_worker || vm->scope || current_engine) {
    return luaL_error(L, "an experiment cannot be started inside an item");
  }
  eva_worker_program program = {.open = worker_open, .start = worker_start, .kill_all = eva_process_kill_all};
  eva_run_options options = {.loop = vm->loop, .program = &program, .on_commit = on_commit, .on_tick = on_tick,
                             .is_aborted = is_aborted};
  lua_getfield(L, 1, "store");
  options.store = eva_lua_check_store(L, -1);
  lua_getfield(L, 1, "experiment_id");
  options.experiment_id = luaL_checkstring(L, -1); /* stays on the stack */
  options.total = spec_integer(L, "total", 0);
  options.max_concurrency = (int)spec_integer(L, "max_concurrency", 1);
  options.workers = (int)spec_integer(L, "workers", 1);
  options.max_retries = (int)spec_integer(L, "max_retries", 0);
  options.max_failures = spec_integer(L, "max_failures", 0);
  options.timeout_ms = spec_integer(L, "timeout_ms", 0);
  options.selected = spec_integer(L, "selected", options.total);
  options.set = spec_job_set(L);
  luaL_argcheck(L, options.max_concurrency >= 1, 1, "max_concurrency is at least 1");
  luaL_argcheck(L, options.workers >= 1 && options.workers <= EVA_WORKERS_MAX, 1, "workers: 1 to 256");
  if (options.workers > options.max_concurrency) options.workers = options.max_concurrency;
  luaL_checkstack(L, 20, "run");
  engine e = {.vm = vm, .slots = options.max_concurrency};
  if (lua_getfield(L, 1, "signal") != LUA_TNIL) { /* the table keeps it alive */
    e.signal = &((signal_handle *)luaL_checkudata(L, -1, SIGNAL))->shared->state;
  }
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, SPEC);
  snprintf(e.seed, sizeof e.seed, "%lld", (long long)spec_integer(L, "seed", 0));
  program.context = &e;
  options.context = &e;
  eva_run_progress progress = {0};
  eva_error error;
  current_engine = &e;
  vm->is_running_items = 1;
  eva_run_end end = eva_coordinate(&options, &progress, &error);
  current_engine = NULL;
  vm->is_running_items = 0;
  eva_buf_free(&e.spare);
  lua_pushstring(L, end_name(end));
  push_progress(L, &progress);
  if (end != EVA_RUN_BROKEN) return 2;
  lua_pushstring(L, error.message);
  return 3;
}

/* current_item() -> id of the item that runs, or nil */
static int l_current_item(lua_State *L) {
  running_item *item = item_of(L);
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

static const luaL_Reg MODULE[] = {{"current_item", l_current_item}, {"emit", l_emit}, {"in_worker", l_in_worker},
                                  {"run", l_run},                   {"trim", l_trim}, {"signal", l_signal},
                                  {NULL, NULL}};

int luaopen_evalua_native_engine(lua_State *L) {
  push_signal_metatable(L);
  luaL_newlib(L, MODULE);
  return 1;
}
