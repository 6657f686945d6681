/* HTTP requests on a libuv loop, by libcurl's multi socket interface: connections are kept and used again, HTTP/2 where
 * TLS agrees on it, bodies come decompressed, proxies are taken from the environment as libcurl does.
 *
 * Everything is limited: the time to connect, to the first byte of an answer and in total; the bytes of the head and of
 * the (decompressed) body. Redirects are reported, never followed: who may see which header is the caller's to judge.
 *
 * Ownership: eva_http_start returns one reference; eva_http_release gives it back and ends what is under way. A client
 * belongs to the process that opened it: in a fork every call on it or its transfers does nothing. */
#ifndef EVA_IO_HTTP_H
#define EVA_IO_HTTP_H

#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct eva_http_client eva_http_client;
typedef struct eva_http_transfer eva_http_transfer;

/* What a request failed of. */
typedef enum eva_http_fault {
  EVA_HTTP_NO_FAULT,
  EVA_HTTP_TIMEOUT,
  EVA_HTTP_CONNECT,    /* refused or unreachable */
  EVA_HTTP_DNS,        /* no address for the name */
  EVA_HTTP_TLS,        /* no secure connection, or a certificate that is not trusted */
  EVA_HTTP_TOO_LARGE,  /* over max_bytes, or a head over head_bytes */
  EVA_HTTP_CUT,        /* the connection ended before the answer did */
  EVA_HTTP_BAD_URL,
  EVA_HTTP_BAD_ANSWER, /* not HTTP, or a body that cannot be decompressed */
  EVA_HTTP_OTHER
} eva_http_fault;

/* "timeout", "connect_failed", "dns_failed", ...: the codes that scripts see. "" for EVA_HTTP_NO_FAULT. */
const char *eva_http_fault_name(eva_http_fault fault);

typedef struct eva_http_request {
  const char *url;
  const char *method;         /* "GET", ... */
  const char *const *headers; /* "Name: value", ended by NULL */
  eva_text body;              /* none: no body; copied */
  int64_t connect_ms;         /* 0: no limit, as for the next two */
  int64_t first_byte_ms;      /* from the start to the first byte of the answer */
  int64_t total_ms;
  size_t max_bytes;           /* of the body, decompressed */
  int is_stream;              /* the body is taken piece by piece; reading pauses while much of it waits */
} eva_http_request;

/* What can be waited for. */
typedef enum eva_http_event {
  EVA_HTTP_HEAD, /* status and headers are there, or it has ended */
  EVA_HTTP_DATA, /* some of the body is there, or it has ended */
  EVA_HTTP_END   /* it has ended, well or not */
} eva_http_event;

/* Opens libcurl, so that processes forked from this one need not each. Where it is missing, eva_http_open says so. */
void eva_http_prepare(void);
/* Makes a client; no connection yet. NULL where libcurl is missing. The loop outlives it. */
eva_http_client *eva_http_open(uv_loop_t *loop, eva_error *error);
/* Ends all transfers (nobody is told) and closes all connections. */
void eva_http_close(eva_http_client *client);
int eva_http_is_ours(const eva_http_client *client); /* 0 in a fork of the process that opened it */

/* Starts a request. NULL for what libcurl refuses at once. */
eva_http_transfer *eva_http_start(eva_http_client *client, const eva_http_request *request, eva_error *error);
void eva_http_retain(eva_http_transfer *transfer);
void eva_http_release(eva_http_transfer *transfer);
/* Stops it; its waiter is forgotten. Idempotent. */
void eva_http_abort(eva_http_transfer *transfer);

int eva_http_is_ready(const eva_http_transfer *transfer, eva_http_event event);
/* Calls `callback` once, from the loop, when the event is ready; one waiter a transfer (0: there is one already). */
int eva_http_when(eva_http_transfer *transfer, eva_http_event event, void (*callback)(void *), void *context);
void eva_http_forget(eva_http_transfer *transfer);

int eva_http_status(const eva_http_transfer *transfer);          /* 0 before the head */
eva_text eva_http_head(const eva_http_transfer *transfer);       /* lines "Name: value\r\n" of the last answer */
const char *eva_http_location(const eva_http_transfer *transfer); /* where it redirects to, absolute; or NULL */
/* The body, or of a stream what has come and was not taken yet; valid until the loop runs. */
eva_text eva_http_body(const eva_http_transfer *transfer);
/* Drops what eva_http_body gave, and goes on reading. */
void eva_http_taken(eva_http_transfer *transfer);
/* What it failed of, and in words; EVA_HTTP_NO_FAULT before the end and after a good one. */
eva_http_fault eva_http_failure(const eva_http_transfer *transfer, const char **message);

#endif
