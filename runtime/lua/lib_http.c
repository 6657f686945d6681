/* evalua.native.http: requests for scripts; waiting yields inside items and blocks outside of them.
 *
 * The client (libcurl's multi handle, with its open connections) is made for the first request of a process; a worker
 * never uses the one of the process that it was forked from. */
#include <stdlib.h>
#include <string.h>

#include "io/http.h"
#include "lua/call.h"
#include "lua/task.h"

#define TRANSFER_TYPE "evalua.http_transfer"
#define CLIENT_TYPE "evalua.http_client"
#define CLIENT_KEY "evalua.http_client.current" /* in the registry */

/* ==== The client of this process ==== */

static int client_gc(lua_State *L) {
  eva_http_client **client = luaL_checkudata(L, 1, CLIENT_TYPE);
  eva_http_close(*client);
  *client = NULL;
  return 0;
}

/* NULL with `error` filled where libcurl is missing. */
static eva_http_client *client_of(lua_State *L, eva_error *error) {
  lua_getfield(L, LUA_REGISTRYINDEX, CLIENT_KEY);
  eva_http_client **held = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (held && eva_http_is_ours(*held)) return *held;
  held = lua_newuserdatauv(L, sizeof(eva_http_client *), 0);
  *held = eva_http_open(eva_vm_of(L)->loop, error);
  if (!*held) {
    lua_pop(L, 1);
    return NULL;
  }
  luaL_setmetatable(L, CLIENT_TYPE);
  lua_setfield(L, LUA_REGISTRYINDEX, CLIENT_KEY);
  return *held;
}

/* ==== Starting ==== */

static eva_http_transfer **check_object(lua_State *L) { return luaL_checkudata(L, 1, TRANSFER_TYPE); }

static eva_http_transfer *check_transfer(lua_State *L) {
  eva_http_transfer *transfer = *check_object(L);
  if (!transfer) luaL_error(L, "the response is closed");
  return transfer;
}

static int64_t read_ms(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  lua_Number ms = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  if (!(ms >= 0 && ms < 1e12)) luaL_error(L, "%s has to be a number of milliseconds", name);
  return (int64_t)ms;
}

/* The named field as a C string; it lives in the options table. */
static const char *read_string(lua_State *L, const char *name) {
  eva_text text = eva_field_text(L, 1, name);
  if (!text.data || strlen(text.data) != text.len) luaL_error(L, "%s has to be a string without NUL", name);
  return text.data;
}

