/* What the parts of evalua.native.engine share: lib_engine.c (the coordinator's side), engine_worker.c (a worker that runs
 * items), engine_item.c (the result of one item). */
#ifndef EVA_LUA_ENGINE_PRIVATE_H
#define EVA_LUA_ENGINE_PRIVATE_H

#include "engine/coordinator.h"
#include "lua/task.h"

/* What one attempt at an item may use; 0: no limit. */
typedef struct item_limits {
  double tokens, cost, steps;
  int processes, requests; /* open at once */
} item_limits;

/* A job in a slot of this worker. */
typedef struct running_item {
  eva_worker *worker;
  int slot;
  int64_t position;
  int attempt, trial;
  int64_t item_version;
  eva_buf item_id;
  int64_t started_at_ms;
  eva_scope *scope;
  const char *stage; /* "target", "scorer": what it is at, for people */
  int target_retries; /* of the target, so far */
  int cache_hits, cache_misses;
  double tokens, cost, steps; /* used so far, as far as it was reported */
  double input, output;       /* tokens, where they were told apart */
  int open[2];                /* processes, requests */
  uint64_t serial;            /* counts what ran in this slot */
  int is_emitted;
} running_item;

typedef struct engine {
  eva_vm *vm;
  char seed[32];
  int slots;            /* max_concurrency: no worker has more */
  running_item *items;  /* in a worker: by slot */
  eva_buf spare;        /* error texts */
  _Atomic int *signal;  /* of the script's signal; NULL: none */
  int64_t memory_limit; /* bytes of Lua in a worker beyond what the suite holds at the fork: memory_per_worker */
  size_t memory_base;   /* in a worker: what Lua held before its first item */
  int64_t item_timeout_ms; /* 0: none */
  item_limits limits;
} engine;

#define EVA_ENGINE_SPEC "evalua.run" /* in the registry: the options of the run */

/* Of this process; set while it runs an experiment. */
extern engine *eva_engine_now;

/* engine_item.c */
running_item *eva_engine_item(lua_State *L); /* that runs now, or NULL */
void eva_engine_emit_failure(engine *e, running_item *item, eva_scope *scope); /* it ended without a result */
int eva_engine_emit(lua_State *L);   /* emit(...) */
int eva_engine_cached(lua_State *L); /* cached(...) */
int eva_engine_stage(lua_State *L);  /* stage(...) */
/* Adds what the item is doing, for people: "target waits for sleep at a.eval.lua:12". */
void eva_engine_describe(engine *e, running_item *item, eva_buf *out);

/* item_limits.c */
int eva_engine_charge(lua_State *L); /* charge(...) */
int eva_engine_spent(lua_State *L);  /* spent() */
int eva_engine_memory(lua_State *L); /* memory() */
int eva_engine_target_retries(lua_State *L); /* target_retries() */
int eva_engine_open(lua_State *L);   /* open(...) */
void eva_item_limits_register(lua_State *L);

/* engine_worker.c */
eva_worker_program eva_engine_program(engine *e);

/* shared_flag.c */
int eva_shared_flag_new(lua_State *L); /* signal() */
void eva_shared_flag_register(lua_State *L);
_Atomic int *eva_shared_flag_state(lua_State *L, int index); /* 2: aborted */

#endif
