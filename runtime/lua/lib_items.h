/* The items of a file in C: how lib_store_item.c takes whole runs of them without a Lua value for any. */
#ifndef EVA_LUA_LIB_ITEMS_H
#define EVA_LUA_LIB_ITEMS_H

#include <lua.h>

#include "store/items.h"

typedef struct eva_item_reader eva_item_reader;

/* The reader at `index` (items.open); raises when it is something else. */
eva_item_reader *eva_lua_check_item_reader(lua_State *L, int index);
/* The items of the next lines that need no closer look, with their places ("path:12"), at most `most` of them. Returns
 * how many: fewer where a line needs one (it is the next line still), at the end, where reading fails (reader:next tells)
 * and where they are large. Texts live until the next call of anything on the reader. Never raises. */
int eva_item_reader_take(eva_item_reader *reader, eva_item *items, eva_text *places, int most);

#endif
