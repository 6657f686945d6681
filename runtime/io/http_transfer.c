/* One request and its answer; see http.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/http_private.h"

enum {
  HEAD_BYTES_MAX = 256 * 1024,   /* limit head_bytes; libcurl's own is 300 KB, and looks like a connection that is cut */
  STREAM_WAITING_MAX = 1024 * 1024 /* of a stream: reading pauses while this much waits to be taken */
};

static const char *const FAULT_NAMES[] = {"", "timeout", "connect_failed", "dns_failed", "tls_failed",
                                          "too_large", "cut", "bad_url", "bad_answer", "http_failed"};

const char *eva_http_fault_name(eva_http_fault fault) { return FAULT_NAMES[fault]; }

/* ==== What libcurl delivers ==== */

static void fail(eva_http_transfer *t, eva_http_fault fault, const char *message) {
  if (t->fault != EVA_HTTP_NO_FAULT) return;
  t->fault = fault;
  snprintf(t->message, sizeof t->message, "%s", message);
}

static void first_byte_closed(uv_handle_t *handle) { free(handle); }

static void stop_first_byte(eva_http_transfer *t) {
  if (!t->first_byte) return;
  uv_close((uv_handle_t *)t->first_byte, first_byte_closed);
  t->first_byte = NULL;
}

/* One line of the head, with its line end. A new status line begins the answer anew (100 Continue, early hints). */
static size_t on_header(char *data, size_t one, size_t len, void *context) {
  eva_http_transfer *t = context;
  (void)one;
  stop_first_byte(t);
  if (t->head_done) return len; /* trailers */
  if (len > 5 && strncasecmp(data, "HTTP/", 5) == 0) {
    eva_buf_clear(&t->head);
    return len;
  }
  if (t->head.len + len > HEAD_BYTES_MAX) {
    fail(t, EVA_HTTP_TOO_LARGE, "the headers are over the limit head_bytes = 262144");
    return 0;
  }
  if (len > 2 || (len == 2 && data[0] != '\r')) {
    eva_buf_add(&t->head, data, len);
    return len;
  }
  long status = 0;
  eva_curl()->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return len;
  t->status = (int)status;
  t->head_done = 1;
  eva_http_note(t);
  return len;
}

static void fail_size(eva_http_transfer *t, const char *how) {
  char text[EVA_HTTP_MESSAGE_MAX];
  snprintf(text, sizeof text, "the body is over the limit max_bytes = %zu: %s", t->max_bytes, how);
  fail(t, EVA_HTTP_TOO_LARGE, text);
}

static size_t on_body(char *data, size_t one, size_t len, void *context) {
  eva_http_transfer *t = context;
  (void)one;
  if (t->is_stream && t->body.len >= STREAM_WAITING_MAX) {
    t->is_paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (len > t->max_bytes - t->body_bytes) {
    char how[64];
    snprintf(how, sizeof how, "at least %zu bytes came", t->body_bytes + len);
    fail_size(t, how);
    return 0;
  }
  t->body_bytes += len;
  eva_buf_add(&t->body, data, len);
  if (t->is_stream) eva_http_note(t);
  return len;
}

/* ==== Ends ==== */

/* Takes it out of libcurl; what came stays. */
static void drop_easy(eva_http_transfer *t) {
  const eva_curl_table *curl = eva_curl();
  stop_first_byte(t);
  curl->multi_remove_handle(t->client->multi, t->easy);
  if (t->client->spare_count < EVA_HTTP_SPARE_MAX) {
    curl->easy_reset(t->easy);
    t->client->spare[t->client->spare_count++] = t->easy;
  } else {
    curl->easy_cleanup(t->easy);
  }
  t->easy = NULL;
  curl->slist_free_all(t->headers);
  t->headers = NULL;
  eva_buf_free(&t->request_body);
}

static void end(eva_http_transfer *t) {
  drop_easy(t);
  t->is_ended = 1;
  if (t->previous) t->previous->next = t->next;
  else t->client->transfers = t->next;
  if (t->next) t->next->previous = t->previous;
  t->previous = t->next = NULL;
}

static void fail_timeout(eva_http_transfer *t) {
  char text[EVA_HTTP_MESSAGE_MAX];
  int64_t elapsed_ms = (int64_t)((eva_clock_monotonic_ns() - t->started_ns) / 1000000);
  if (t->total_ms && elapsed_ms + 1 >= t->total_ms) {
    snprintf(text, sizeof text, "no complete answer within its timeout of %lld ms", (long long)t->total_ms);
  } else {
    snprintf(text, sizeof text, "no connection within its connect_timeout of %lld ms", (long long)t->connect_ms);
  }
  fail(t, EVA_HTTP_TIMEOUT, text);
}

/* libcurl ends the transfer before it tells the length that is too large; the header is there. */
static void fail_announced(eva_http_transfer *t) {
  char how[64];
  const char *header = t->head.data ? strcasestr(t->head.data, "content-length:") : NULL;
  long long announced = header ? strtoll(header + strlen("content-length:"), NULL, 10) : 0;
  if (announced > 0) snprintf(how, sizeof how, "%lld bytes are announced", announced);
  else snprintf(how, sizeof how, "more is announced");
  fail_size(t, how);
}

static eva_http_fault fault_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return EVA_HTTP_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY: return EVA_HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED: return EVA_HTTP_TLS;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return EVA_HTTP_CUT;
    case CURLE_URL_MALFORMAT: return EVA_HTTP_BAD_URL;
    case CURLE_UNSUPPORTED_PROTOCOL: /* the scheme was checked before: an answer that is not HTTP/1 or 2 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_WRITE_ERROR: /* not of ours, which have failed with a fault: something stands behind the encoded body */
    case CURLE_BAD_CONTENT_ENCODING: return EVA_HTTP_BAD_ANSWER;
    default: return EVA_HTTP_OTHER;
  }
}

