/* The client: libcurl's sockets and timer on the loop, and telling waiters; see http.h. */
#include "io/http_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  DESCRIPTORS_WANTED = 65536, /* a connection takes one; the usual soft limit is 1024 */
  DESCRIPTORS_KEPT = 64       /* for everything else in the process */
};

struct eva_http_socket {
  uv_poll_t poll; /* outlives the connection: libcurl asks for the socket anew with each request */
  eva_http_client *client;
  curl_socket_t fd;
};

/* ==== Telling waiters, never from inside libcurl ==== */

void eva_http_note(eva_http_transfer *t) {
  if (t->is_noted) return;
  t->is_noted = 1;
  t->next_noted = NULL;
  if (t->client->noted_last) t->client->noted_last->next_noted = t;
  else t->client->noted = t;
  t->client->noted_last = t;
}

void eva_http_unnote(eva_http_transfer *t) {
  if (!t->is_noted) return;
  t->is_noted = 0;
  eva_http_transfer *before = NULL;
  for (eva_http_transfer *at = t->client->noted; at != t; at = at->next_noted) before = at;
  if (before) before->next_noted = t->next_noted;
  else t->client->noted = t->next_noted;
  if (t->client->noted_last == t) t->client->noted_last = before;
}

static void collect_ended(eva_http_client *client) {
  CURLMsg *message;
  int left;
  while ((message = eva_curl()->multi_info_read(client->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    eva_http_transfer *t = NULL;
    CURLcode code = message->data.result;
    eva_curl()->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    eva_http_finish(t, code);
  }
}

void eva_http_tell(eva_http_client *client) {
  collect_ended(client);
  while (client->noted) {
    eva_http_transfer *t = client->noted;
    eva_http_unnote(t);
    if (!t->callback || !eva_http_is_ready(t, t->event)) continue;
    void (*callback)(void *) = t->callback;
    t->callback = NULL;
    callback(t->context); /* may start, abort and free transfers; the client lives as long as the script */
  }
}

/* ==== Sockets and timer ==== */

static void on_timer(uv_timer_t *timer);

static void arm(eva_http_client *client, long ms) {
  if (ms <= 0) client->is_due = 1;
  uv_update_time(client->loop);
  uv_timer_start(&client->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* libcurl does not ask again for a time that it has asked for before, so a timer that fired early is armed here. */
static void rearm(eva_http_client *client) {
  long ms = -1;
  if (uv_is_active((uv_handle_t *)&client->timer)) return;
  eva_curl()->multi_timeout(client->multi, &ms);
  if (ms >= 0) arm(client, ms ? ms : 1);
}

static void act_once(eva_http_client *client, curl_socket_t fd, int flags) {
  int running;
  eva_curl()->multi_socket_action(client->multi, fd, flags, &running);
  rearm(client);
  eva_http_tell(client);
}

/* What waiters have begun is sent at once, not when everything that came in this turn of the loop has been handled: answers
 * that come together would make their successors go out together, each waiting for the work on all of them. */
static void act(eva_http_client *client, curl_socket_t fd, int flags) {
  client->is_due = 0;
  act_once(client, fd, flags);
  if (!client->is_due) return;
  client->is_due = 0;
  act_once(client, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(uv_timer_t *timer) { act(timer->data, CURL_SOCKET_TIMEOUT, 0); }

static void on_socket(uv_poll_t *poll, int status, int events) {
  eva_http_socket *socket = poll->data;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  act(socket->client, socket->fd, flags);
}

static void socket_closed(uv_handle_t *handle) { free(handle->data); }

/* The watcher of a descriptor, made when its number is seen first. NULL where it cannot be watched. */
static eva_http_socket *socket_of(eva_http_client *client, curl_socket_t fd) {
  size_t index = (size_t)fd;
  if (index >= client->socket_count) {
    size_t count = index + index / 2 + 16;
    client->sockets = eva_realloc(client->sockets, count * sizeof *client->sockets);
    memset(client->sockets + client->socket_count, 0, (count - client->socket_count) * sizeof *client->sockets);
    client->socket_count = count;
  }
  if (client->sockets[index]) return client->sockets[index];
  eva_http_socket *socket = eva_alloc_zeroed(1, sizeof *socket);
  if (uv_poll_init_socket(client->loop, &socket->poll, fd) != 0) {
    free(socket);
    return NULL;
  }
  socket->poll.data = socket;
  socket->client = client;
  socket->fd = fd;
  client->sockets[index] = socket;
  return socket;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
  (void)easy;
  (void)assigned;
  eva_http_client *client = context;
  if (what == CURL_POLL_REMOVE) {
    eva_http_socket *known = (size_t)fd < client->socket_count ? client->sockets[fd] : NULL;
    if (known) uv_poll_stop(&known->poll); /* now: libcurl may close the descriptor next */
    return 0;
  }
  eva_http_socket *socket = socket_of(client, fd);
  if (!socket) return -1;
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  return uv_poll_start(&socket->poll, events, on_socket) == 0 ? 0 : -1;
}

static int on_curl_timer(CURLM *multi, long ms, void *context) {
  (void)multi;
  eva_http_client *client = context;
  if (ms < 0) uv_timer_stop(&client->timer);
  else arm(client, ms);
  return 0;
}

/* ==== The client ==== */

/* How many connections there may be: as many as the process may have descriptors, after raising its soft limit.
 * Requests beyond wait inside libcurl. */
static long connections_most(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return DESCRIPTORS_KEPT;
  rlim_t wanted = files.rlim_max == RLIM_INFINITY || files.rlim_max > DESCRIPTORS_WANTED ? DESCRIPTORS_WANTED
                                                                                        : files.rlim_max;
  if (files.rlim_cur != RLIM_INFINITY && files.rlim_cur < wanted) {
    struct rlimit raised = {wanted, files.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  }
  rlim_t most = files.rlim_cur == RLIM_INFINITY || files.rlim_cur > wanted ? wanted : files.rlim_cur;
  return most > 2 * DESCRIPTORS_KEPT ? (long)most - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
}

void eva_http_prepare(void) {
  eva_error error;
  (void)eva_curl_load(&error);
}

eva_http_client *eva_http_open(uv_loop_t *loop, eva_error *error) {
  if (eva_curl_load(error) != EVA_OK) return NULL;
  const eva_curl_table *curl = eva_curl();
  CURLM *multi = curl->multi_init();
  if (!multi) {
    eva_error_set(error, EVA_E_LIMIT, NULL, "not enough memory for an HTTP client");
    return NULL;
  }
  eva_http_client *client = eva_alloc_zeroed(1, sizeof *client);
  client->loop = loop;
  client->owner = getpid();
  client->multi = multi;
  uv_timer_init(loop, &client->timer);
  client->timer.data = client;
  curl->multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
  curl->multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
  curl->multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl->multi_setopt(multi, CURLMOPT_TIMERDATA, client);
  long most = connections_most();
  curl->multi_setopt(multi, CURLMOPT_MAXCONNECTS, most); /* kept open; the default closes all beyond a few */
  curl->multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
  return client;
}

static void client_closed(uv_handle_t *handle) { free(handle->data); }

void eva_http_close(eva_http_client *client) {
  if (!client || !eva_http_is_ours(client)) return; /* a fork's copy keeps its memory: the handles are not ours */
  while (client->transfers) eva_http_abort(client->transfers);
  while (client->noted) eva_http_unnote(client->noted);
  for (size_t i = 0; i < client->spare_count; i++) eva_curl()->easy_cleanup(client->spare[i]);
  eva_curl()->multi_cleanup(client->multi);
  for (size_t i = 0; i < client->socket_count; i++) {
    if (client->sockets[i]) uv_close((uv_handle_t *)&client->sockets[i]->poll, socket_closed);
  }
  free(client->sockets);
  uv_close((uv_handle_t *)&client->timer, client_closed);
}

int eva_http_is_ours(const eva_http_client *client) { return client->owner == getpid(); }
