/* evalua.native.desk: serving and asking what all workers share; see engine/desk.h. In a worker an ask is a frame to the
 * coordinator and its item waits; outside of one the service is called in this process. */
#include "lua/lib_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/hosts.h"
#include "engine/limits.h"
#include "engine/passing.h"
#include "lua/call.h"

enum { NO_SLOT = -1, REQUEST_BYTES_MAX = 256 * 1024 * 1024 /* below EVA_FRAME_MAX, of a request or an answer */ };

typedef struct ask_op ask_op;

/* One number of ours; see EVA_DESK_SLOTS_MAX. */
typedef struct slot {
  uint32_t uses;
  int next_free;
  ask_op *op; /* that waits for the answer; NULL: answered */
  void *item; /* whose it is: NULL outside of items */
  const char *service; /* asked for a grant; else NULL */
} slot;

typedef struct lua_service {
  eva_desk_service service;
  eva_vm *vm;
  struct lua_service *next;
} lua_service;

typedef struct eva_lua_desk_state {
  eva_vm *vm;
  eva_desk *desk;
  eva_desk_client local; /* this process */
  eva_worker *worker;    /* in a worker: its own */
  unsigned epoch;        /* grows at the fork */
  slot *slots;
  int slot_count, slot_cap, first_free;
  int grants; /* how many are held */
  lua_service *services;
  eva_limits *limits;
  eva_hosts *hosts;
  eva_passing passing; /* in a worker */
  uint64_t *ready; /* [ready_count]: numbers that were answered in this process while their script waits */
  int ready_count, ready_cap;
  uv_idle_t *deliver; /* goes on with them */
} desk_state;

struct ask_op {
  eva_op op;
  desk_state *state;
  uint64_t number;
  int is_open;  /* the number is ours to close */
  int is_grant; /* it stays open after a good answer */
  eva_ask_push push;
  eva_buf texts[3]; /* answer, message, code */
  int is_answered, has_answer;
  char what[80];
};

static const char HANDLERS[] = "evalua.desk.handlers"; /* in the registry: function by service name */

/* ==== The state ==== */

static void answer_here(eva_desk_client *client, uint64_t number, const eva_reply *reply);
static void free_handle(uv_handle_t *handle) { free(handle); }

static desk_state *state_of(eva_vm *vm) {
  if (!vm->desk) {
    desk_state *state = eva_alloc_zeroed(1, sizeof *state);
    state->vm = vm;
    state->desk = eva_desk_open();
    state->local.answer = answer_here;
    state->first_free = NO_SLOT;
    state->limits = eva_limits_open(vm->loop, state->desk);
    state->hosts = eva_hosts_open(vm->loop, state->desk);
    state->deliver = eva_alloc(sizeof *state->deliver);
    uv_idle_init(vm->loop, state->deliver);
    state->deliver->data = state;
    vm->desk = state;
  }
  return vm->desk;
}

eva_desk *eva_lua_desk(eva_vm *vm) { return state_of(vm)->desk; }

unsigned eva_lua_desk_epoch(eva_vm *vm) { return state_of(vm)->epoch; }

void eva_lua_desk_enter_worker(eva_vm *vm, eva_worker *worker) {
  desk_state *state = state_of(vm);
  state->worker = worker;
  state->epoch++;
  state->slot_count = state->ready_count = state->grants = 0;
  state->first_free = NO_SLOT;
}

void eva_lua_desk_close(eva_vm *vm) {
  desk_state *state = vm->desk;
  if (!state) return;
  eva_desk_leave(&state->local);
  eva_limits_close(state->limits);
  eva_hosts_close(state->hosts);
  eva_desk_close(state->desk);
  uv_close((uv_handle_t *)state->deliver, free_handle);
  while (state->services) {
    lua_service *service = state->services;
    state->services = service->next;
    free((char *)service->service.name);
    free(service);
  }
  eva_passing_free(&state->passing);
  free(state->slots);
  free(state->ready);
  free(state);
  vm->desk = NULL;
}

/* ==== Numbers ==== */

/* Returns 0 (no number has uses 0) when there are too many. */
static uint64_t number_take(desk_state *state, ask_op *op) {
  int index = state->first_free;
  if (index != NO_SLOT) {
    state->first_free = state->slots[index].next_free;
  } else {
    if (state->slot_count == EVA_DESK_SLOTS_MAX) return 0;
    if (state->slot_count == state->slot_cap) {
      state->slot_cap = state->slot_cap ? state->slot_cap * 2 : 16;
      state->slots = eva_realloc(state->slots, (size_t)state->slot_cap * sizeof *state->slots);
    }
    index = state->slot_count++;
    state->slots[index].uses = 0;
  }
  state->slots[index].op = op;
  state->slots[index].item = state->vm->scope ? state->vm->scope->item : NULL;
  if (++state->slots[index].uses == 0) state->slots[index].uses = 1;
  return (uint64_t)state->slots[index].uses << 32 | (uint32_t)index;
}

