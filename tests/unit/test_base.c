/* Buffers, errors, clocks, ids, digests and log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "base/own_pid.h"

static void buf_grows_and_ends_with_nul(void **state) {
  (void)state;
  eva_buf buf = {0};
  assert_int_equal(eva_buf_text(&buf).len, 0);
  assert_string_equal(eva_buf_text(&buf).data, "");
  for (int i = 0; i < 1000; i++) eva_buf_add(&buf, "abc", 3);
  assert_int_equal(buf.len, 3000);
  assert_int_equal(strlen(buf.data), 3000);
  eva_buf_clear(&buf);
  assert_string_equal(buf.data, "");
  eva_buf_add_char(&buf, '\0');
  eva_buf_add_string(&buf, "x");
  assert_memory_equal(buf.data, "\0x\0", 3);
  eva_buf_free(&buf);
  assert_null(buf.data);
}

static void buf_printf_appends_long_text(void **state) {
  (void)state;
  eva_buf buf = {0};
  char long_text[500];
  memset(long_text, 'y', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  eva_buf_printf(&buf, "%d:", 7);
  eva_buf_printf(&buf, "%s!", long_text);
  assert_int_equal(buf.len, 2 + 499 + 1);
  assert_int_equal(buf.data[buf.len - 1], '!');
  eva_buf_free(&buf);
}

static void buf_reserve_keeps_room_for_nul(void **state) {
  (void)state;
  for (size_t len = 0; len < 200; len++) {
    eva_buf buf = {0};
    eva_buf_reserve(&buf, len);
    assert_true(buf.cap > len);
    memset(buf.data, 'z', len);
    eva_buf_free(&buf);
  }
}

static void texts_compare_by_bytes(void **state) {
  (void)state;
  assert_true(eva_text_equal(EVA_TEXT_NONE, EVA_TEXT_NONE));
  assert_false(eva_text_equal(EVA_TEXT_NONE, EVA_TEXT_LITERAL("")));
  assert_true(eva_text_equal(EVA_TEXT_LITERAL("a\0b"), (eva_text){"a\0b", 3}));
  assert_false(eva_text_equal(EVA_TEXT_LITERAL("a"), EVA_TEXT_LITERAL("b")));
  assert_null(eva_text_of(NULL).data);
  assert_int_equal(eva_text_of("abc").len, 3);
}

static void error_is_filled(void **state) {
  (void)state;
  eva_error error;
  assert_int_equal(eva_error_set(&error, EVA_E_PARSE, "a.csv:3", "bad %d", 5), EVA_E_PARSE);
  assert_string_equal(error.message, "bad 5");
  assert_string_equal(error.where, "a.csv:3");
  /* Its own text may be an argument. */
  eva_error_set(&error, EVA_E_IO, error.where, "again: %s", error.message);
  assert_string_equal(error.message, "again: bad 5");
  assert_string_equal(error.where, "a.csv:3");
  eva_error_set(&error, EVA_E_IO, NULL, "x");
  assert_string_equal(error.where, "");
}

static void long_message_is_cut_at_a_character(void **state) {
  (void)state;
  for (int shift = 0; shift < 3; shift++) {
    char text[3 * EVA_ERROR_MESSAGE_MAX + 8] = "";
    memset(text, 'a', (size_t)shift);
    for (int i = 0; i < EVA_ERROR_MESSAGE_MAX; i++) memcpy(text + shift + 3 * i, "\xE2\x82\xAC", 3);
    eva_error error;
    eva_error_set(&error, EVA_E_IO, text, "%s", text);
    size_t len = strlen(error.message);
    assert_true(len < EVA_ERROR_MESSAGE_MAX && len >= EVA_ERROR_MESSAGE_MAX - 3);
    assert_int_equal((len - (size_t)shift) % 3, 0);
    assert_int_equal((strlen(error.where) - (size_t)shift) % 3, 0);
  }
}

static void every_code_has_a_name(void **state) {
  (void)state;
  for (int i = EVA_OK; i <= EVA_E_STATE; i++) {
    assert_string_not_equal(eva_code_name((eva_code)i), "unknown");
    for (int j = EVA_OK; j < i; j++) assert_string_not_equal(eva_code_name((eva_code)i), eva_code_name((eva_code)j));
  }
  assert_string_equal(eva_code_name(EVA_E_NOT_FOUND), "not_found");
}

