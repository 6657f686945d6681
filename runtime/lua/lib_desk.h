/* The desk as Lua sees it: asking from wherever code runs, and services whose handlers are Lua functions. */
#ifndef EVA_LUA_LIB_DESK_H
#define EVA_LUA_LIB_DESK_H

#include "engine/desk.h"
#include "engine/worker.h"
#include "lua/task.h"

/* The desk of this process, made when first asked for; the coordinator lets its workers ask it. */
eva_desk *eva_lua_desk(eva_vm *vm);
/* In a forked worker: from here on the coordinator is asked. */
void eva_lua_desk_enter_worker(eva_vm *vm, eva_worker *worker);
/* An answer of the coordinator has come. */
void eva_lua_desk_answer(eva_vm *vm, uint64_t number, const eva_reply *reply);
/* Gives back what the item still holds, such as the permits of streams that it did not read to their end. */
void eva_lua_desk_item_ended(eva_vm *vm, const void *item);
/* After lua_close and before the loop ends. */
void eva_lua_desk_close(eva_vm *vm);

/* Waits for the answer to an ask; `return eva_lua_ask(L, ...)`. `what` names it in messages. What it returns is pushed by
 * `push` from the reply (never NULL there; answer none means that it failed); `number` stays open after a grant until
 * eva_lua_desk_end, so `push` must first make what will end it. */
typedef int (*eva_ask_push)(lua_State *L, uint64_t number, const eva_reply *reply);
int eva_lua_ask(lua_State *L, const char *service, eva_text request, const char *what, int is_grant, eva_ask_push push);
/* Gives back what was granted. `epoch` is that of eva_lua_desk_epoch when it was granted: a forked worker holds nothing of
 * what its parent held. */
void eva_lua_desk_end(eva_vm *vm, uint64_t number, unsigned epoch, eva_text outcome);
unsigned eva_lua_desk_epoch(eva_vm *vm);
void eva_lua_tell(eva_vm *vm, const char *service, eva_text message);

/* Adds `acquire` to the module table on top of the stack (lib_permit.c). */
void eva_lua_permit_functions(lua_State *L);

#endif
