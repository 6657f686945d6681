/* The desk as Lua sees it: asking from wherever code runs, and services whose handlers are Lua functions. */
#ifndef EVA_LUA_LIB_DESK_H
#define EVA_LUA_LIB_DESK_H

#include "engine/desk.h"
#include "engine/passing.h"
#include "engine/worker.h"
#include "lua/task.h"

/* The desk of this process, made when first asked for; the coordinator lets its workers ask it. */
eva_desk *eva_lua_desk(eva_vm *vm);
/* In a forked worker: from here on the coordinator is asked. */
void eva_lua_desk_enter_worker(eva_vm *vm, eva_worker *worker);
/* What the coordinator's services say unasked. */
void eva_lua_desk_told(eva_vm *vm, eva_text service, eva_text message);
/* Before the frames of a turn of the loop are sent: gives back permits that were kept for it and found nobody. */
void eva_lua_desk_turn(eva_vm *vm);
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
/* The permit of a host whose request ended well stays here for the next one of this turn of the loop. Returns 0 where it
 * has to be given back. */
int eva_lua_desk_keep(eva_vm *vm, uint64_t number, unsigned epoch, eva_passing_host *host);
/* A kept permit of the host, now that of the running item; the coordinator is told. 0: there is none, ask. */
uint64_t eva_lua_desk_pass_on(eva_vm *vm, eva_passing_host *host);
eva_passing_host *eva_lua_desk_host(eva_vm *vm, eva_text name);
void eva_lua_tell(eva_vm *vm, const char *service, eva_text message);

/* Adds `acquire` to the module table on top of the stack (lib_permit.c). */
void eva_lua_permit_functions(lua_State *L);

#endif