static void clock_formats_dates(void **state) {
  (void)state;
  static const struct {
    int64_t ms;
    const char *text;
  } cases[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
      {INT64_C(951868799999), "2000-02-29T23:59:59.999Z"},
      {INT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
      {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
      {INT64_C(1795222923456), "2026-11-21T01:02:03.456Z"},
      {INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z"},
      {INT64_MAX, "9999-12-31T23:59:59.999Z"},
      {INT64_MIN, "0000-01-01T00:00:00.000Z"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[EVA_TIME_TEXT_SIZE];
    assert_ptr_equal(eva_clock_format(cases[i].ms, text), text);
    assert_string_equal(text, cases[i].text);
  }
}

static void clocks_go_forward(void **state) {
  (void)state;
  uint64_t before = eva_clock_monotonic_ns();
  assert_true(eva_clock_monotonic_ns() >= before);
  assert_true(eva_clock_wall_ms() > INT64_C(1700000000000));
}

static void uuids_ascend_and_have_their_form(void **state) {
  (void)state;
  char last[EVA_UUID_TEXT_SIZE] = "", uuid[EVA_UUID_TEXT_SIZE];
  for (int i = 0; i < 20000; i++) {
    eva_uuid7(uuid);
    assert_int_equal(strlen(uuid), 36);
    assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
    assert_int_equal(uuid[14], '7');
    assert_non_null(strchr("89ab", uuid[19]));
    assert_true(strcmp(last, uuid) < 0);
    memcpy(last, uuid, sizeof last);
  }
}

static void sha256_of_known_texts(void **state) {
  (void)state;
  static const struct {
    const char *text, *hex;
  } cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    unsigned char digest[EVA_SHA256_SIZE];
    char hex[EVA_SHA256_TEXT_SIZE];
    eva_sha256_of(cases[i].text, strlen(cases[i].text), digest);
    assert_string_equal(eva_hex(digest, sizeof digest, hex), cases[i].hex);
    eva_sha256 *running = eva_sha256_new();
    for (const char *c = cases[i].text; *c != '\0'; c++) eva_sha256_add(running, c, 1);
    eva_sha256_finish(running, digest);
    assert_string_equal(eva_hex(digest, sizeof digest, hex), cases[i].hex);
  }
  eva_sha256_free(eva_sha256_new());
  eva_sha256_free(NULL);
}

static void log_lines_are_clean(void **state) {
  (void)state;
  int ends[2], saved = dup(STDERR_FILENO);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);
  eva_log(EVA_LOG_INFO, "not shown");
  eva_log(EVA_LOG_WARNING, "red \x1B[31m %s\tend", "\xC2\x9B");
  dup2(saved, STDERR_FILENO);
  close(saved);
  char text[200];
  ssize_t len = read(ends[0], text, sizeof text - 1);
  text[len > 0 ? len : 0] = '\0';
  close(ends[0]);
  close(ends[1]);
  assert_string_equal(text, "evalua: warning: red ?[31m ??\tend\n");
  eva_log_level level;
  assert_true(eva_log_level_named("debug", &level));
  assert_int_equal(level, EVA_LOG_DEBUG);
  assert_false(eva_log_level_named("loud", &level));
}

/* A child is another process, also where it says so for the first time, and a grandchild again. */
static void own_pid_is_that_of_the_process(void **state) {
  (void)state;
  assert_int_equal(eva_own_pid(), getpid());
  eva_own_pid_note();
  assert_int_equal(eva_own_pid(), getpid());
  pid_t child = fork();
  if (child == 0) {
    int is_right = eva_own_pid() == getpid();
    eva_own_pid_note();
    is_right &= eva_own_pid() == getpid();
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(eva_own_pid() == getpid() ? 0 : 1);
    int ended = 1;
    is_right &= waitpid(grandchild, &ended, 0) == grandchild && ended == 0 && eva_own_pid() == getpid();
    _exit(is_right ? 0 : 1);
  }
  int status = 1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(eva_own_pid(), getpid());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(own_pid_is_that_of_the_process),
      cmocka_unit_test(buf_grows_and_ends_with_nul),
      cmocka_unit_test(buf_printf_appends_long_text),
      cmocka_unit_test(buf_reserve_keeps_room_for_nul),
      cmocka_unit_test(texts_compare_by_bytes),
      cmocka_unit_test(error_is_filled),
      cmocka_unit_test(long_message_is_cut_at_a_character),
      cmocka_unit_test(every_code_has_a_name),
      cmocka_unit_test(clock_formats_dates),
      cmocka_unit_test(clocks_go_forward),
      cmocka_unit_test(uuids_ascend_and_have_their_form),
      cmocka_unit_test(sha256_of_known_texts),
      cmocka_unit_test(log_lines_are_clean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