static slot *slot_of(desk_state *state, uint64_t number) {
  uint32_t index = (uint32_t)number;
  if (index >= (uint32_t)state->slot_count || state->slots[index].uses != number >> 32) return NULL;
  return &state->slots[index];
}

static void number_free(desk_state *state, uint64_t number) {
  slot *freed = slot_of(state, number);
  if (!freed) return;
  if (!freed->op) state->grants--;
  freed->uses++; /* a late answer finds nobody */
  freed->op = NULL;
  freed->item = NULL;
  freed->next_free = state->first_free;
  state->first_free = (int)(freed - state->slots);
}

/* Tells the service that we are done with it. */
static void number_close(desk_state *state, uint64_t number, eva_text outcome) {
  if (!slot_of(state, number)) return; /* its item has ended */
  if (state->worker) eva_put_ask(eva_worker_out(state->worker), EVA_FRAME_CLOSE, number, EVA_TEXT_NONE, outcome);
  else eva_desk_end(&state->local, number, outcome);
  number_free(state, number);
}

void eva_lua_desk_end(eva_vm *vm, uint64_t number, unsigned epoch, eva_text outcome) {
  desk_state *state = vm->desk;
  if (state && state->epoch == epoch) number_close(state, number, outcome);
}

void eva_lua_desk_item_ended(eva_vm *vm, const void *item) {
  desk_state *state = vm->desk;
  for (int index = 0; state && state->grants > 0 && index < state->slot_count; index++) {
    slot *held = &state->slots[index];
    if (held->item != item || held->op) continue;
    number_close(state, (uint64_t)held->uses << 32 | (uint32_t)index, EVA_TEXT_NONE);
  }
}

/* ==== Passing permits on ==== */

static void give_back(void *context, uint64_t number) { number_close(context, number, eva_hosts_good_outcome()); }

eva_passing_host *eva_lua_desk_host(eva_vm *vm, eva_text name) { return eva_passing_of(&state_of(vm)->passing, name); }

int eva_lua_desk_keep(eva_vm *vm, uint64_t number, unsigned epoch, eva_passing_host *host) {
  desk_state *state = vm->desk;
  slot *kept = state && state->worker && state->epoch == epoch ? slot_of(state, number) : NULL;
  if (!kept || !eva_passing_keep(&state->passing, host, number)) return 0;
  kept->item = NULL; /* its item may end */
  return 1;
}

uint64_t eva_lua_desk_pass_on(eva_vm *vm, eva_passing_host *host) {
  desk_state *state = vm->desk;
  uint64_t number = eva_passing_take(host);
  if (!number) return 0;
  slot_of(state, number)->item = vm->scope ? vm->scope->item : NULL;
  eva_put_ask(eva_worker_out(state->worker), EVA_FRAME_NOTE, number, EVA_TEXT_NONE, eva_hosts_good_outcome());
  return number;
}

void eva_lua_desk_turn(eva_vm *vm) {
  desk_state *state = vm->desk;
  if (state) eva_passing_give_back(&state->passing, NULL, give_back, state);
}

void eva_lua_desk_told(eva_vm *vm, eva_text service, eva_text message) {
  if (!eva_text_equal(service, EVA_TEXT_LITERAL("hosts"))) return;
  desk_state *state = state_of(vm);
  eva_passing_host *host = eva_passing_of(&state->passing, message);
  host->may_pass_on = 0;
  eva_passing_give_back(&state->passing, host, give_back, state);
}

/* ==== Asking ==== */

static int ask_push(eva_op *op, lua_State *L) {
  ask_op *ask = (ask_op *)op;
  eva_reply reply = {.answer = ask->has_answer ? eva_buf_text(&ask->texts[0]) : EVA_TEXT_NONE,
                     .message = eva_buf_text(&ask->texts[1]),
                     .code = eva_buf_text(&ask->texts[2])};
  if (ask->has_answer && !reply.answer.data) reply.answer = EVA_TEXT_LITERAL("");
  int count = ask->push(L, ask->number, &reply);
  ask->is_open = 0; /* where it is granted, what was pushed ends it */
  return count;
}

static void ask_cancel(eva_op *op) { (void)op; } /* ask_release closes the number */

static void ask_release(eva_op *op) {
  ask_op *ask = (ask_op *)op;
  if (ask->is_open) number_close(ask->state, ask->number, EVA_TEXT_NONE);
  for (int index = 0; index < 3; index++) eva_buf_free(&ask->texts[index]);
  free(ask);
}

