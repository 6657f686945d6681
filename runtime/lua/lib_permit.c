/* Permits of the desk's limits and hosts, for scripts: desk.acquire waits for one, permit:release gives it back; so do
 * leaving a `<close>` variable, collection, the end of its item, and the death of its worker. That of a host whose request
 * ended well may be passed on to the next one in this worker, which then does not wait; see engine/passing.h. */
#include <stdio.h>
#include <string.h>

#include "engine/hosts.h"
#include "engine/limits.h"
#include "lua/call.h"
#include "lua/lib_desk.h"

#define PERMIT_TYPE "evalua.permit"

typedef struct permit {
  uint64_t number;
  unsigned epoch;
  int is_held;
  eva_passing_host *host; /* NULL: it is a limit's */
} permit;

static void give_back(lua_State *L, permit *held, eva_text outcome) {
  if (!held->is_held) return;
  held->is_held = 0;
  eva_lua_desk_end(eva_vm_of(L), held->number, held->epoch, outcome);
}

/* permit:release([answer [, wait_ms]]): a host's permit says how its request ended: "ok", "answered" (the host is well,
 * the request was not: nothing is passed on, as what may end the run should be known before the next one), "refused" (429;
 * wait_ms is what was asked for), "failed", or nothing; a limit's that it was not used ("unused"). The second time does
 * nothing. */
static int l_release(lua_State *L) {
  static const char *const answers[] = {"none", "ok", "refused", "failed", "unused", "answered", NULL};
  static const eva_host_answer of_host[] = {EVA_HOST_NEUTRAL, EVA_HOST_OK,      EVA_HOST_REFUSED,
                                            EVA_HOST_FAILED,  EVA_HOST_NEUTRAL, EVA_HOST_OK};
  enum { OK = 1, REFUSED = 2, UNUSED = 4 };
  permit *held = luaL_checkudata(L, 1, PERMIT_TYPE);
  int answer = luaL_checkoption(L, 2, "none", answers);
  double wait_ms = luaL_optnumber(L, 3, 0);
  if (!held->is_held) return 0;
  if (!held->host) {
    give_back(L, held, answer == UNUSED ? EVA_LIMIT_UNUSED : EVA_TEXT_NONE);
    return 0;
  }
  if (answer == OK && eva_lua_desk_keep(eva_vm_of(L), held->number, held->epoch, held->host)) {
    held->is_held = 0;
    return 0;
  }
  if (answer == REFUSED) held->host->may_pass_on = 0; /* what that changes is for the coordinator to say */
  eva_buf *outcome = eva_push_buf(L);
  eva_hosts_put_outcome(outcome, of_host[answer], wait_ms);
  give_back(L, held, eva_buf_text(outcome));
  eva_buf_free(outcome);
  return 0;
}

static int l_close(lua_State *L) {
  give_back(L, luaL_checkudata(L, 1, PERMIT_TYPE), EVA_TEXT_NONE);
  return 0;
}

static int push_refusal(lua_State *L, const eva_reply *reply) {
  lua_pushnil(L);
  eva_push_text(L, reply->message);
  eva_push_text(L, reply->code);
  return 3;
}

static int push_permit(lua_State *L, uint64_t number, eva_passing_host *host) {
  permit *made = lua_newuserdatauv(L, sizeof *made, 0);
  *made = (permit){number, eva_lua_desk_epoch(eva_vm_of(L)), 0, host};
  luaL_setmetatable(L, PERMIT_TYPE);
  made->is_held = 1;
  return 1;
}

static int push_limit_permit(lua_State *L, uint64_t number, const eva_reply *reply) {
  return reply->answer.data ? push_permit(L, number, NULL) : push_refusal(L, reply);
}

/* The arguments of acquire are still there. */
static int push_host_permit(lua_State *L, uint64_t number, const eva_reply *reply) {
  if (!reply->answer.data) return push_refusal(L, reply);
  eva_passing_host *host = eva_lua_desk_host(eva_vm_of(L), eva_check_text(L, 2));
  host->may_pass_on = eva_text_equal(reply->answer, EVA_HOST_PASS_ON);
  return push_permit(L, number, host);
}

/* acquire("limit", name, max_concurrency, per_minute) -> permit: 0 is no bound.
 * acquire("host", name, is_retry, can_come_back) -> permit | nil, milliseconds, "later" or "refused". */
static int l_acquire(lua_State *L) {
  static const char *const kinds[] = {"limit", "host", NULL};
  int is_host = luaL_checkoption(L, 1, NULL, kinds);
  eva_text name = eva_check_text(L, 2);
  lua_Integer max = is_host ? 0 : luaL_optinteger(L, 3, 0);
  double per_minute = is_host ? 0 : luaL_optnumber(L, 4, 0);
  int flags = (is_host && lua_toboolean(L, 3) ? EVA_HOST_IS_RETRY : 0) |
              (is_host && lua_toboolean(L, 4) ? EVA_HOST_CAN_COME_BACK : 0);
  uint64_t passed_on = is_host ? eva_lua_desk_pass_on(eva_vm_of(L), eva_lua_desk_host(eva_vm_of(L), name)) : 0;
  if (passed_on) return push_permit(L, passed_on, eva_lua_desk_host(eva_vm_of(L), name));
  luaL_argcheck(L, max >= 0 && max <= INT32_MAX, 3, "a number of at least 0");
  luaL_argcheck(L, per_minute >= 0, 4, "a number of at least 0");
  char what[80];
  snprintf(what, sizeof what, "a permit of %.60s", name.data);
  eva_buf *request = eva_push_buf(L);
  if (is_host) eva_hosts_put_request(request, name, (uint8_t)flags);
  else eva_limits_put_request(request, name, (uint32_t)max, per_minute);
  return eva_lua_ask(L, is_host ? "hosts" : "limits", eva_buf_text(request), what, 1,
                     is_host ? push_host_permit : push_limit_permit);
}

void eva_lua_permit_functions(lua_State *L) {
  static const luaL_Reg methods[] = {{"release", l_release}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__close", l_close}, {"__gc", l_close}, {NULL, NULL}};
  if (luaL_newmetatable(L, PERMIT_TYPE)) {
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, l_acquire);
  lua_setfield(L, -2, "acquire");
}