/* Leaves a userdata on the stack: an array of the strings of options.headers, ended by NULL. */
static const char *const *read_headers(lua_State *L) {
  size_t count = lua_getfield(L, 1, "headers") == LUA_TTABLE ? lua_rawlen(L, -1) : 0;
  const char **lines = lua_newuserdatauv(L, (count + 1) * sizeof *lines, 0);
  for (size_t i = 0; i < count; i++) {
    size_t len = 0;
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    lines[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    lua_pop(L, 1);
    if (!lines[i] || strpbrk(lines[i], "\r\n") || strlen(lines[i]) != len) luaL_error(L, "a header that cannot be sent");
  }
  lines[count] = NULL;
  return lines;
}

/* start{url, method, headers = {"Name: value", ...}, body, connect_ms, first_byte_ms, total_ms, max_bytes, stream}
 * -> transfer | nil, message, code */
static int http_start(lua_State *L) {
  eva_error error = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  eva_http_request request = {.url = read_string(L, "url"), .method = read_string(L, "method")};
  request.body = eva_field_text(L, 1, "body");
  request.connect_ms = read_ms(L, "connect_ms");
  request.first_byte_ms = read_ms(L, "first_byte_ms");
  request.total_ms = read_ms(L, "total_ms");
  lua_getfield(L, 1, "max_bytes");
  lua_Integer most = luaL_checkinteger(L, -1);
  luaL_argcheck(L, most >= 0, 1, "max_bytes cannot be negative");
  request.max_bytes = (size_t)most;
  lua_getfield(L, 1, "stream");
  request.is_stream = lua_toboolean(L, -1);
  request.headers = read_headers(L);
  eva_http_client *client = client_of(L, &error);
  if (!client) return eva_push_error(L, &error);
  eva_http_transfer **object = lua_newuserdatauv(L, sizeof *object, 0);
  *object = NULL;
  luaL_setmetatable(L, TRANSFER_TYPE);
  *object = eva_http_start(client, &request, &error);
  return *object ? 1 : eva_push_error(L, &error);
}

/* ==== Waiting ==== */

typedef struct http_op {
  eva_op op;
  eva_http_transfer *transfer;
} http_op;

static void on_event(void *context) {
  http_op *waiting = context;
  eva_op_complete(&waiting->op);
}

/* A script that is given up while it waits has no use for the answer. */
static void cancel_wait(eva_op *op) { eva_http_abort(((http_op *)op)->transfer); }

static void release_wait(eva_op *op) {
  eva_http_release(((http_op *)op)->transfer);
  free(op);
}

static int await_event(lua_State *L, eva_http_event event, const char *what, int (*push)(eva_op *, lua_State *)) {
  eva_http_transfer *transfer = check_transfer(L);
  http_op *waiting = eva_alloc_zeroed(1, sizeof *waiting);
  waiting->op = (eva_op){.what = what, .push = push, .cancel = cancel_wait, .release = release_wait};
  waiting->transfer = transfer;
  if (eva_http_is_ready(transfer, event)) {
    waiting->op.done = 1;
  } else if (!eva_http_when(transfer, event, on_event, waiting)) {
    free(waiting);
    return luaL_error(L, "another coroutine is waiting for this response already");
  }
  eva_http_retain(transfer);
  return eva_await(L, &waiting->op);
}

/* Pushes nil, message, code. */
static int push_fault(lua_State *L, eva_http_fault fault, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  lua_pushstring(L, eva_http_fault_name(fault));
  return 3;
}

static int push_head(eva_op *op, lua_State *L) {
  const eva_http_transfer *transfer = ((http_op *)op)->transfer;
  const char *message;
  eva_http_fault fault = eva_http_failure(transfer, &message);
  if (eva_http_status(transfer) == 0) return push_fault(L, fault, message);
  lua_pushinteger(L, eva_http_status(transfer));
  eva_push_text(L, eva_http_head(transfer));
  return 2;
}

/* transfer:head() -> status, head | nil, message, code */
static int transfer_head(lua_State *L) {
  return await_event(L, EVA_HTTP_HEAD, "the head of an HTTP answer", push_head);
}

static int push_whole(eva_op *op, lua_State *L) {
  const eva_http_transfer *transfer = ((http_op *)op)->transfer;
  const char *message;
  eva_http_fault fault = eva_http_failure(transfer, &message);
  if (fault != EVA_HTTP_NO_FAULT) return push_fault(L, fault, message);
  lua_pushinteger(L, eva_http_status(transfer));
  eva_push_text(L, eva_http_head(transfer));
  eva_push_text(L, eva_http_body(transfer));
  return 3;
}

/* transfer:whole() -> status, head, body | nil, message, code: waits once, for what is not streamed */
static int transfer_whole(lua_State *L) {
  return await_event(L, EVA_HTTP_END, "an HTTP answer", push_whole);
}

/* What has come; a failure is told after everything that came before it. */
static int push_piece(eva_op *op, lua_State *L) {
  eva_http_transfer *transfer = ((http_op *)op)->transfer;
  const char *message;
  eva_text piece = eva_http_body(transfer);
  if (piece.len > 0) {
    lua_pushlstring(L, piece.data, piece.len);
    eva_http_taken(transfer);
    return 1;
  }
  eva_http_fault fault = eva_http_failure(transfer, &message);
  if (fault != EVA_HTTP_NO_FAULT) return push_fault(L, fault, message);
  lua_pushnil(L);
  return 1;
}

/* transfer:read() -> a piece of the body | nil at its end | nil, message, code */
static int transfer_read(lua_State *L) {
  return await_event(L, EVA_HTTP_DATA, "more of an HTTP answer", push_piece);
}

/* transfer:location() -> the absolute URL that it redirects to | nil; after whole(), or read() to the end */
static int transfer_location(lua_State *L) {
  lua_pushstring(L, eva_http_location(check_transfer(L)));
  return 1;
}

static int transfer_close(lua_State *L) {
  eva_http_transfer **object = check_object(L), *transfer = *object;
  *object = NULL;
  if (!transfer) return 0;
  eva_http_abort(transfer);
  eva_http_release(transfer);
  return 0;
}

static const luaL_Reg TRANSFER_METHODS[] = {
    {"head", transfer_head},         {"whole", transfer_whole}, {"read", transfer_read},
    {"location", transfer_location}, {"close", transfer_close}, {"__gc", transfer_close},
    {"__close", transfer_close},     {NULL, NULL},
};

/* ==== Heads ==== */

/* Pushes `text` in lower case. */
static void push_lower(lua_State *L, const char *text, size_t len) {
  luaL_Buffer buffer;
  char *lower = luaL_buffinitsize(L, &buffer, len);
  for (size_t i = 0; i < len; i++) lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
  luaL_pushresultsize(&buffer, len);
}

/* Sets the header of one line, without its line end, in the table on top; several of one name are joined. */
static void set_header(lua_State *L, const char *line, size_t len) {
  const char *colon = memchr(line, ':', len);
  if (!colon || colon == line) return;
  const char *value = colon + 1, *end = line + len;
  while (value < end && (*value == ' ' || *value == '\t')) value++;
  while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
  push_lower(L, line, (size_t)(colon - line));
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) == LUA_TSTRING) {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, value, (size_t)(end - value));
    lua_concat(L, 3);
  } else {
    lua_pop(L, 1);
    lua_pushlstring(L, value, (size_t)(end - value));
  }
  lua_rawset(L, -3);
}

/* headers(head) -> {["lower-case-name"] = value} of lines "Name: value" */
static int http_headers(lua_State *L) {
  eva_text head = eva_check_text(L, 1);
  lua_createtable(L, 0, 8);
  for (size_t at = 0; at < head.len;) {
    size_t len = strcspn(head.data + at, "\r\n");
    set_header(L, head.data + at, len);
    at += len + 1;
  }
  return 1;
}

/* prepare(): opens libcurl before workers are forked, so that each need not. Where it is missing, a request says so. */
static int http_prepare(lua_State *L) {
  (void)L;
  eva_http_prepare();
  return 0;
}

static const luaL_Reg MODULE[] = {
    {"start", http_start}, {"headers", http_headers}, {"prepare", http_prepare}, {NULL, NULL}};

int luaopen_evalua_native_http(lua_State *L) {
  luaL_newmetatable(L, CLIENT_TYPE);
  lua_pushcfunction(L, client_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, TRANSFER_TYPE);
  luaL_setfuncs(L, TRANSFER_METHODS, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, MODULE);
  return 1;
}
