/* The server; see server.h. libmicrohttpd calls back only inside MHD_run; what it brings is handed on after that. */
#include "io/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "io/server_library.h"

enum {
  BLOCK_SIZE = 64 * 1024,
  LOOK_MS = 50,           /* how often connections that wait for us are asked whether the client is there */
  CONNECTIONS_MAX = 60000 /* its default is 1020, and those beyond would wait until others close */
};

struct eva_server {
  uv_loop_t *loop;
  uv_poll_t poll;
  uv_timer_t timer, look;
  struct pollfd *looked;  /* room for one a connection */
  size_t looked_room;
  struct MHD_Daemon *daemon;
  eva_server_options options;
  int port;
  int handles;                  /* not closed yet */
  int is_stopping;
  eva_server_request *requests; /* whose connection is there */
  eva_server_request *arrived, *arrived_last;
};

struct eva_server_request {
  eva_server *server;           /* NULL: stopped */
  struct MHD_Connection *connection; /* NULL: gone */
  int fd;                       /* of the connection */
  int owners;                   /* the connection and the receiver */
  eva_server_request *previous, *next, *next_arrived;
  char *method, *path;
  eva_buf query, headers, body;
  int has_arrived, is_suspended, is_too_large;
  struct MHD_Response *response; /* begun; not given to libmicrohttpd yet */
  int status;                   /* of the answer; 0: not begun */
  int has_ended, is_cut, is_left; /* left: the client has closed its side */
  eva_buf out;
  size_t out_taken;
  eva_buf pattern;
  size_t pattern_at;
  uint64_t fill_left;
};

static void on_timer(uv_timer_t *timer);

static void run_soon(eva_server *server) { uv_timer_start(&server->timer, on_timer, 0, 0); }

static void request_free(eva_server_request *r) {
  if (--r->owners > 0) return;
  if (r->response) eva_mhd()->destroy_response(r->response);
  free(r->method);
  free(r->path);
  eva_buf_free(&r->query);
  eva_buf_free(&r->headers);
  eva_buf_free(&r->body);
  eva_buf_free(&r->out);
  eva_buf_free(&r->pattern);
  free(r);
}

static void resume(eva_server_request *r) {
  if (!r->connection || !r->is_suspended) return;
  r->is_suspended = 0;
  eva_mhd()->resume_connection(r->connection);
  run_soon(r->server);
}

static void suspend(eva_server_request *r) {
  r->is_suspended = 1;
  eva_mhd()->suspend_connection(r->connection);
}

/* ==== What libmicrohttpd asks ==== */

static enum MHD_Result add_pair(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
  (void)kind;
  eva_buf *pairs = context;
  eva_buf_add(pairs, name, strlen(name) + 1);
  eva_buf_add(pairs, value ? value : "", (value ? strlen(value) : 0) + 1);
  return MHD_YES;
}

static eva_server_request *request_new(eva_server *server, struct MHD_Connection *connection, const char *path,
                                       const char *method) {
  eva_server_request *r = eva_alloc_zeroed(1, sizeof *r);
  r->server = server;
  r->connection = connection;
  r->owners = 1;
  r->fd = eva_mhd()->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  r->method = eva_strdup(method);
  r->path = eva_strdup(path);
  eva_mhd()->get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_pair, &r->query);
  eva_mhd()->get_connection_values(connection, MHD_HEADER_KIND, add_pair, &r->headers);
  r->next = server->requests;
  if (r->next) r->next->previous = r;
  server->requests = r;
  return r;
}

static void arrive(eva_server_request *r) {
  eva_server *server = r->server;
  r->has_arrived = 1;
  r->owners++;
  if (server->arrived_last) server->arrived_last->next_arrived = r;
  else server->arrived = r;
  server->arrived_last = r;
  suspend(r);
}

/* Called when the head is there, for each piece of the body, and after it until there is an answer. */
static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *data, size_t *size,
                                 void **state) {
  eva_server *server = context;
  eva_server_request *r = *state;
  (void)version;
  if (!r) {
    *state = request_new(server, connection, path, method);
    return MHD_YES;
  }
  if (*size > 0) {
    if (r->body.len + *size > EVA_SERVER_BODY_MAX) r->is_too_large = 1;
    else eva_buf_add(&r->body, data, *size);
    *size = 0;
    return MHD_YES;
  }
  if (r->is_too_large || server->is_stopping) return MHD_NO;
  if (!r->has_arrived) {
    arrive(r);
    return MHD_YES;
  }
  if (r->is_left) return MHD_NO;
  if (r->response) {
    struct MHD_Response *response = r->response;
    r->response = NULL;
    enum MHD_Result queued = eva_mhd()->queue_response(connection, (unsigned int)r->status, response);
    eva_mhd()->destroy_response(response);
    return queued;
  }
  if (r->is_cut || r->is_left) return MHD_NO;
  suspend(r); /* woken too early */
  return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why) {
  eva_server_request *r = *state;
  (void)context;
  (void)connection;
  (void)why;
  if (!r) return;
  *state = NULL;
  if (r->previous) r->previous->next = r->next;
  else r->server->requests = r->next;
  if (r->next) r->next->previous = r->previous;
  r->connection = NULL;
  request_free(r);
}

