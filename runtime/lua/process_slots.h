/* Slots: a counter with a queue, so that at most so many processes of a pool run at once in this worker. */
#ifndef EVA_LUA_PROCESS_SLOTS_H
#define EVA_LUA_PROCESS_SLOTS_H

#include <lua.h>

/* Lua: process.slots(limit) -> slots. slots:take() waits for its turn (first come, first served) and returns a slot;
 * a slot is given back by slot:free(), by leaving the block of `local slot <close>`, or when it is collected. */
int eva_process_slots_new(lua_State *L);
/* Makes the metatables; call once when the module is opened. */
void eva_process_slots_register(lua_State *L);

#endif