/* libcurl has codes for several things at once, and tells them apart in words. */
static void fail_by_code(eva_http_transfer *t, CURLcode code) {
  const char *said = t->curl_message[0] ? t->curl_message : eva_curl()->easy_strerror(code);
  eva_http_fault fault = fault_of(code);
  if (code == CURLE_WRITE_ERROR) said = "the body cannot be decoded: it goes on behind its end";
  if (code == CURLE_RECV_ERROR && strstr(said, "chunked-encoding")) fault = EVA_HTTP_BAD_ANSWER;
  if (code == CURLE_RECV_ERROR && strstr(said, "CONNECT tunnel failed")) fault = EVA_HTTP_CONNECT; /* a proxy refuses */
  fail(t, fault, said);
}

void eva_http_finish(eva_http_transfer *t, CURLcode code) {
  char *location = NULL;
  if (code == CURLE_OPERATION_TIMEDOUT) {
    fail_timeout(t);
  } else if (code == CURLE_FILESIZE_EXCEEDED) {
    fail_announced(t);
  } else if (code != CURLE_OK) {
    fail_by_code(t, code);
  }
  eva_curl()->easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &location);
  if (location && !t->location) t->location = eva_strdup(location);
  eva_http_note(t);
  end(t);
}

/* Nothing came in time: libcurl has no such limit of its own. */
static void on_first_byte(uv_timer_t *timer) {
  eva_http_transfer *t = timer->data;
  eva_http_client *client = t->client;
  char text[EVA_HTTP_MESSAGE_MAX];
  snprintf(text, sizeof text, "no byte of an answer within its first_byte_timeout of %lld ms",
           (long long)t->first_byte_ms);
  fail(t, EVA_HTTP_TIMEOUT, text);
  eva_http_note(t);
  end(t);
  eva_http_tell(client);
}

void eva_http_abort(eva_http_transfer *t) {
  if (t->owner != getpid()) return;
  t->callback = NULL;
  if (t->is_ended) return;
  fail(t, EVA_HTTP_OTHER, "the request was given up");
  end(t);
  eva_http_unnote(t);
}

/* ==== Starting ==== */

static void set_trust(CURL *easy) {
  const char *file = getenv("CURL_CA_BUNDLE"); /* libcurl itself does not read them */
  if (!file || !*file) file = getenv("SSL_CERT_FILE");
  if (file && *file) eva_curl()->easy_setopt(easy, CURLOPT_CAINFO, file);
}

static void set_body(eva_http_transfer *t, const eva_http_request *request) {
  const eva_curl_table *curl = eva_curl();
  int is_head = strcmp(request->method, "HEAD") == 0;
  if (is_head) curl->easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
  else curl->easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_bytes);
  if (request->body.data) {
    eva_buf_add(&t->request_body, request->body.data, request->body.len);
    curl->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request_body.len);
    curl->easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->request_body.data ? t->request_body.data : "");
  } else if (!is_head && strcmp(request->method, "GET") != 0 && strcmp(request->method, "DELETE") != 0 &&
             strcmp(request->method, "OPTIONS") != 0) {
    t->headers = curl->slist_append(t->headers, "Content-Type:"); /* libcurl would say that nothing is a form */
    curl->easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0); /* says Content-Length: 0 */
    curl->easy_setopt(t->easy, CURLOPT_POSTFIELDS, "");
  }
  curl->easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_headers(eva_http_transfer *t, const eva_http_request *request) {
  const eva_curl_table *curl = eva_curl();
  /* No "Expect: 100-continue": a second of waiting with servers that do not know it. */
  t->headers = curl->slist_append(t->headers, "Expect:");
  for (const char *const *header = request->headers; header && *header; header++) {
    struct curl_slist *longer = curl->slist_append(t->headers, *header);
    if (longer) t->headers = longer;
  }
  curl->easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_options(eva_http_transfer *t, const eva_http_request *request) {
  const eva_curl_table *curl = eva_curl();
  CURL *easy = t->easy;
  curl->easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_message);
  curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl->easy_setopt(easy, CURLOPT_PIPEWAIT, (long)(strncasecmp(request->url, "https:", 6) == 0));
  curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
  curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
  curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl->easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl->easy_setopt(easy, CURLOPT_WRITEDATA, t);
  set_trust(easy);
  set_headers(t, request);
  set_body(t, request);
}

