/* What the HTTP client (http.c) and its transfers (http_transfer.c) share. */
#ifndef EVA_IO_HTTP_PRIVATE_H
#define EVA_IO_HTTP_PRIVATE_H

#include <sys/types.h>

#include "io/http.h"
#include "io/http_library.h"

enum {
  EVA_HTTP_MESSAGE_MAX = 512,
  EVA_HTTP_SPARE_MAX = 256 /* easy handles kept for the next requests */
};

typedef struct eva_http_socket eva_http_socket;

struct eva_http_client {
  uv_loop_t *loop;
  uv_timer_t timer;  /* libcurl's */
  int is_due;        /* libcurl wants to go on now: a request has been added */
  CURLM *multi;
  pid_t owner;
  eva_http_socket **sockets; /* by descriptor; NULL: never seen */
  size_t socket_count;
  CURL *spare[EVA_HTTP_SPARE_MAX];
  size_t spare_count;
  eva_http_transfer *transfers; /* under way */
  eva_http_transfer *noted, *noted_last; /* something has happened that its waiter may wait for */
};

struct eva_http_transfer {
  eva_http_client *client; /* not to be used after the end, unless noted */
  CURL *easy;              /* NULL: it has ended */
  int is_ended;
  pid_t owner;
  int owners;              /* references */
  eva_http_transfer *previous, *next;
  eva_http_transfer *next_noted;
  int is_noted;
  struct curl_slist *headers;
  eva_buf request_body;
  uv_timer_t *first_byte;  /* runs until the answer begins; NULL: none */
  int64_t connect_ms, first_byte_ms, total_ms;
  uint64_t started_ns;
  size_t max_bytes;
  int is_stream, is_paused;
  int status;
  int head_done;
  eva_buf head, body;
  size_t body_bytes;       /* of the body so far, taken or not */
  char *location;
  eva_http_fault fault;
  char message[EVA_HTTP_MESSAGE_MAX];
  char curl_message[CURL_ERROR_SIZE];
  eva_http_event event;
  void (*callback)(void *);
  void *context;
};

void eva_http_note(eva_http_transfer *transfer);
void eva_http_unnote(eva_http_transfer *transfer);
void eva_http_tell(eva_http_client *client);
/* libcurl is done with it. */
void eva_http_finish(eva_http_transfer *transfer, CURLcode code);

#endif
