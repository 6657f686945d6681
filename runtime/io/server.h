/* An HTTP/1.1 server on a libuv loop, by libmicrohttpd with its own epoll descriptor polled by the loop.
 *
 * A request is given to `arrived` when its body is complete; it is answered any time later, at once or piece by piece,
 * or cut. Bodies of requests are limited to EVA_SERVER_BODY_MAX bytes.
 *
 * Ownership: the receiver of `arrived` owns one reference of the request, until eva_server_request_release. A request
 * that is released unanswered is cut. Stop the server first, or release requests first: both orders work. */
#ifndef EVA_IO_SERVER_H
#define EVA_IO_SERVER_H

#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"

enum { EVA_SERVER_BODY_MAX = 64 * 1024 * 1024 };

typedef struct eva_server eva_server;
typedef struct eva_server_request eva_server_request;

typedef struct eva_server_options {
  const char *host; /* an IPv4 or IPv6 address */
  int port;         /* 0: any that is free */
  void (*arrived)(void *context, eva_server_request *request); /* from the loop */
  void *context;
} eva_server_options;

/* NULL where it cannot listen there, or libmicrohttpd is missing. */
eva_server *eva_server_start(uv_loop_t *loop, const eva_server_options *options, eva_error *error);
int eva_server_port(const eva_server *server);
/* Cuts all connections. */
void eva_server_stop(eva_server *server);

/* What was asked; valid while the request is. Query and headers as "name\0value\0" pairs in `len` bytes. */
const char *eva_server_request_method(const eva_server_request *request);
const char *eva_server_request_path(const eva_server_request *request);
eva_text eva_server_request_query(const eva_server_request *request);
eva_text eva_server_request_headers(const eva_server_request *request);
eva_text eva_server_request_body(const eva_server_request *request);

typedef struct eva_server_answer {
  int status;
  const char *const *headers; /* name, value, name, value, NULL */
  int64_t length;             /* announced bytes of the body; -1: chunked */
} eva_server_answer;

/* Begins the answer. Returns 0 where it has begun already. */
int eva_server_answer_begin(eva_server_request *request, const eva_server_answer *answer);
/* Queues a copy of a piece of the body. Returns the bytes that wait to be sent. */
size_t eva_server_answer_write(eva_server_request *request, const void *data, size_t len);
/* Queues `count` bytes made of `pattern` again and again, without holding them in memory; after all other pieces. */
void eva_server_answer_fill(eva_server_request *request, eva_text pattern, uint64_t count);
void eva_server_answer_end(eva_server_request *request);
/* Closes the connection when what was queued is sent; without an answer begun, at once. */
void eva_server_answer_cut(eva_server_request *request);
int eva_server_request_is_open(const eva_server_request *request); /* the client is (as far as is known) there */
void eva_server_request_release(eva_server_request *request);

#endif