static ssize_t fill_block(eva_server_request *r, char *block, size_t size) {
  if (size > r->fill_left) size = (size_t)r->fill_left;
  for (size_t at = 0; at < size;) {
    size_t piece = r->pattern.len - r->pattern_at;
    if (piece > size - at) piece = size - at;
    memcpy(block + at, r->pattern.data + r->pattern_at, piece);
    at += piece;
    r->pattern_at = (r->pattern_at + piece) % r->pattern.len;
  }
  r->fill_left -= size;
  return (ssize_t)size;
}

/* The next bytes of a body. */
static ssize_t on_read(void *context, uint64_t position, char *block, size_t size) {
  eva_server_request *r = context;
  (void)position;
  size_t waiting = r->out.len - r->out_taken;
  if (waiting > 0) {
    if (size > waiting) size = waiting;
    memcpy(block, r->out.data + r->out_taken, size);
    r->out_taken += size;
    if (r->out_taken == r->out.len) {
      eva_buf_clear(&r->out);
      r->out_taken = 0;
    }
    return (ssize_t)size;
  }
  if (r->fill_left > 0) return fill_block(r, block, size);
  if (r->is_left) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (r->is_cut || !r->server || r->server->is_stopping) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (r->has_ended) return MHD_CONTENT_READER_END_OF_STREAM;
  suspend(r);
  return 0;
}

static void on_response_free(void *context) { request_free(context); }

/* ==== The loop ==== */

static void run(eva_server *server) {
  const eva_mhd_table *mhd = eva_mhd();
  MHD_UNSIGNED_LONG_LONG ms;
  mhd->run(server->daemon);
  while (server->arrived) {
    eva_server_request *r = server->arrived;
    server->arrived = r->next_arrived;
    if (!server->arrived) server->arrived_last = NULL;
    server->options.arrived(server->options.context, r);
    if (server->is_stopping) return;
  }
  if (mhd->get_timeout(server->daemon, &ms) == MHD_YES) uv_timer_start(&server->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer) { run(timer->data); }

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  run(poll->data);
}

/* libmicrohttpd does not watch suspended connections, so a client that gives up would be noticed only when the answer
 * is sent. One that has closed its side is taken to have left. */
static void on_look(uv_timer_t *timer) {
  eva_server *server = timer->data;
  size_t count = 0;
  for (eva_server_request *r = server->requests; r; r = r->next) {
    if (!r->is_suspended) continue;
    if (count == server->looked_room) {
      server->looked_room = server->looked_room * 2 + 64;
      server->looked = eva_realloc(server->looked, server->looked_room * sizeof *server->looked);
    }
    server->looked[count++] = (struct pollfd){.fd = r->fd, .events = POLLRDHUP};
  }
  if (count == 0 || poll(server->looked, count, 0) <= 0) return;
  size_t at = 0;
  for (eva_server_request *r = server->requests; r && at < count; r = r->next) {
    if (!r->is_suspended) continue;
    if (server->looked[at++].revents & (POLLRDHUP | POLLHUP | POLLERR)) {
      r->is_left = 1;
      resume(r);
    }
  }
}

static int parse_address(const eva_server_options *options, struct sockaddr_storage *address) {
  memset(address, 0, sizeof *address);
  return uv_ip4_addr(options->host, options->port, (struct sockaddr_in *)address) == 0 ||
         uv_ip6_addr(options->host, options->port, (struct sockaddr_in6 *)address) == 0;
}

static struct MHD_Daemon *start_daemon(eva_server *server, const struct sockaddr_storage *address) {
  unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
  if (address->ss_family == AF_INET6) flags |= MHD_USE_IPv6;
  return eva_mhd()->start_daemon(flags, 0, NULL, NULL, on_access, server, MHD_OPTION_SOCK_ADDR, address,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096u,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX, MHD_OPTION_END);
}

static void handle_closed(uv_handle_t *handle) {
  eva_server *server = handle->data;
  if (--server->handles > 0) return;
  free(server->looked);
  free(server);
}

