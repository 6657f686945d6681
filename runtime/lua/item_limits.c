/* What a running item uses: tokens, cost and steps that it has reported, and the processes and requests that it has open.
 * Each against its limit. */
#include "lua/engine_private.h"

/* charge(tokens, cost, steps, input tokens, output tokens) -> name, used, limit of what the running item has used too much
 * of; else nothing. Outside of items nothing is counted. */
int eva_engine_charge(lua_State *L) {
  running_item *item = eva_engine_item(L);
  if (!item) return 0;
  item->tokens += luaL_optnumber(L, 1, 0);
  item->cost += luaL_optnumber(L, 2, 0);
  item->steps += luaL_optnumber(L, 3, 0);
  item->input += luaL_optnumber(L, 4, 0);
  item->output += luaL_optnumber(L, 5, 0);
  const item_limits *limits = &eva_engine_now->limits;
  const struct {
    const char *name;
    double used, limit;
  } all[] = {{"tokens", item->tokens, limits->tokens},
             {"cost", item->cost, limits->cost},
             {"steps", item->steps, limits->steps}};
  for (size_t index = 0; index < sizeof all / sizeof *all; index++) {
    if (all[index].limit <= 0 || all[index].used <= all[index].limit) continue;
    lua_pushstring(L, all[index].name);
    lua_pushnumber(L, all[index].used);
    lua_pushnumber(L, all[index].limit);
    return 3;
  }
  return 0;
}

/* spent() -> tokens, cost, steps, input tokens, output tokens that the running item has reported; nothing outside of
 * items */
int eva_engine_spent(lua_State *L) {
  const running_item *item = eva_engine_item(L);
  if (!item) return 0;
  lua_pushnumber(L, item->tokens);
  lua_pushnumber(L, item->cost);
  lua_pushnumber(L, item->steps);
  lua_pushnumber(L, item->input);
  lua_pushnumber(L, item->output);
  return 5;
}

/* memory() -> bytes beyond the fork that were refused last, the limit of them (memory_per_worker); nothing outside of
 * workers */
int eva_engine_memory(lua_State *L) {
  const engine *e = eva_engine_now;
  if (!e || !eva_vm_of(L)->in_worker) return 0;
  size_t refused = e->vm->memory_refused;
  lua_pushinteger(L, refused > e->memory_base ? (lua_Integer)(refused - e->memory_base) : 0);
  lua_pushinteger(L, e->memory_limit);
  return 2;
}

/* ==== Open processes and requests ==== */

static const char HELD[] = "evalua.engine.held";
static const char *const KINDS[] = {"processes", "requests", NULL};

typedef struct held {
  running_item *item; /* NULL: given back */
  uint64_t serial;    /* of its attempt: the slot may run another item by now */
  int kind;
} held;

static int l_held_close(lua_State *L) {
  held *token = luaL_checkudata(L, 1, HELD);
  if (token->item && token->item->serial == token->serial) token->item->open[token->kind]--;
  token->item = NULL;
  return 0;
}

/* open(kind) -> a token that counts one more until it is closed; nil, count, limit where there are too many; nothing
 * outside of items */
int eva_engine_open(lua_State *L) {
  running_item *item = eva_engine_item(L);
  int kind = luaL_checkoption(L, 1, NULL, KINDS);
  if (!item) return 0;
  const int limits[] = {eva_engine_now->limits.processes, eva_engine_now->limits.requests};
  if (limits[kind] > 0 && item->open[kind] >= limits[kind]) {
    lua_pushnil(L);
    lua_pushinteger(L, item->open[kind] + 1);
    lua_pushinteger(L, limits[kind]);
    return 3;
  }
  held *token = lua_newuserdatauv(L, sizeof *token, 0);
  *token = (held){item, item->serial, kind};
  luaL_setmetatable(L, HELD);
  item->open[kind]++;
  return 1;
}

void eva_item_limits_register(lua_State *L) {
  luaL_newmetatable(L, HELD);
  lua_pushcfunction(L, l_held_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, l_held_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