/* The script goes on. */
static void go_on(desk_state *state, ask_op *ask) {
  if (!ask->is_grant || !ask->has_answer) { /* nothing stays open */
    number_free(state, ask->number);
    ask->is_open = 0;
  } else {
    slot_of(state, ask->number)->op = NULL;
    state->grants++;
  }
  eva_op_complete(&ask->op);
}

static int note_answer(ask_op *ask, const eva_reply *reply) {
  eva_text texts[3] = {reply->answer, reply->message, reply->code};
  if (ask->is_answered) return 0;
  for (int index = 0; index < 3; index++) {
    if (texts[index].data) eva_buf_add(&ask->texts[index], texts[index].data, texts[index].len);
  }
  ask->has_answer = reply->answer.data != NULL;
  return ask->is_answered = 1;
}

void eva_lua_desk_answer(eva_vm *vm, uint64_t number, const eva_reply *reply) {
  desk_state *state = state_of(vm);
  slot *asked = slot_of(state, number);
  if (asked && asked->op && note_answer(asked->op, reply)) go_on(state, asked->op);
}

static void on_deliver(uv_idle_t *idle) {
  desk_state *state = idle->data;
  uint64_t *ready = state->ready;
  int count = state->ready_count;
  state->ready = NULL;
  state->ready_count = state->ready_cap = 0;
  uv_idle_stop(idle);
  for (int index = 0; index < count; index++) {
    slot *asked = slot_of(state, ready[index]); /* it may have been given up meanwhile */
    if (asked && asked->op) go_on(state, asked->op);
  }
  free(ready);
}

/* Scripts that wait go on in the loop: another script runs right now, that may have released what this one gets. */
static void answer_here(eva_desk_client *client, uint64_t number, const eva_reply *reply) {
  desk_state *state = (desk_state *)((char *)client - offsetof(desk_state, local));
  slot *asked = slot_of(state, number);
  if (!asked || !asked->op || !note_answer(asked->op, reply)) return;
  if (!asked->op->op.scope) { /* it has not begun to wait */
    go_on(state, asked->op);
    return;
  }
  if (state->ready_count == state->ready_cap) {
    state->ready_cap = state->ready_cap ? state->ready_cap * 2 : 16;
    state->ready = eva_realloc(state->ready, (size_t)state->ready_cap * sizeof *state->ready);
  }
  state->ready[state->ready_count++] = number;
  uv_idle_start(state->deliver, on_deliver);
}

/* An item that holds something of a service may be waiting for itself: that wait counts, so that it ends. */
static int holds_grant(const desk_state *state, const void *item, const char *service) {
  for (int index = 0; state->grants > 0 && index < state->slot_count; index++) {
    const slot *held = &state->slots[index];
    if (held->item == item && !held->op && held->service && strcmp(held->service, service) == 0) return 1;
  }
  return 0;
}

int eva_lua_ask(lua_State *L, const char *service, eva_text request, const char *what, int is_grant,
                eva_ask_push push) {
  desk_state *state = state_of(eva_vm_of(L));
  if (request.len > REQUEST_BYTES_MAX) {
    lua_pushnil(L);
    lua_pushfstring(L, "a request to %s has %I bytes; the limit (request_bytes) is %I", service,
                    (lua_Integer)request.len, (lua_Integer)REQUEST_BYTES_MAX);
    lua_pushliteral(L, "limit");
    return 3;
  }
  ask_op *ask = eva_alloc_zeroed(1, sizeof *ask);
  uint64_t number = number_take(state, ask);
  if (!number) {
    free(ask);
    return luaL_error(L, "more than %d asks of the desk are open", EVA_DESK_SLOTS_MAX);
  }
  snprintf(ask->what, sizeof ask->what, "%s", what);
  ask->op = (eva_op){.what = ask->what, .push = ask_push, .cancel = ask_cancel, .release = ask_release};
  ask->state = state;
  ask->number = number;
  ask->is_open = 1;
  ask->is_grant = is_grant;
  const void *item = state->slots[(uint32_t)number].item;
  ask->op.is_excused = is_grant && item && !holds_grant(state, item, service);
  state->slots[(uint32_t)number].service = is_grant ? service : NULL;
  ask->push = push;
  if (state->worker) {
    eva_put_ask(eva_worker_out(state->worker), EVA_FRAME_ASK, number, eva_text_of(service), request);
  } else {
    eva_desk_ask(state->desk, &state->local, number, eva_text_of(service), request);
    eva_vm *vm = state->vm;
    if (!ask->op.done && !vm->scope && !uv_loop_alive(vm->loop)) {
      ask_release(&ask->op);
      eva_push_place(L);
      lua_pushfstring(L, "waiting for %s would never end: this script holds it itself", what);
      lua_concat(L, 2);
      return lua_error(L);
    }
  }
  return eva_await(L, &ask->op);
}

