/* The HTTP client against our own server, both on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above */
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/http.h"
#include "io/server.h"

static uv_loop_t loop;
static eva_server *server;
static eva_http_client *client;
static char base[64];
static int arrived; /* requests so far */
static char seen[4096]; /* method, path, headers and body of the last one */

/* ==== The server ==== */

static const char *header(eva_server_request *request, const char *name) {
  eva_text pairs = eva_server_request_headers(request);
  for (size_t at = 0; at < pairs.len;) {
    const char *key = pairs.data + at, *value = key + strlen(key) + 1;
    if (strcasecmp(key, name) == 0) return value;
    at = (size_t)(value - pairs.data) + strlen(value) + 1;
  }
  return "";
}

static void answer(eva_server_request *request, int status, const char *const *headers, const char *body) {
  eva_server_answer_begin(request, &(eva_server_answer){status, headers, (int64_t)strlen(body)});
  eva_server_answer_write(request, body, strlen(body));
  eva_server_answer_end(request);
  eva_server_request_release(request);
}

static eva_server_request *held; /* a request to /silent: nobody answers it */

static void on_request(void *context, eva_server_request *request) {
  (void)context;
  const char *path = eva_server_request_path(request);
  eva_text body = eva_server_request_body(request);
  arrived++;
  snprintf(seen, sizeof seen, "%s %s x=%s expect=%s %.*s", eva_server_request_method(request), path,
           header(request, "X-One"), header(request, "Expect"), (int)body.len, body.data ? body.data : "");
  if (strcmp(path, "/silent") == 0) {
    if (held) eva_server_request_release(held);
    held = request;
  } else if (strcmp(path, "/cut") == 0) {
    eva_server_answer_begin(request, &(eva_server_answer){200, NULL, 100});
    eva_server_answer_write(request, "half", 4);
    eva_server_answer_cut(request);
    eva_server_request_release(request);
  } else if (strcmp(path, "/big") == 0) {
    eva_server_answer_begin(request, &(eva_server_answer){200, NULL, -1});
    eva_server_answer_fill(request, EVA_TEXT_LITERAL("0123456789"), 8000000);
    eva_server_answer_end(request);
    eva_server_request_release(request);
  } else if (strcmp(path, "/move") == 0) {
    const char *to[] = {"Location", "/there", NULL};
    answer(request, 302, to, "");
  } else {
    const char *one[] = {"X-Two", "2", NULL};
    answer(request, 200, one, "hello");
  }
}

static int open_all(void **state) {
  (void)state;
  eva_error error;
  uv_loop_init(&loop);
  eva_server_options options = {.host = "127.0.0.1", .arrived = on_request};
  server = eva_server_start(&loop, &options, &error);
  client = eva_http_open(&loop, &error);
  if (!server || !client) return -1;
  snprintf(base, sizeof base, "http://127.0.0.1:%d", eva_server_port(server));
  return 0;
}

static int close_all(void **state) {
  (void)state;
  eva_http_close(client);
  if (held) eva_server_request_release(held);
  held = NULL;
  eva_server_stop(server);
  while (uv_run(&loop, UV_RUN_DEFAULT)) continue;
  return uv_loop_close(&loop);
}

/* ==== Requests ==== */

static eva_http_transfer *start(const char *path, eva_http_request request) {
  char url[256];
  eva_error error;
  snprintf(url, sizeof url, "%s%s", base, path);
  request.url = url;
  if (!request.method) request.method = "GET";
  if (!request.max_bytes) request.max_bytes = 1 << 20;
  eva_http_transfer *transfer = eva_http_start(client, &request, &error);
  assert_non_null(transfer);
  return transfer;
}

static void told(void *context) { ++*(int *)context; }

static void await(eva_http_transfer *transfer, eva_http_event event) {
  int count = 0;
  if (eva_http_is_ready(transfer, event)) return;
  assert_true(eva_http_when(transfer, event, told, &count));
  while (!count) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(count, 1);
}

