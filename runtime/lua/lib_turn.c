/* Turns: what one function at a time of this process may have, first come first served. A limit lends the permit of a
 * function in turns to what runs inside it (stdlib/evalua/limit.lua). Part of evalua.native.task. */
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/alarm.h"
#include "lua/call.h"
#include "lua/task.h"

#define TURNS_TYPE "evalua.turns"
#define TURN_TYPE "evalua.turn"

typedef struct turn_op turn_op;

typedef struct turns {
  int is_taken;
  turn_op *first, *last; /* who waits */
} turns;

struct turn_op {
  eva_op op;
  turns *of; /* below on the stack of who waits */
  turn_op *previous, *next;
  int is_next; /* it has the turn, and will be told by the loop */
  eva_alarm alarm;
  eva_alarms *alarms;
};

typedef struct turn {
  turns *of; /* its user value */
  int is_held;
} turn;

static void unlink_op(turn_op *gone) {
  turns *of = gone->of;
  if (gone->previous) gone->previous->next = gone->next;
  else of->first = gone->next;
  if (gone->next) gone->next->previous = gone->previous;
  else of->last = gone->previous;
}

static void on_alarm(eva_alarm *alarm) {
  eva_op_complete(&((turn_op *)((char *)alarm - offsetof(turn_op, alarm)))->op);
}

static void give(turns *of) {
  turn_op *next = of->first;
  of->is_taken = next != NULL;
  if (!next) return;
  unlink_op(next);
  next->is_next = 1;
  next->alarm = (eva_alarm){.until_ns = eva_clock_monotonic_ns(), .ring = on_alarm};
  eva_alarm_set(next->alarms, &next->alarm);
}

static void op_cancel(eva_op *op) {
  turn_op *gone = (turn_op *)op;
  if (!gone->is_next) {
    unlink_op(gone);
    return;
  }
  eva_alarm_stop(gone->alarms, &gone->alarm);
  give(gone->of);
}

static void op_release(eva_op *op) { free(op); }

/* Of the turns at index 1. */
static int push_turn(lua_State *L) {
  turn *made = lua_newuserdatauv(L, sizeof *made, 1);
  *made = (turn){lua_touserdata(L, 1), 1};
  luaL_setmetatable(L, TURN_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static int op_push(eva_op *op, lua_State *L) {
  (void)op;
  return push_turn(L);
}

/* turns:take() -> turn, to be released or closed. Waits for it. */
static int l_take(lua_State *L) {
  turns *of = luaL_checkudata(L, 1, TURNS_TYPE);
  eva_vm *vm = eva_vm_of(L);
  lua_settop(L, 1);
  if (!of->is_taken) {
    push_turn(L);
    of->is_taken = 1;
    return 1;
  }
  if (!vm->alarms) vm->alarms = eva_alarms_open(vm->loop);
  if (!vm->alarms) return luaL_error(L, "cannot wait: out of file descriptors");
  turn_op *made = eva_alloc_zeroed(1, sizeof *made);
  made->op = (eva_op){.what = "its turn under a limit", .push = op_push, .cancel = op_cancel, .release = op_release};
  made->of = of;
  made->alarms = vm->alarms;
  made->previous = of->last;
  if (of->last) of->last->next = made;
  else of->first = made;
  of->last = made;
  return eva_await(L, &made->op);
}

static int l_release(lua_State *L) {
  turn *held = luaL_checkudata(L, 1, TURN_TYPE);
  if (held->is_held) give(held->of);
  held->is_held = 0;
  return 0;
}

static void make_type(lua_State *L, const char *name, const luaL_Reg *methods, int closes) {
  if (luaL_newmetatable(L, name)) {
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    for (int index = 0; closes && index < 2; index++) {
      lua_pushcfunction(L, l_release);
      lua_setfield(L, -2, index ? "__gc" : "__close");
    }
  }
  lua_pop(L, 1);
}

/* turns() -> turns */
int eva_lua_turns(lua_State *L) {
  static const luaL_Reg of_turns[] = {{"take", l_take}, {NULL, NULL}}, of_turn[] = {{"release", l_release}, {NULL, NULL}};
  make_type(L, TURNS_TYPE, of_turns, 0);
  make_type(L, TURN_TYPE, of_turn, 1);
  *(turns *)lua_newuserdatauv(L, sizeof(turns), 0) = (turns){0};
  luaL_setmetatable(L, TURNS_TYPE);
  return 1;
}
