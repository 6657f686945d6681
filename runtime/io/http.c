/* The client: libcurl's sockets and timer on the loop, and telling waiters; see http.h. */
#include "io/http_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_KEPT = 512 };

typedef struct watched_socket {
  uv_poll_t poll;
  eva_http_client *client;
  curl_socket_t fd;
} watched_socket;

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

static void act(eva_http_client *client, curl_socket_t fd, int flags) {
  int running;
  eva_curl()->multi_socket_action(client->multi, fd, flags, &running);
  rearm(client);
  eva_http_tell(client);
}

static void on_timer(uv_timer_t *timer) { act(timer->data, CURL_SOCKET_TIMEOUT, 0); }

static void on_socket(uv_poll_t *poll, int status, int events) {
  watched_socket *socket = poll->data;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  act(socket->client, socket->fd, flags);
}

static void socket_closed(uv_handle_t *handle) { free(handle->data); }

static watched_socket *watch_socket(eva_http_client *client, curl_socket_t fd) {
  watched_socket *socket = eva_alloc_zeroed(1, sizeof *socket);
  if (uv_poll_init_socket(client->loop, &socket->poll, fd) != 0) {
    free(socket);
    return NULL;
  }
  socket->poll.data = socket;
  socket->client = client;
  socket->fd = fd;
  eva_curl()->multi_assign(client->multi, fd, socket);
  return socket;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
  (void)easy;
  eva_http_client *client = context;
  watched_socket *socket = assigned;
  if (what == CURL_POLL_REMOVE) {
    if (!socket) return 0;
    uv_poll_stop(&socket->poll); /* now: libcurl closes the descriptor next */
    uv_close((uv_handle_t *)&socket->poll, socket_closed);
    eva_curl()->multi_assign(client->multi, fd, NULL);
    return 0;
  }
  if (!socket) socket = watch_socket(client, fd);
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
  curl->multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
  return client;
}

static void client_closed(uv_handle_t *handle) { free(handle->data); }

void eva_http_close(eva_http_client *client) {
  if (!client || !eva_http_is_ours(client)) return; /* a fork's copy keeps its memory: the handles are not ours */
  while (client->transfers) eva_http_abort(client->transfers);
  while (client->noted) eva_http_unnote(client->noted);
  eva_curl()->multi_cleanup(client->multi);
  uv_close((uv_handle_t *)&client->timer, client_closed);
}

int eva_http_is_ours(const eva_http_client *client) { return client->owner == getpid(); }
