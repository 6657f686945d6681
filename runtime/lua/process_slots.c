/* Slots: a counter with a queue, so that at most so many processes of a pool run at once in this worker. */
#include "lua/process_slots.h"

#include <stdlib.h>
#include <unistd.h>

#include "lua/task.h"
#include "lua/vm.h"

#define SLOTS_TYPE "evalua.process_slots"
#define SLOT_TYPE "evalua.process_slot"

typedef struct slot_op slot_op;

typedef struct slots {
  uv_timer_t turn; /* hands free slots to waiters from the loop, never from inside a running script */
  pid_t owner;     /* a fork must not touch the loop of its parent */
  int references;  /* of Lua objects, waiters and the open timer */
  int limit;
  int used;
  slot_op *first, *last; /* waiters, the longest waiting first */
} slots;

struct slot_op {
  eva_op op;
  slots *slots;
  slot_op *previous, *next;
  int is_granted; /* counted in `used` for this waiter */
};

typedef struct slots_object {
  slots *slots;
} slots_object;

typedef struct slot_object {
  slots *slots; /* NULL: given back */
} slot_object;

static int is_foreign(const slots *s) { return s->owner != getpid(); }

static void on_turn_closed(uv_handle_t *handle) { free(handle->data); }

static void drop_reference(slots *s) {
  if (--s->references > 0 || is_foreign(s)) return;
  uv_close((uv_handle_t *)&s->turn, on_turn_closed);
}

static void unlink_waiter(slot_op *waiter) {
  slots *s = waiter->slots;
  if (waiter->previous) waiter->previous->next = waiter->next;
  else s->first = waiter->next;
  if (waiter->next) waiter->next->previous = waiter->previous;
  else s->last = waiter->previous;
  waiter->previous = waiter->next = NULL;
}

static void on_turn(uv_timer_t *timer) {
  slots *s = timer->data;
  s->references++; /* a waiter that goes on may drop the last one */
  while (s->first && s->used < s->limit) {
    slot_op *waiter = s->first;
    unlink_waiter(waiter);
    waiter->is_granted = 1;
    s->used++;
    eva_op_complete(&waiter->op);
  }
  drop_reference(s);
}

static void give_back(slots *s) {
  if (is_foreign(s)) return;
  s->used--;
  if (s->first) uv_timer_start(&s->turn, on_turn, 0, 0);
}

/* ---- waiting ---- */

/* Pushes an empty slot; the caller fills it, so that memory running out here cannot lose a counted one. */
static slot_object *push_slot(lua_State *L) {
  slot_object *slot = lua_newuserdatauv(L, sizeof(*slot), 0);
  slot->slots = NULL;
  luaL_setmetatable(L, SLOT_TYPE);
  return slot;
}

static int push_granted(eva_op *op, lua_State *L) {
  slot_op *waiter = (slot_op *)op;
  slot_object *slot = push_slot(L);
  slot->slots = waiter->slots;
  slot->slots->references++;
  waiter->is_granted = 0; /* the object holds it now */
  return 1;
}

static void cancel_waiter(eva_op *op) {
  slot_op *waiter = (slot_op *)op;
  if (!waiter->is_granted) unlink_waiter(waiter);
}

static void release_waiter(eva_op *op) {
  slot_op *waiter = (slot_op *)op;
  if (waiter->is_granted) give_back(waiter->slots);
  drop_reference(waiter->slots);
  free(waiter);
}

static int slots_take(lua_State *L) {
  slots_object *object = luaL_checkudata(L, 1, SLOTS_TYPE);
  slots *s = object->slots;
  if (!s || is_foreign(s)) return luaL_error(L, "these slots belong to another process; make new ones after the fork");
  if (!s->first && s->used < s->limit) {
    slot_object *slot = push_slot(L);
    slot->slots = s;
    s->references++;
    s->used++;
    return 1;
  }
  slot_op *waiter = eva_alloc_zeroed(1, sizeof(*waiter));
  waiter->op.what = "a free process";
  waiter->op.push = push_granted;
  waiter->op.cancel = cancel_waiter;
  waiter->op.release = release_waiter;
  waiter->slots = s;
  s->references++;
  waiter->previous = s->last;
  if (s->last) s->last->next = waiter;
  else s->first = waiter;
  s->last = waiter;
  return eva_await(L, &waiter->op);
}

/* ---- objects ---- */

static int slots_gc(lua_State *L) {
  slots_object *object = luaL_checkudata(L, 1, SLOTS_TYPE);
  if (object->slots) drop_reference(object->slots);
  object->slots = NULL;
  return 0;
}

static int slot_free(lua_State *L) {
  slot_object *slot = luaL_checkudata(L, 1, SLOT_TYPE);
  slots *s = slot->slots;
  if (!s) return 0;
  slot->slots = NULL;
  give_back(s);
  drop_reference(s);
  return 0;
}

int eva_process_slots_new(lua_State *L) {
  lua_Integer limit = luaL_checkinteger(L, 1);
  luaL_argcheck(L, limit >= 1 && limit <= 1000000, 1, "the number of slots is from 1 to 1000000");
  slots_object *object = lua_newuserdatauv(L, sizeof(*object), 0);
  object->slots = NULL;
  luaL_setmetatable(L, SLOTS_TYPE);
  slots *s = eva_alloc_zeroed(1, sizeof(*s));
  uv_timer_init(eva_vm_of(L)->loop, &s->turn);
  s->turn.data = s;
  s->owner = getpid();
  s->references = 1;
  s->limit = (int)limit;
  object->slots = s;
  return 1;
}

static const luaL_Reg slots_methods[] = {{"take", slots_take}, {"__gc", slots_gc}, {NULL, NULL}};
static const luaL_Reg slot_methods[] = {
    {"free", slot_free}, {"__gc", slot_free}, {"__close", slot_free}, {NULL, NULL}};

void eva_process_slots_register(lua_State *L) {
  luaL_newmetatable(L, SLOTS_TYPE);
  luaL_setfuncs(L, slots_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newmetatable(L, SLOT_TYPE);
  luaL_setfuncs(L, slot_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
}
