/* The yardstick's client: the same requests by libcurl's multi socket interface on a libuv loop and nothing else.
 * usage: http_bare URL REQUESTS CONCURRENCY
 * Prints the seconds from the first request to the last answer. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static CURLM *multi;
static uv_timer_t timer;
static long to_start, in_flight, wrong;
static const char *url;

static size_t drop_body(char *data, size_t one, size_t len, void *context) {
  (void)data, (void)one, (void)context;
  return len;
}

static void start(CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_multi_add_handle(multi, easy);
  to_start--;
  in_flight++;
}

static void collect(void) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    CURL *easy = message->easy_handle;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK || status != 200) wrong++;
    curl_multi_remove_handle(multi, easy);
    in_flight--;
    if (to_start > 0) start(easy);
    else curl_easy_cleanup(easy);
  }
}

static void on_timer(uv_timer_t *handle) {
  int running;
  (void)handle;
  curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  collect();
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  int running, flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  curl_multi_socket_action(multi, (curl_socket_t)(intptr_t)poll->data, flags, &running);
  collect();
}

static void poll_closed(uv_handle_t *handle) { free(handle); }

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
  uv_poll_t *poll = assigned;
  (void)easy, (void)context;
  if (what == CURL_POLL_REMOVE) {
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, poll_closed);
    curl_multi_assign(multi, fd, NULL);
    return 0;
  }
  if (!poll) {
    poll = malloc(sizeof *poll);
    uv_poll_init_socket(uv_default_loop(), poll, fd);
    poll->data = (void *)(intptr_t)fd;
    curl_multi_assign(multi, fd, poll);
  }
  uv_poll_start(poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_poll);
  return 0;
}

static int on_wait(CURLM *of, long ms, void *context) {
  (void)of, (void)context;
  if (ms < 0) uv_timer_stop(&timer);
  else uv_timer_start(&timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: http_bare URL REQUESTS CONCURRENCY\n");
    return 2;
  }
  url = arguments[1];
  to_start = strtol(arguments[2], NULL, 10);
  long concurrency = strtol(arguments[3], NULL, 10);
  uint64_t begin = uv_hrtime();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  uv_timer_init(uv_default_loop(), &timer);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_wait);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
  while (in_flight < concurrency && to_start > 0) start(curl_easy_init());
  while (in_flight > 0) uv_run(uv_default_loop(), UV_RUN_ONCE);
  printf("%.4f\n", (double)(uv_hrtime() - begin) / 1e9);
  if (wrong) fprintf(stderr, "http_bare: %ld requests failed\n", wrong);
  return wrong > 0;
}
