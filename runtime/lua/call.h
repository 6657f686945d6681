/* Crossing between C and Lua: the only pcall and resume sites, and the two translations of errors.
 *
 * Bindings follow one convention (as luv does): a wrong argument (a programmer's error) is raised; a failure of the
 * world is returned as nil, message, code (`return eva_push_error(L, &error)`), where code is eva_code_name's text. */
#ifndef EVA_LUA_CALL_H
#define EVA_LUA_CALL_H

#include "lua/vm.h"

/* C to Lua: pushes nil, "where: message" (or "message"), code name. Returns 3. May raise (memory). */
int eva_push_error(lua_State *L, const eva_error *error);
/* The same as a raised error, where returning nil would hide a mistake. Never returns. */
int eva_raise_error(lua_State *L, const eva_error *error);

/* Lua to C: calls the function below `argument_count` values on the stack of vm->L, protected and with a traceback
 * handler. On failure fills `error` (message and short trace), pops everything and returns error->code. */
eva_code eva_call(eva_vm *vm, lua_State *L, int argument_count, int result_count, eva_error *error);

/* lua_pcall without a handler, with all results: what the caller passes on to Lua as it is. Returns Lua's status. */
int eva_call_plain(lua_State *L, int argument_count);

/* Runs `function(L)` with one light userdata argument inside a protected call. */
eva_code eva_call_protected(eva_vm *vm, lua_CFunction function, void *argument, eva_error *error);

/* Resumes `co`; the only lua_resume site. Keeps vm->running. Returns Lua's status. */
int eva_resume(eva_vm *vm, lua_State *co, int argument_count, int *result_count);

/* Pushes "file:line: " of the innermost function of a user's script on the stack of L, "" where there is none. */
void eva_push_place(lua_State *L);

/* Pushes onto L the lines of the stack of `of` that belong to user's scripts ("" if none), a few at most. */
void eva_push_trace(lua_State *L, lua_State *of, int level);

/* A buffer that the garbage collector frees: pushes a userdata that owns a zeroed eva_buf and returns the buffer.
 * Hold C memory this way across any Lua call that can raise. */
eva_buf *eva_push_buf(lua_State *L);

/* Argument helpers. */
eva_text eva_check_text(lua_State *L, int index);               /* a string (numbers are not strings here) */
eva_text eva_optional_text(lua_State *L, int index);            /* nil gives EVA_TEXT_NONE */
/* The named field of the table at `index`; raises unless it is a string or nil. The text lives while the table does. */
eva_text eva_field_text(lua_State *L, int index, const char *name);
void eva_push_text(lua_State *L, eva_text text);                /* none pushes nil */

#endif
