/* The result of one item: what its Lua emits becomes a frame to the coordinator. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "data/json.h"
#include "lua/call.h"
#include "lua/engine_private.h"

enum { RESULT_BYTES_MAX = 256 * 1024 * 1024 }; /* of one result with everything in it; below EVA_FRAME_MAX */

engine *eva_engine_now;

running_item *eva_engine_item(lua_State *L) {
  eva_vm *vm = eva_vm_of(L);
  return vm->scope ? vm->scope->item : NULL;
}

static void put_head(running_item *item, eva_buf *out, eva_result_head *head) {
  head->position = item->position;
  head->attempt = item->attempt;
  head->trial = item->trial;
  head->item_version = item->item_version;
  head->item_id = eva_buf_text(&item->item_id);
  head->started_at_ms = item->started_at_ms;
  head->completed_at_ms = eva_clock_wall_ms();
  head->tokens = item->tokens;
  head->cost = item->cost;
  head->cache_hits = item->cache_hits;
  head->cache_misses = item->cache_misses;
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

/* 0 where there is none. */
static double raw_ms(lua_State *L, int index, const char *name) {
  lua_pushstring(L, name);
  double ms = lua_rawget(L, index) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
  lua_pop(L, 1);
  if (!(ms > 0)) return 0;
  return ms < 1 ? 1 : ms < 86400e3 ? ms : 86400e3;
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

/* In the place of a result of `len` bytes. */
static void put_too_large(running_item *item, eva_buf *out, eva_result_head *head, size_t len) {
  char error[200];
  snprintf(error, sizeof error,
           "{\"code\":\"result_bytes\",\"message\":\"the result with its info and scores has %zu bytes, the limit "
           "(result_bytes) is %d\"}", len, RESULT_BYTES_MAX);
  eva_frame_begin(out, EVA_FRAME_RESULT);
  head->status = EVA_STATUS_LIMITED;
  head->passed = 0;
  head->output_repaired = 0;
  put_head(item, out, head);
  for (int index = 0; index < EVA_RESULT_TEXTS; index++) {
    eva_put_text(out, index == 1 ? (eva_text){error, strlen(error)} : EVA_TEXT_NONE);
  }
  eva_put_u32(out, 0);
}

/* emit(status, passed, output, error, latency_ms, is_permanent, is_repaired, extras, scorers, outcomes, notes): the result
 * of the running item. Texts are JSON; extras is nil or {usage, steps, trajectory, context, metadata}; outcomes is a list
 * beside scorers whose error and metadata are JSON texts; notes is nil or {stop_reason: why every item would fail like
 * this, met_memory: whether it met the memory limit of its worker, retry_after_ms: the target asks for another try then,
 * deferred_ms: nothing has happened yet, it is to run again then}. */
int eva_engine_emit(lua_State *L) {
  static const char *const statuses[] = {"ok", "error", "timeout", "limited", NULL};
  static const char *const extras[] = {"usage", "steps", "trajectory", "context", "metadata"};
  running_item *item = eva_engine_item(L);
  if (!item || item->is_emitted) return luaL_error(L, "emit: there is no item, or its result is known already");
  luaL_checkstack(L, 20, "emit");
  fflush(stdout); /* what the item wrote without an end of line: a worker may be ended at any time */
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
  if (lua_istable(L, 11)) {
    head.stop_reason = raw_text(L, 11, "stop_reason");
    head.met_memory = raw_text(L, 11, "met_memory").data != NULL;
    head.retry_after_ms = raw_ms(L, 11, "retry_after_ms");
    double deferred_ms = raw_ms(L, 11, "deferred_ms");
    if (deferred_ms > 0) head.is_deferred = 1, head.retry_after_ms = deferred_ms;
  }
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
    size_t len = out->len - offset;
    out->len = offset;
    put_too_large(item, out, &head, len);
  }
  eva_frame_end(out, offset);
  return 0;
}

/* cached(hits, misses): how many requests of the running item the cache answered, and how many it did not. */
int eva_engine_cached(lua_State *L) {
  running_item *item = eva_engine_item(L);
  if (!item) return 0;
  item->cache_hits = (int)luaL_checkinteger(L, 1);
  item->cache_misses = (int)luaL_checkinteger(L, 2);
  return 0;
}

/* The item's own Lua ended without a result: an error of ours, or no memory. */
void eva_engine_emit_failure(engine *e, running_item *item, eva_scope *scope) {
  eva_text text = EVA_TEXT_LITERAL("the item ended without a result");
  if (scope->outcome == EVA_FAILED && lua_type(scope->co, -1) == LUA_TSTRING) {
    text.data = lua_tolstring(scope->co, -1, &text.len);
  }
  int is_memory = text.len == strlen("not enough memory") && memcmp(text.data, "not enough memory", text.len) == 0;
  eva_result_head head = {.status = is_memory ? EVA_STATUS_LIMITED : EVA_STATUS_ERROR, .passed = 0, .latency_ms = -1,
                          .met_memory = is_memory};
  eva_buf *out = eva_worker_out(item->worker);
  eva_buf_clear(&e->spare);
  eva_buf_printf(&e->spare, "{\"code\":\"%s\",\"message\":", is_memory ? "memory_per_worker" : "internal");
  if (is_memory) {
    char message[200];
    snprintf(message, sizeof message, "not enough memory: Lua wanted %lld bytes, the limit (memory_per_worker) is %lld",
             (long long)(e->vm->memory_refused - e->memory_base), (long long)e->memory_limit);
    eva_json_write_string(&e->spare, message, strlen(message));
  } else {
    eva_json_write_string(&e->spare, text.data, text.len);
  }
  eva_buf_add_char(&e->spare, '}');
  size_t offset = eva_frame_begin(out, EVA_FRAME_RESULT);
  put_head(item, out, &head);
  for (int index = 0; index < EVA_RESULT_TEXTS; index++) {
    eva_put_text(out, index == 1 ? eva_buf_text(&e->spare) : EVA_TEXT_NONE);
  }
  eva_put_u32(out, 0);
  eva_frame_end(out, offset);
}

/* target_retries() -> how often the target has asked for another try of the running item */
int eva_engine_target_retries(lua_State *L) {
  const running_item *item = eva_engine_item(L);
  lua_pushinteger(L, item ? item->target_retries : 0);
  return 1;
}

/* stage(name): what the running item is at from here on; one of a few fixed words. */
int eva_engine_stage(lua_State *L) {
  static const char *const stages[] = {"target", "scorer", NULL};
  running_item *item = eva_engine_item(L);
  int stage = luaL_checkoption(L, 1, NULL, stages);
  if (!item) return 0;
  item->stage = stages[stage];
  if (stage == 1) eva_worker_scores(item->worker, item->slot);
  return 0;
}

/* ==== What it is doing ==== */

typedef struct description {
  running_item *item;
  eva_buf *out;
} description;

static int describe(lua_State *L) {
  description *wanted = lua_touserdata(L, 1);
  eva_scope *scope = wanted->item->scope ? eva_scope_innermost(wanted->item->scope) : NULL;
  const char *what = scope && scope->ops && scope->ops->what ? scope->ops->what : "";
  eva_buf_printf(wanted->out, "%s%s%s", wanted->item->stage, *what ? " waits for " : " runs", what);
  if (!scope || !scope->is_waiting) return 0;
  lua_State *co = scope->co;
  for (lua_State *inner; (inner = eva_coroutine_inner(co));) co = inner;
  if (!lua_checkstack(co, LUA_MINSTACK)) return 0;
  eva_push_place(co);
  size_t len = 0;
  const char *place = lua_tolstring(co, -1, &len); /* "file:line: " */
  if (len > 2) eva_buf_printf(wanted->out, " at %.*s", (int)len - 2, place);
  lua_pop(co, 1);
  return 0;
}

void eva_engine_describe(engine *e, running_item *item, eva_buf *out) {
  description wanted = {item, out};
  eva_error error;
  size_t len = out->len;
  if (eva_call_protected(e->vm, describe, &wanted, &error) != EVA_OK) out->len = len;
}