static eva_http_fault failure_of(eva_http_transfer *transfer) {
  const char *message;
  await(transfer, EVA_HTTP_END);
  return eva_http_failure(transfer, &message);
}

static void test_answer(void **state) {
  (void)state;
  const char *headers[] = {"X-One: 1", NULL};
  eva_http_transfer *transfer =
      start("/a", (eva_http_request){.method = "POST", .headers = headers, .body = EVA_TEXT_LITERAL("body")});
  await(transfer, EVA_HTTP_HEAD);
  assert_int_equal(eva_http_status(transfer), 200);
  assert_non_null(strstr(eva_http_head(transfer).data, "X-Two: 2\r\n"));
  assert_int_equal(failure_of(transfer), EVA_HTTP_NO_FAULT);
  assert_true(eva_text_equal(eva_http_body(transfer), EVA_TEXT_LITERAL("hello")));
  assert_string_equal(seen, "POST /a x=1 expect= body");
  assert_null(eva_http_location(transfer));
  eva_http_release(transfer);
}

static void test_redirect_is_told(void **state) {
  (void)state;
  char expected[128];
  eva_http_transfer *transfer = start("/move", (eva_http_request){0});
  assert_int_equal(failure_of(transfer), EVA_HTTP_NO_FAULT);
  snprintf(expected, sizeof expected, "%s/there", base);
  assert_int_equal(eva_http_status(transfer), 302);
  assert_string_equal(eva_http_location(transfer), expected);
  eva_http_release(transfer);
}

static int descriptors(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return 0;
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

/* Headers and options of one request are not those of the next on the same handle, and connections are used again. */
static void test_reuse(void **state) {
  (void)state;
  const char *headers[] = {"X-One: secret", NULL};
  int before = 0;
  for (int i = 0; i < 300; i++) {
    int is_first = i % 2 == 0;
    eva_http_transfer *transfer =
        start("/r", (eva_http_request){.method = is_first ? "POST" : i % 4 == 1 ? "HEAD" : "GET",
                                       .headers = is_first ? headers : NULL,
                                       .body = is_first ? EVA_TEXT_LITERAL("b") : (eva_text){NULL, 0},
                                       .total_ms = is_first ? 60000 : 0});
    assert_int_equal(failure_of(transfer), EVA_HTTP_NO_FAULT);
    assert_string_equal(seen, is_first ? "POST /r x=secret expect= b"
                                       : i % 4 == 1 ? "HEAD /r x= expect= " : "GET /r x= expect= ");
    eva_http_release(transfer);
    if (i == 4) before = descriptors();
  }
  assert_int_equal(descriptors(), before);
}

static void test_many_at_once(void **state) {
  (void)state;
  enum { MANY = 500 };
  static eva_http_transfer *transfers[MANY];
  arrived = 0;
  for (int i = 0; i < MANY; i++) transfers[i] = start("/m", (eva_http_request){0});
  for (int i = 0; i < MANY; i += 3) eva_http_abort(transfers[i]);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(failure_of(transfers[i]), i % 3 == 0 ? EVA_HTTP_OTHER : EVA_HTTP_NO_FAULT);
    eva_http_release(transfers[i]);
  }
  assert_true(arrived >= MANY - (MANY + 2) / 3);
}