static void start_first_byte(eva_http_transfer *t) {
  if (t->first_byte_ms <= 0) return;
  t->first_byte = eva_alloc_zeroed(1, sizeof *t->first_byte);
  uv_timer_init(t->client->loop, t->first_byte);
  t->first_byte->data = t;
  uv_update_time(t->client->loop);
  uv_timer_start(t->first_byte, on_first_byte, (uint64_t)t->first_byte_ms, 0);
}

static eva_http_transfer *transfer_new(eva_http_client *client, const eva_http_request *request, CURL *easy) {
  eva_http_transfer *t = eva_alloc_zeroed(1, sizeof *t);
  t->client = client;
  t->owner = client->owner;
  t->owners = 1;
  t->easy = easy;
  t->connect_ms = request->connect_ms;
  t->first_byte_ms = request->first_byte_ms;
  t->total_ms = request->total_ms;
  t->max_bytes = request->max_bytes;
  t->is_stream = request->is_stream;
  t->started_ns = eva_clock_monotonic_ns();
  t->next = client->transfers;
  if (t->next) t->next->previous = t;
  client->transfers = t;
  return t;
}

eva_http_transfer *eva_http_start(eva_http_client *client, const eva_http_request *request, eva_error *error) {
  const eva_curl_table *curl = eva_curl();
  CURL *easy = client->spare_count > 0 ? client->spare[--client->spare_count] : curl->easy_init();
  if (!easy) {
    eva_error_set(error, EVA_E_LIMIT, NULL, "not enough memory for a request");
    return NULL;
  }
  eva_http_transfer *t = transfer_new(client, request, easy);
  set_options(t, request);
  start_first_byte(t);
  CURLcode code = curl->easy_setopt(easy, CURLOPT_URL, request->url);
  CURLMcode added = code == CURLE_OK ? curl->multi_add_handle(client->multi, easy) : CURLM_OK;
  if (code == CURLE_OK && added == CURLM_OK) return t;
  eva_error_set(error, EVA_E_IO, NULL, "the request cannot be started (libcurl: code %d, %d)", (int)code, (int)added);
  eva_http_release(t);
  return NULL;
}

void eva_http_retain(eva_http_transfer *t) { t->owners++; }

void eva_http_release(eva_http_transfer *t) {
  if (--t->owners > 0 || t->owner != getpid()) return; /* a fork's copy keeps its memory */
  eva_http_abort(t);
  eva_buf_free(&t->head);
  eva_buf_free(&t->body);
  free(t->location);
  free(t);
}

/* ==== Questions ==== */

int eva_http_is_ready(const eva_http_transfer *t, eva_http_event event) {
  if (t->is_ended) return 1;
  return event == EVA_HTTP_HEAD ? t->head_done : event == EVA_HTTP_DATA && t->body.len > 0;
}

int eva_http_when(eva_http_transfer *t, eva_http_event event, void (*callback)(void *), void *context) {
  if (t->callback) return 0;
  t->event = event;
  t->callback = callback;
  t->context = context;
  return 1;
}

void eva_http_forget(eva_http_transfer *t) { t->callback = NULL; }

int eva_http_status(const eva_http_transfer *t) { return t->status; }
eva_text eva_http_head(const eva_http_transfer *t) { return t->head.data ? eva_buf_text(&t->head) : EVA_TEXT_LITERAL(""); }
const char *eva_http_location(const eva_http_transfer *t) { return t->location; }
eva_text eva_http_body(const eva_http_transfer *t) { return t->body.data ? eva_buf_text(&t->body) : EVA_TEXT_LITERAL(""); }

void eva_http_taken(eva_http_transfer *t) {
  eva_buf_clear(&t->body);
  if (!t->is_paused || t->is_ended || t->owner != getpid()) return;
  t->is_paused = 0;
  eva_curl()->easy_pause(t->easy, CURLPAUSE_CONT);
}

eva_http_fault eva_http_failure(const eva_http_transfer *t, const char **message) {
  *message = t->message;
  return t->is_ended ? t->fault : EVA_HTTP_NO_FAULT;
}