void eva_lua_tell(eva_vm *vm, const char *service, eva_text message) {
  desk_state *state = state_of(vm);
  if (state->worker) eva_put_ask(eva_worker_out(state->worker), EVA_FRAME_TELL, 0, eva_text_of(service), message);
  else eva_desk_tell(state->desk, eva_text_of(service), message);
}

static int push_reply(lua_State *L, uint64_t number, const eva_reply *reply) {
  (void)number;
  eva_push_text(L, reply->answer);
  if (reply->answer.data) return 1;
  eva_push_text(L, reply->message);
  eva_push_text(L, reply->code);
  return 3;
}

/* ask(service, request) -> answer | nil, message, code: waits for the answer. */
static int l_ask(lua_State *L) {
  const char *service = luaL_checkstring(L, 1);
  eva_text request = eva_check_text(L, 2);
  return eva_lua_ask(L, service, request, service, 0, push_reply);
}

/* tell(service, message): does not wait, and does not learn what came of it. */
static int l_tell(lua_State *L) {
  const char *service = luaL_checkstring(L, 1);
  eva_text message = eva_check_text(L, 2);
  luaL_argcheck(L, message.len <= REQUEST_BYTES_MAX, 2, "at most 256 MiB (request_bytes)");
  eva_lua_tell(eva_vm_of(L), service, message);
  return 0;
}

/* ==== Serving ==== */

typedef struct handler_call {
  lua_service *service;
  eva_slip *slip; /* NULL: a tell */
  eva_text request;
} handler_call;

/* The handler's results are the answer. */
static int call_handler(lua_State *L) {
  handler_call *call = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, HANDLERS);
  if (lua_getfield(L, -1, call->service->service.name) != LUA_TFUNCTION) return luaL_error(L, "it is served no more");
  eva_push_text(L, call->request);
  lua_call(L, 1, 3);
  if (!call->slip) return 0;
  int is_text = lua_type(L, -3) == LUA_TSTRING;
  if (!is_text && !lua_isnil(L, -3)) {
    return luaL_error(L, "its handler returned a %s; a text, or nil, message and code are right", luaL_typename(L, -3));
  }
  eva_reply reply = {.answer = is_text ? eva_check_text(L, -3) : EVA_TEXT_NONE,
                     .message = lua_type(L, -2) == LUA_TSTRING ? eva_check_text(L, -2) : EVA_TEXT_LITERAL("no answer"),
                     .code = lua_type(L, -1) == LUA_TSTRING ? eva_check_text(L, -1) : EVA_TEXT_LITERAL("no_answer")};
  if (reply.answer.len > REQUEST_BYTES_MAX) return luaL_error(L, "its answer is longer than 256 MiB (request_bytes)");
  eva_slip *slip = call->slip;
  call->slip = NULL;
  eva_slip_answer(slip, &reply);
  return 0;
}

static void serve_ask(void *context, eva_slip *slip, eva_text request) {
  lua_service *service = context;
  handler_call call = {service, slip, request};
  eva_error error;
  if (eva_call_protected(service->vm, call_handler, &call, &error) == EVA_OK || !call.slip) return;
  eva_buf text = {0};
  eva_buf_printf(&text, "%s: %s", service->service.name, error.message);
  eva_slip_fail(call.slip, "handler_failed", text.data);
  eva_buf_free(&text);
}

static void serve_tell(void *context, eva_text message) {
  lua_service *service = context;
  handler_call call = {service, NULL, message};
  eva_error error;
  if (eva_call_protected(service->vm, call_handler, &call, &error) == EVA_OK) return;
  eva_log(EVA_LOG_WARNING, "%s: %s", service->service.name, error.message);
}

/* serve(service, handler): handler(request) -> answer | nil, message, code answers what is asked in this process and in
 * all workers that it forks. It runs between the events of the coordinator: it must be quick and cannot wait. */
static int l_serve(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  desk_state *state = state_of(eva_vm_of(L));
  if (state->worker) return luaL_error(L, "serve: services are made before the workers start, not in one");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, HANDLERS);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, name);
  for (const lua_service *known = state->services; known; known = known->next) {
    if (strcmp(known->service.name, name) == 0) return 0;
  }
  lua_service *service = eva_alloc_zeroed(1, sizeof *service);
  service->vm = state->vm;
  service->service =
      (eva_desk_service){.name = eva_strdup(name), .context = service, .ask = serve_ask, .tell = serve_tell};
  service->next = state->services;
  state->services = service;
  eva_desk_serve(state->desk, &service->service);
  return 0;
}

static const luaL_Reg MODULE[] = {{"ask", l_ask}, {"tell", l_tell}, {"serve", l_serve}, {NULL, NULL}};

int luaopen_evalua_native_desk(lua_State *L) {
  luaL_newlib(L, MODULE);
  eva_lua_permit_functions(L);
  return 1;
}
