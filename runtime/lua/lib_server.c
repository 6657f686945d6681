/* evalua.native.server: an HTTP server whose requests are each answered by a function in a scope of its own, so that
 * answers wait for the clock or for others at the same time. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/server.h"
#include "lua/call.h"
#include "lua/task.h"

#define SERVER_TYPE "evalua.server"
#define REQUEST_TYPE "evalua.server_request"

typedef struct serve_op serve_op;

/* A request that is being answered. */
typedef struct handler {
  serve_op *serving;
  eva_scope *scope;
  struct handler *previous, *next;
} handler;

typedef struct server_object {
  eva_server *server; /* NULL: stopped */
  eva_vm *vm;
  serve_op *serving;  /* NULL: nobody asks for requests */
} server_object;

struct serve_op {
  eva_op op;
  server_object *object; /* kept alive by object_ref */
  eva_vm *vm;
  int object_ref, handler_ref;
  handler *handlers;      /* that have not ended */
};

/* ==== Requests ==== */

static eva_server_request *check_request(lua_State *L) {
  eva_server_request **object = luaL_checkudata(L, 1, REQUEST_TYPE);
  if (!*object) luaL_error(L, "the request is closed");
  return *object;
}

static int request_gc(lua_State *L) {
  eva_server_request **object = luaL_checkudata(L, 1, REQUEST_TYPE);
  if (*object) eva_server_request_release(*object);
  *object = NULL;
  return 0;
}

static int request_method(lua_State *L) {
  lua_pushstring(L, eva_server_request_method(check_request(L)));
  return 1;
}

static int request_path(lua_State *L) {
  lua_pushstring(L, eva_server_request_path(check_request(L)));
  return 1;
}

/* Pushes a list of name, value, name, value. */
static int push_pairs(lua_State *L, eva_text pairs) {
  lua_newtable(L);
  lua_Integer count = 0;
  for (size_t at = 0; at < pairs.len;) {
    size_t len = strlen(pairs.data + at);
    lua_pushlstring(L, pairs.data + at, len);
    lua_rawseti(L, -2, ++count);
    at += len + 1;
  }
  return 1;
}

static int request_query(lua_State *L) { return push_pairs(L, eva_server_request_query(check_request(L))); }
static int request_headers(lua_State *L) { return push_pairs(L, eva_server_request_headers(check_request(L))); }

static int request_body(lua_State *L) {
  eva_text body = eva_server_request_body(check_request(L));
  lua_pushlstring(L, body.data ? body.data : "", body.len);
  return 1;
}

