/* The Lua state of this process: its libraries, embedded modules, memory account and what runs in it now. */
#ifndef EVA_LUA_VM_H
#define EVA_LUA_VM_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct eva_vm eva_vm;
typedef struct eva_scope eva_scope;

struct eva_vm {
  lua_State *L;        /* the main thread of the state */
  uv_loop_t *loop;     /* the loop that waits complete on; a worker has its own */
  struct eva_alarms *alarms; /* of the loop, for sleeps; NULL until the first */
  struct eva_lua_desk_state *desk; /* what is shared with workers, see lib_desk.h; NULL until first used */
  lua_State *running;  /* the innermost coroutine that runs now; NULL between calls */
  eva_scope *scope;    /* the scope (item, scorer, branch) on whose behalf it runs; NULL outside items */
  size_t memory_used;  /* bytes held by Lua */
  size_t memory_limit; /* 0: none */
  size_t memory_refused; /* what memory_used would have become when the limit was met last */
  int in_worker;       /* this process is a forked worker */
  void (*settled)(eva_vm *vm); /* after the loop has resumed a scope, once nothing runs; NULL: nobody cares */
  int is_opening; /* in a worker before its first item: waiting blocks */
  int closing;         /* a scope is being given up: nothing may wait now */
  volatile int is_interrupted; /* what runs outside of items is to end, see interrupt.h */
  int is_in_loop;      /* the loop runs: what it calls cannot run it again, and so cannot wait */
  uint64_t op_count;   /* operations started so far */
  uint64_t scope_count; /* scopes made so far */
  uint64_t busy_ns;    /* time in which scopes ran Lua, all together */
  int error_exit;      /* the exit code that the last failed eva_call asks for */
  char *error_text;    /* the whole message of the last failed eva_call, which an eva_error may cut; NULL: none */
  size_t error_len;    /* bytes of error_text */
  int is_stdout_claimed; /* results have a stream of their own; what scripts print goes to stderr */
  int stdout_failure;  /* errno of the first result that could not be written to stdout; 0: none */
  const char *program; /* argv[0] */
  uint64_t slice_ns;   /* when what runs now must have ended (monotonic); 0: no deadline */
  eva_scope *interrupted; /* its time is up and its code is being left, see deadline.h */
  int (*has_unsent)(void); /* of a worker: results of other items wait behind the code that runs; for a signal handler */
  void (*flush)(void);     /* sends them */
  _Atomic uint64_t *beats; /* of a worker: counts the beats of the timer that watches deadlines; NULL elsewhere */
  void (*on_cpu)(eva_vm *vm); /* told whenever scope or slice_ns change; may be NULL */
  void (*seed)(eva_scope *scope); /* fills the seed of a scope without a parent; may be NULL */
  eva_scope *pool;     /* scopes that are free for use again */
  eva_scope *root;     /* what waits outside of any scope */
};

/* Exit codes of the program (the commands have them in stdlib/evalua/cli/fail.lua). */
enum { EVA_EXIT_OK = 0, EVA_EXIT_USAGE = 2, EVA_EXIT_SCRIPT = 3, EVA_EXIT_INCOMPLETE = 4 };

/* Makes the state: allow-listed libraries, cjson, native modules and embedded stdlib in package.preload.
 * Returns NULL and fills error when memory is short. The vm owns the state; eva_vm_close ends both. */
eva_vm *eva_vm_open(eva_error *error);
void eva_vm_close(eva_vm *vm);
/* Ends the start-up setting of the garbage collector: from here on it collects as Lua usually does. */
void eva_vm_settle(eva_vm *vm);

struct eva_embedded_file;
/* Pushes the chunk of an embedded Lua file (its name is "=" and its path). Returns Lua's status; on failure the message is
 * on the stack. */
int eva_vm_load(lua_State *L, const struct eva_embedded_file *file);

/* The vm of any thread of its state. */
eva_vm *eva_vm_of(lua_State *L);

/* Every native module: luaopen function by module name; the table is in vm.c. */
typedef struct eva_native_module {
  const char *name; /* "evalua.native.store" */
  lua_CFunction open;
} eva_native_module;

int luaopen_evalua_json(lua_State *L);
int luaopen_evalua_native_text(lua_State *L);
int luaopen_evalua_native_regex(lua_State *L);
int luaopen_evalua_native_csv(lua_State *L);
int luaopen_evalua_native_items(lua_State *L);
int luaopen_evalua_native_store(lua_State *L);
int luaopen_evalua_native_cache(lua_State *L);
int luaopen_evalua_native_stats(lua_State *L);
int luaopen_evalua_native_metrics(lua_State *L);
int luaopen_evalua_native_process(lua_State *L);
int luaopen_evalua_native_http(lua_State *L);
int luaopen_evalua_native_server(lua_State *L);
int luaopen_evalua_native_task(lua_State *L);
int luaopen_evalua_native_engine(lua_State *L);
int luaopen_evalua_native_secrets(lua_State *L);
int luaopen_evalua_native_sys(lua_State *L);
int luaopen_evalua_native_frame(lua_State *L);
int luaopen_evalua_native_terminal(lua_State *L);
int luaopen_evalua_native_watch(lua_State *L);
int luaopen_evalua_native_desk(lua_State *L);

#endif
