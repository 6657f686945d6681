/* A worker process that runs items: a coroutine for each job. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "io/alarm.h"
#include "io/process_spawn.h"
#include "lua/call.h"
#include "lua/deadline.h"
#include "lua/engine_private.h"
#include "lua/lib_desk.h"

static void seed_item(eva_scope *scope) {
  running_item *item = scope->item;
  eva_buf text = {0};
  if (!item) return;
  eva_buf_printf(&text, "%s\n%.*s\n%d", eva_engine_now->seed, (int)item->item_id.len, item->item_id.data, item->trial);
  eva_sha256_of(text.data, text.len, scope->seed);
  eva_buf_free(&text);
}

static eva_worker *this_worker;

/* Until when the program's own work for an item may hold the process: it may meet what the user left behind (a finalizer,
 * a metamethod), which no deadline's hook interrupts there. Without item_timeout items may take as long as they like. */
static uint64_t own_work_until(const engine *e) {
  enum { OWN_WORK_MS_MIN = 5000 };
  if (e->item_timeout_ms <= 0) return 0;
  int64_t allowed_ms = e->item_timeout_ms > OWN_WORK_MS_MIN ? e->item_timeout_ms : OWN_WORK_MS_MIN;
  return eva_clock_monotonic_ns() + (uint64_t)allowed_ms * 1000000;
}

static void note_cpu(eva_vm *vm) {
  running_item *item = vm->scope ? vm->scope->item : NULL;
  uint64_t until = vm->slice_ns || !item ? vm->slice_ns : own_work_until(eva_engine_now);
  eva_worker_on_cpu(this_worker, item ? item->position : 0, until);
}

static void item_ended(eva_scope *scope) {
  running_item *item = scope->item;
  if (!item->is_emitted) eva_engine_emit_failure(eva_engine_now, item, scope);
  eva_lua_desk_item_ended(scope->vm, item);
  eva_worker *worker = item->worker;
  int slot = item->slot;
  scope->item = NULL;
  item->scope = NULL;
  eva_scope_recycle(scope);
  eva_worker_done(worker, slot);
}

/* The item that ended makes room for the next. */
static void on_settled(eva_vm *vm) {
  (void)vm;
  eva_worker_refill(this_worker);
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
  request->item->scope = scope;
  scope->ended = item_ended;
  lua_State *co = scope->co;
  enum { ARGUMENTS = EVA_ITEM_FIELD_COUNT + EVA_JOB_RESULT_COUNT + 8 };
  luaL_checkstack(L, ARGUMENTS, "item");
  if (!lua_checkstack(co, ARGUMENTS)) return luaL_error(L, "not enough memory");
  int base = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "evalua.run_item");
  eva_push_text(L, frame->job.item_id);
  lua_pushinteger(L, frame->job.trial);
  lua_pushinteger(L, frame->try_number);
  lua_pushinteger(L, frame->job.item_version);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) eva_push_text(L, frame->job.fields[field]);
  for (int part = 0; frame->job.has_result && part < EVA_JOB_RESULT_COUNT; part++) {
    eva_push_text(L, frame->job.result[part]);
  }
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
  item->target_retries = frame->target_retries;
  item->started_at_ms = eva_clock_wall_ms();
  item->cache_hits = item->cache_misses = item->is_emitted = 0;
  item->tokens = item->cost = item->steps = item->input = item->output = 0;
  item->open[0] = item->open[1] = 0;
  item->serial++;
  item->scope = NULL;
  item->stage = "target";
  eva_buf_clear(&item->item_id);
  eva_buf_add(&item->item_id, frame->job.item_id.data, frame->job.item_id.len);
  start_request request = {e, item, frame};
  eva_error error;
  eva_worker_on_cpu(worker, item->position, own_work_until(e));
  if (eva_call_protected(e->vm, start_item, &request, &error) == EVA_OK) return;
  eva_scope failed = {.outcome = EVA_GIVEN_UP};
  if (!item->is_emitted) eva_engine_emit_failure(e, item, &failed);
  eva_worker_done(worker, slot);
}

static void worker_answer(void *context, uint64_t number, const eva_reply *reply) {
  eva_lua_desk_answer(((engine *)context)->vm, number, reply);
}

static void worker_told(void *context, eva_text service, eva_text message) {
  eva_lua_desk_told(((engine *)context)->vm, service, message);
}

static void worker_turn(void *context) { eva_lua_desk_turn(((engine *)context)->vm); }

static int open_worker(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, EVA_ENGINE_SPEC);
  lua_getfield(L, -1, "run_item");
  lua_setfield(L, LUA_REGISTRYINDEX, "evalua.run_item");
  lua_getfield(L, -1, "open_worker");
  lua_call(L, 0, 0);
  return 0;
}

/* Scopes of the parent, whose timers belong to its loop: left alone, and reachable for those who look for leaks. */
static const void *volatile of_parent[2];

static int has_unsent(void) { return eva_worker_has_unsent(this_worker); }

static void flush(void) { eva_worker_flush(this_worker); }

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
  eva_lua_desk_enter_worker(vm, worker);
  eva_worker_listen(worker, loop);
  eva_alarms_forget(vm->alarms);
  vm->alarms = NULL;
  of_parent[0] = vm->pool;
  of_parent[1] = vm->root;
  vm->pool = vm->root = vm->scope = NULL;
  vm->in_worker = 1;
  vm->running = NULL; /* what ran in the parent does not go on here */
  vm->seed = seed_item;
  vm->on_cpu = note_cpu;
  vm->beats = eva_worker_beats(worker);
  vm->has_unsent = has_unsent;
  vm->flush = flush;
  eva_deadline_beat(vm);
  vm->settled = on_settled;
  e->items = eva_alloc_zeroed((size_t)e->slots + 1, sizeof *e->items);
  vm->is_opening = 1;
  eva_code code = eva_call_protected(vm, open_worker, NULL, error);
  vm->is_opening = 0;
  if (code != EVA_OK) return NULL;
  e->memory_base = vm->memory_used;
  vm->memory_limit = e->memory_base + (size_t)e->memory_limit;
  return loop;
}

static void worker_describe(void *context, int slot, eva_buf *id, eva_buf *doing) {
  engine *e = context;
  eva_buf_add(id, e->items[slot].item_id.data, e->items[slot].item_id.len);
  eva_engine_describe(e, &e->items[slot], doing);
}

eva_worker_program eva_engine_program(engine *e) {
  return (eva_worker_program){.context = e, .open = worker_open, .start = worker_start, .answer = worker_answer,
                              .told = worker_told, .turn = worker_turn, .describe = worker_describe,
                              .kill_all = eva_process_kill_all};
}