/* request:begin(status, {name, value, ...}, length | nil): length nil sends chunks */
static int request_begin(lua_State *L) {
  eva_server_request *request = check_request(L);
  eva_server_answer answer = {.status = (int)luaL_checkinteger(L, 2)};
  luaL_argcheck(L, answer.status >= 200 && answer.status <= 999, 2, "a status from 200 to 999");
  luaL_checktype(L, 3, LUA_TTABLE);
  answer.length = luaL_optinteger(L, 4, -1);
  size_t count = lua_rawlen(L, 3) & ~(size_t)1;
  const char **pairs = lua_newuserdatauv(L, (count + 1) * sizeof *pairs, 0);
  for (size_t i = 0; i < count; i++) {
    if (lua_rawgeti(L, 3, (lua_Integer)i + 1) != LUA_TSTRING) return luaL_argerror(L, 3, "headers are strings");
    pairs[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  pairs[count] = NULL;
  answer.headers = pairs;
  if (!eva_server_answer_begin(request, &answer)) return luaL_error(L, "the request is answered already");
  return 0;
}

/* request:write(text) -> bytes that wait to be sent */
static int request_write(lua_State *L) {
  eva_text text = eva_check_text(L, 2);
  lua_pushinteger(L, (lua_Integer)eva_server_answer_write(check_request(L), text.data, text.len));
  return 1;
}

/* request:fill(pattern, bytes) */
static int request_fill(lua_State *L) {
  eva_text pattern = eva_check_text(L, 2);
  lua_Integer count = luaL_checkinteger(L, 3);
  luaL_argcheck(L, count >= 0 && pattern.len > 0 && pattern.len <= 4096, 3, "a pattern of 1 to 4096 bytes and a count");
  eva_server_answer_fill(check_request(L), pattern, (uint64_t)count);
  return 0;
}

static int request_finish(lua_State *L) {
  eva_server_answer_end(check_request(L));
  return 0;
}

static int request_cut(lua_State *L) {
  eva_server_answer_cut(check_request(L));
  return 0;
}

static int request_is_open(lua_State *L) {
  lua_pushboolean(L, eva_server_request_is_open(check_request(L)));
  return 1;
}

/* ==== Serving ==== */

static void handler_free(handler *h) {
  if (h->previous) h->previous->next = h->next;
  else h->serving->handlers = h->next;
  if (h->next) h->next->previous = h->previous;
  eva_scope_recycle(h->scope);
  free(h);
}

static void handler_ended(eva_scope *scope) {
  if (scope->outcome == EVA_FAILED) {
    const char *message = lua_tostring(scope->co, -1);
    eva_log(EVA_LOG_WARNING, "a request was not answered: %s", message ? message : "an error that is no text");
  }
  handler_free(scope->owner);
}

static void handlers_give_up(serve_op *serving) {
  for (handler *h = serving->handlers, *next; h; h = next) {
    next = h->next;
    h->scope->ended = NULL;
    eva_scope_give_up(h->scope, EVA_GIVEN_UP);
    eva_scope_recycle(h->scope);
    free(h);
  }
  serving->handlers = NULL;
}

typedef struct arrival {
  serve_op *serving;
  eva_server_request *request;
} arrival;

static int start_handler(lua_State *L) {
  arrival *arrived = lua_touserdata(L, 1);
  serve_op *serving = arrived->serving;
  eva_server_request **object = lua_newuserdatauv(L, sizeof(eva_server_request *), 0);
  *object = NULL;
  luaL_setmetatable(L, REQUEST_TYPE);
  *object = arrived->request;
  arrived->request = NULL;
  eva_scope *scope = eva_scope_new(L, NULL);
  handler *h = eva_alloc_zeroed(1, sizeof *h);
  *h = (handler){.serving = serving, .scope = scope, .next = serving->handlers};
  if (h->next) h->next->previous = h;
  serving->handlers = h;
  scope->ended = handler_ended;
  scope->owner = h;
  lua_rawgeti(L, LUA_REGISTRYINDEX, serving->handler_ref);
  lua_insert(L, -2);
  lua_xmove(L, scope->co, 2);
  eva_scope_start(scope, 1, 0);
  return 0;
}

static void on_arrived(void *context, eva_server_request *request) {
  server_object *object = context;
  arrival arrived = {object->serving, request};
  if (object->serving) {
    eva_error error;
    eva_scope *outer = object->vm->scope;
    object->vm->scope = NULL;
    if (eva_call_protected(object->vm, start_handler, &arrived, &error) != EVA_OK) {
      eva_log(EVA_LOG_WARNING, "a request was not answered: %s", error.message);
    }
    object->vm->scope = outer;
  }
  if (arrived.request) eva_server_request_release(arrived.request);
}

static void stop(server_object *object) {
  eva_server *server = object->server;
  object->server = NULL;
  if (server) eva_server_stop(server);
}

static int serve_push(eva_op *op, lua_State *L) {
  (void)op;
  (void)L;
  return 0;
}

static void serve_cancel(eva_op *op) { stop(((serve_op *)op)->object); }

static void serve_release(eva_op *op) {
  serve_op *serving = (serve_op *)op;
  serving->object->serving = NULL;
  handlers_give_up(serving);
  luaL_unref(serving->vm->L, LUA_REGISTRYINDEX, serving->handler_ref);
  luaL_unref(serving->vm->L, LUA_REGISTRYINDEX, serving->object_ref);
  free(serving);
}

static void end_serving(server_object *object) {
  serve_op *serving = object->serving;
  stop(object);
  object->serving = NULL;
  if (serving) eva_op_complete(&serving->op);
}

static server_object *check_server(lua_State *L) {
  server_object *object = luaL_checkudata(L, 1, SERVER_TYPE);
  if (!object->server) luaL_error(L, "the server is stopped");
  return object;
}

/* server:serve(function(request)): calls it for each request, many at the same time. Returns after server:stop(); a signal
 * raises, see interrupt.h. Requests that are being answered then are cut. Not for items: it would wait for ever. */
static int server_serve(lua_State *L) {
  server_object *object = check_server(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (object->serving) return luaL_error(L, "the server is being served already");
  if (eva_vm_of(L)->scope) return luaL_error(L, "a server cannot be served inside an item");
  lua_settop(L, 2);
  int handler_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  int object_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  serve_op *serving = eva_alloc_zeroed(1, sizeof *serving);
  serving->op =
      (eva_op){.what = "requests", .push = serve_push, .cancel = serve_cancel, .release = serve_release};
  serving->object = object;
  serving->vm = eva_vm_of(L);
  serving->handler_ref = handler_ref;
  serving->object_ref = object_ref;
  object->serving = serving;
  return eva_await(L, &serving->op);
}

static int server_stop(lua_State *L) {
  end_serving(luaL_checkudata(L, 1, SERVER_TYPE));
  return 0;
}

static int server_gc(lua_State *L) {
  stop(luaL_checkudata(L, 1, SERVER_TYPE));
  return 0;
}

static int server_port(lua_State *L) {
  lua_pushinteger(L, eva_server_port(check_server(L)->server));
  return 1;
}

/* start{host, port} -> server | nil, message, code */
static int l_start(lua_State *L) {
  eva_error error = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  eva_text host = eva_field_text(L, 1, "host");
  lua_getfield(L, 1, "port");
  lua_Integer port = luaL_optinteger(L, -1, 0);
  luaL_argcheck(L, port >= 0 && port <= 65535, 1, "a port from 0 to 65535");
  server_object *object = lua_newuserdatauv(L, sizeof *object, 0);
  *object = (server_object){.vm = eva_vm_of(L)};
  luaL_setmetatable(L, SERVER_TYPE);
  eva_server_options options = {
      .host = host.data ? host.data : "127.0.0.1", .port = (int)port, .arrived = on_arrived, .context = object};
  object->server = eva_server_start(object->vm->loop, &options, &error);
  return object->server ? 1 : eva_push_error(L, &error);
}

static const luaL_Reg REQUEST_METHODS[] = {
    {"method", request_method}, {"path", request_path},     {"query", request_query}, {"headers", request_headers},
    {"body", request_body},     {"begin", request_begin},   {"write", request_write}, {"fill", request_fill},
    {"finish", request_finish}, {"cut", request_cut},       {"is_open", request_is_open}, {"__gc", request_gc},
    {"__close", request_gc},    {NULL, NULL},
};

static const luaL_Reg SERVER_METHODS[] = {
    {"serve", server_serve}, {"stop", server_stop}, {"port", server_port}, {"__gc", server_gc}, {NULL, NULL},
};

static const luaL_Reg MODULE[] = {{"start", l_start}, {NULL, NULL}};

static void register_type(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

int luaopen_evalua_native_server(lua_State *L) {
  register_type(L, REQUEST_TYPE, REQUEST_METHODS);
  register_type(L, SERVER_TYPE, SERVER_METHODS);
  luaL_newlib(L, MODULE);
  return 1;
}