eva_server *eva_server_start(uv_loop_t *loop, const eva_server_options *options, eva_error *error) {
  struct sockaddr_storage address;
  if (eva_mhd_load(error) != EVA_OK) return NULL;
  if (!parse_address(options, &address)) {
    eva_error_set(error, EVA_E_ARGUMENT, NULL, "'%s' is not an address; 127.0.0.1 is this machine alone", options->host);
    return NULL;
  }
  eva_server *server = eva_alloc_zeroed(1, sizeof *server);
  server->loop = loop;
  server->options = *options;
  server->daemon = start_daemon(server, &address);
  if (!server->daemon) {
    eva_error_set(error, EVA_E_IO, NULL, "cannot listen on %s port %d (is another program there?)", options->host,
                  options->port);
    free(server);
    return NULL;
  }
  server->port = eva_mhd()->get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  uv_timer_init(loop, &server->timer);
  uv_timer_init(loop, &server->look);
  uv_poll_init(loop, &server->poll, eva_mhd()->get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
  server->timer.data = server->look.data = server->poll.data = server;
  server->handles = 3;
  uv_timer_start(&server->look, on_look, LOOK_MS, LOOK_MS);
  uv_unref((uv_handle_t *)&server->look);
  uv_poll_start(&server->poll, UV_READABLE, on_poll);
  return server;
}

int eva_server_port(const eva_server *server) { return server->port; }

void eva_server_stop(eva_server *server) {
  server->is_stopping = 1;
  for (eva_server_request *r = server->requests; r; r = r->next) {
    r->is_cut = 1;
    resume(r);
  }
  eva_mhd()->run(server->daemon);
  while (server->arrived) { /* nobody will ask for these */
    eva_server_request *r = server->arrived;
    server->arrived = r->next_arrived;
    request_free(r);
  }
  for (eva_server_request *r = server->requests; r; r = r->next) resume(r);
  uv_close((uv_handle_t *)&server->timer, handle_closed);
  uv_close((uv_handle_t *)&server->look, handle_closed);
  uv_poll_stop(&server->poll);
  uv_close((uv_handle_t *)&server->poll, handle_closed);
  eva_mhd()->stop_daemon(server->daemon);
}

/* ==== Requests ==== */

const char *eva_server_request_method(const eva_server_request *r) { return r->method; }
const char *eva_server_request_path(const eva_server_request *r) { return r->path; }
eva_text eva_server_request_query(const eva_server_request *r) { return eva_buf_text(&r->query); }
eva_text eva_server_request_headers(const eva_server_request *r) { return eva_buf_text(&r->headers); }
eva_text eva_server_request_body(const eva_server_request *r) { return eva_buf_text(&r->body); }
int eva_server_request_is_open(const eva_server_request *r) { return r->connection != NULL && !r->is_left; }

int eva_server_answer_begin(eva_server_request *r, const eva_server_answer *answer) {
  if (r->status || r->is_cut) return 0;
  r->status = answer->status;
  if (!r->connection) return 1;
  uint64_t length = answer->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)answer->length;
  r->owners++; /* the response's reference, given back by on_response_free */
  r->response = eva_mhd()->create_response_from_callback(length, BLOCK_SIZE, on_read, r, on_response_free);
  if (!r->response) {
    r->owners--;
    r->is_cut = 1;
  }
  for (const char *const *pair = answer->headers; r->response && pair && *pair; pair += 2) {
    eva_mhd()->add_response_header(r->response, pair[0], pair[1]);
  }
  resume(r);
  return 1;
}

size_t eva_server_answer_write(eva_server_request *r, const void *data, size_t len) {
  if (!r->connection || r->has_ended || r->is_cut) return 0;
  eva_buf_add(&r->out, data, len);
  resume(r);
  return r->out.len - r->out_taken;
}

void eva_server_answer_fill(eva_server_request *r, eva_text pattern, uint64_t count) {
  if (!pattern.len) return;
  eva_buf_clear(&r->pattern);
  while (r->pattern.len < BLOCK_SIZE) eva_buf_add(&r->pattern, pattern.data, pattern.len);
  r->pattern_at = 0;
  r->fill_left = count;
  resume(r);
}

void eva_server_answer_end(eva_server_request *r) {
  r->has_ended = 1;
  resume(r);
}

void eva_server_answer_cut(eva_server_request *r) {
  r->is_cut = 1;
  resume(r);
}

void eva_server_request_release(eva_server_request *r) {
  if (r->connection && !r->has_ended) eva_server_answer_cut(r);
  request_free(r);
}