static void test_stream_pauses(void **state) {
  (void)state;
  size_t total = 0;
  eva_http_transfer *transfer = start("/big", (eva_http_request){.is_stream = 1, .max_bytes = 10000000});
  await(transfer, EVA_HTTP_HEAD);
  for (int i = 0; i < 50; i++) { /* nobody takes anything */
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  assert_true(eva_http_body(transfer).len < 3000000);
  for (;;) {
    await(transfer, EVA_HTTP_DATA);
    eva_text piece = eva_http_body(transfer);
    if (piece.len == 0) break;
    for (size_t i = 0; i < piece.len; i++) assert_int_equal(piece.data[i], '0' + (char)((total + i) % 10));
    total += piece.len;
    eva_http_taken(transfer);
  }
  assert_int_equal(failure_of(transfer), EVA_HTTP_NO_FAULT);
  assert_int_equal(total, 8000000);
  eva_http_release(transfer);
}

static void test_faults(void **state) {
  (void)state;
  const char *message;
  eva_http_transfer *transfer = start("/cut", (eva_http_request){0});
  assert_int_equal(failure_of(transfer), EVA_HTTP_CUT);
  assert_true(eva_text_equal(eva_http_body(transfer), EVA_TEXT_LITERAL("half")));
  eva_http_release(transfer);
  transfer = start("/big", (eva_http_request){.max_bytes = 1000});
  assert_int_equal(failure_of(transfer), EVA_HTTP_TOO_LARGE);
  eva_http_failure(transfer, &message);
  assert_non_null(strstr(message, "max_bytes = 1000"));
  eva_http_release(transfer);
  transfer = start("/silent", (eva_http_request){.first_byte_ms = 50});
  assert_int_equal(failure_of(transfer), EVA_HTTP_TIMEOUT);
  eva_http_failure(transfer, &message);
  assert_non_null(strstr(message, "first_byte_timeout of 50 ms"));
  eva_http_release(transfer);
  transfer = start("/silent", (eva_http_request){.total_ms = 50});
  assert_int_equal(failure_of(transfer), EVA_HTTP_TIMEOUT);
  eva_http_failure(transfer, &message);
  assert_non_null(strstr(message, "timeout of 50 ms"));
  eva_http_release(transfer);
}

static void test_refused(void **state) {
  (void)state;
  eva_error error;
  eva_http_request request = {.url = "http://127.0.0.1:1/", .method = "GET", .max_bytes = 10};
  eva_http_transfer *transfer = eva_http_start(client, &request, &error);
  assert_int_equal(failure_of(transfer), EVA_HTTP_CONNECT);
  assert_int_equal(eva_http_status(transfer), 0);
  eva_http_release(transfer);
}

/* Nothing of a transfer that is given up is told, whenever that happens. */
static void test_given_up(void **state) {
  (void)state;
  for (int turns = 0; turns < 30; turns++) {
    int count = 0;
    eva_http_transfer *transfer = start(turns % 2 ? "/silent" : "/g", (eva_http_request){.first_byte_ms = 10000});
    assert_true(eva_http_when(transfer, EVA_HTTP_END, told, &count));
    for (int i = 0; i < turns && !count; i++) uv_run(&loop, UV_RUN_NOWAIT);
    int before = count;
    eva_http_abort(transfer);
    eva_http_abort(transfer);
    eva_http_release(transfer);
    for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(count, before);
  }
}

static void test_server_notices_who_leaves(void **state) {
  (void)state;
  if (held) eva_server_request_release(held);
  held = NULL;
  eva_http_transfer *transfer = start("/silent", (eva_http_request){0});
  while (!held) uv_run(&loop, UV_RUN_ONCE);
  assert_true(eva_server_request_is_open(held));
  eva_http_release(transfer);
  for (int i = 0; i < 500 && eva_server_request_is_open(held); i++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(10000);
  }
  assert_false(eva_server_request_is_open(held));
}

/* A fork's copies are not its own: nothing is sent or closed there. */
static void test_fork(void **state) {
  (void)state;
  eva_http_transfer *transfer = start("/silent", (eva_http_request){0});
  for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);
  pid_t child = fork();
  if (child == 0) {
    int is_right = !eva_http_is_ours(client);
    eva_http_abort(transfer);
    eva_http_release(transfer);
    eva_http_close(client);
    _exit(is_right ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_false(eva_http_is_ready(transfer, EVA_HTTP_END));
  eva_http_release(transfer);
  transfer = start("/after", (eva_http_request){0});
  assert_int_equal(failure_of(transfer), EVA_HTTP_NO_FAULT);
  eva_http_release(transfer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_answer, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_redirect_is_told, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_reuse, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_many_at_once, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_stream_pauses, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_faults, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_refused, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_given_up, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_server_notices_who_leaves, open_all, close_all),
      cmocka_unit_test_setup_teardown(test_fork, open_all, close_all),
  };
  unsetenv("http_proxy");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
