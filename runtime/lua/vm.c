/* Opens the Lua state of a process: an allocator that keeps account, the libraries, cjson, our native modules, and the
 * embedded stdlib as package.preload. Everything that can raise runs inside one protected call. */
#include "lua/vm.h"

#include <lua-cjson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/alarm.h"
#include "lua/call.h"
#include "lua/embedded.h"
#include "lua/lib_desk.h"
#include "lua/random.h"
#include "lua/task.h"

int luaopen_cjson_safe(lua_State *L); /* exported by the library, declared in no header of its */

enum { STARTUP_PAUSE = 800 }; /* percent; eva_vm_settle sets Lua's usual value */

static const eva_native_module NATIVE[] = {
    {"cjson", luaopen_cjson},
    {"cjson.safe", luaopen_cjson_safe},
    {"evalua.json", luaopen_evalua_json},
    {"evalua.native.text", luaopen_evalua_native_text},
    {"evalua.native.regex", luaopen_evalua_native_regex},
    {"evalua.native.csv", luaopen_evalua_native_csv},
    {"evalua.native.items", luaopen_evalua_native_items},
    {"evalua.native.store", luaopen_evalua_native_store},
    {"evalua.native.cache", luaopen_evalua_native_cache},
    {"evalua.native.stats", luaopen_evalua_native_stats},
    {"evalua.native.metrics", luaopen_evalua_native_metrics},
    {"evalua.native.process", luaopen_evalua_native_process},
    {"evalua.native.http", luaopen_evalua_native_http},
    {"evalua.native.server", luaopen_evalua_native_server},
    {"evalua.native.task", luaopen_evalua_native_task},
    {"evalua.native.engine", luaopen_evalua_native_engine},
    {"evalua.native.secrets", luaopen_evalua_native_secrets},
    {"evalua.native.sys", luaopen_evalua_native_sys},
    {"evalua.native.frame", luaopen_evalua_native_frame},
    {"evalua.native.terminal", luaopen_evalua_native_terminal},
    {"evalua.native.watch", luaopen_evalua_native_watch},
    {"evalua.native.desk", luaopen_evalua_native_desk},
    {NULL, NULL},
};

/* With ptr NULL, old_size is a type tag, not a size. Shrinking never fails. */
static void *vm_allocate(void *context, void *ptr, size_t old_size, size_t new_size) {
  eva_vm *vm = context;
  size_t held = ptr ? old_size : 0;
  if (new_size == 0) {
    free(ptr);
    vm->memory_used -= held;
    return NULL;
  }
  if (vm->memory_limit && new_size > held && vm->memory_used - held + new_size > vm->memory_limit) {
    vm->memory_refused = vm->memory_used - held + new_size;
    return NULL;
  }
  void *fresh = realloc(ptr, new_size);
  if (!fresh) return NULL;
  vm->memory_used = vm->memory_used - held + new_size;
  return fresh;
}

static int vm_panic(lua_State *L) {
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text";
  eva_log(EVA_LOG_ERROR, "internal error outside a protected call: %s", message);
  return 0; /* Lua aborts */
}

/* Errors in __gc and the like come as warnings in parts. */
static void vm_warn(void *context, const char *message, int to_be_continued) {
  static char text[512];
  static size_t len;
  (void)context;
  size_t more = strlen(message);
  if (more > sizeof text - 1 - len) more = sizeof text - 1 - len;
  memcpy(text + len, message, more);
  len += more;
  if (to_be_continued) return;
  text[len] = 0;
  len = 0;
  if (text[0] != '@') eva_log(EVA_LOG_WARNING, "%s", text);
}

eva_vm *eva_vm_of(lua_State *L) { return *(eva_vm **)lua_getextraspace(L); }

int eva_vm_load(lua_State *L, const eva_embedded_file *file) {
  if (file->code_len) {
    if (luaL_loadbufferx(L, file->code, file->code_len, file->path, "b") == LUA_OK) return LUA_OK;
    lua_pop(L, 1); /* compiled by another release of Lua: the text is as good, and slower */
  }
  lua_pushfstring(L, "=%s", file->path);
  int status = luaL_loadbufferx(L, file->text, file->len, lua_tostring(L, -1), "t");
  lua_remove(L, -2);
  return status;
}

/* Loads one embedded module: upvalue 1 is its entry. */
static int load_embedded(lua_State *L) {
  if (eva_vm_load(L, lua_touserdata(L, lua_upvalueindex(1))) != LUA_OK) return lua_error(L);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* stdlib/evalua/strict.lua is module evalua.strict; a trailing "init" is not used. */
static void push_module_name(lua_State *L, const char *path) {
  luaL_Buffer name;
  luaL_buffinit(L, &name);
  const char *begin = path + strlen("stdlib/"), *end = strrchr(path, '.');
  for (const char *c = begin; c < end; c++) luaL_addchar(&name, *c == '/' ? '.' : *c);
  luaL_pushresult(&name);
}

static void preload_modules(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const eva_native_module *module = NATIVE; module->name; module++) {
    lua_pushcfunction(L, module->open);
    lua_setfield(L, -2, module->name);
  }
  for (const eva_embedded_file *file = eva_embedded_files; file->path; file++) {
    if (strncmp(file->path, "stdlib/", 7) != 0 || strncmp(file->path, "stdlib/meta/", 12) == 0) continue;
    push_module_name(L, file->path);
    lua_pushlightuserdata(L, (void *)file);
    lua_pushcclosure(L, load_embedded, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

static int open_libraries(lua_State *L) {
  lua_pushboolean(L, 1); /* LUA_PATH and the like change nothing */
  lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  lua_gc(L, LUA_GCINC, STARTUP_PAUSE, 0, 0); /* loading modules makes no garbage worth two collections */
  luaL_openlibs(L);
  eva_task_install(L);
  eva_random_install(L);
  preload_modules(L);
  return 0;
}

eva_vm *eva_vm_open(eva_error *error) {
  eva_vm *vm = eva_alloc_zeroed(1, sizeof *vm);
  vm->L = lua_newstate(vm_allocate, vm);
  if (!vm->L) {
    free(vm);
    eva_error_set(error, EVA_E_LIMIT, NULL, "not enough memory to start Lua");
    return NULL;
  }
  *(eva_vm **)lua_getextraspace(vm->L) = vm;
  lua_atpanic(vm->L, vm_panic);
  lua_setwarnf(vm->L, vm_warn, vm);
  vm->loop = eva_alloc(sizeof *vm->loop);
  if (uv_loop_init(vm->loop) != 0) {
    free(vm->loop);
    vm->loop = NULL;
    eva_vm_close(vm);
    eva_error_set(error, EVA_E_IO, NULL, "cannot make an event loop (out of file descriptors?)");
    return NULL;
  }
  vm->error_exit = EVA_EXIT_SCRIPT;
  if (eva_call_protected(vm, open_libraries, NULL, error) != EVA_OK) {
    eva_vm_close(vm);
    return NULL;
  }
  return vm;
}

void eva_vm_settle(eva_vm *vm) { lua_gc(vm->L, LUA_GCINC, 200, 0, 0); }

void eva_vm_close(eva_vm *vm) {
  if (!vm) return;
  eva_task_close(vm);
  lua_close(vm->L);
  eva_lua_desk_close(vm);
  eva_alarms_close(vm->alarms);
  if (vm->loop) {
    uv_run(vm->loop, UV_RUN_DEFAULT); /* lets close callbacks and killed children end */
    uv_loop_close(vm->loop);
    free(vm->loop);
  }
  free(vm->error_text);
  free(vm);
}
