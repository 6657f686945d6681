/* Child processes on a loop: start errors, streams and limits, lines, kills, and nothing left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/process.h"

enum { LIMIT = 4 * 1024 * 1024, MEGABYTE = 1024 * 1024 };

static uv_loop_t loop;
static eva_error error;

static int setup(void **state) {
  (void)state;
  return uv_loop_init(&loop);
}

/* A loop that closes has no handle left: every test checks it. */
static int teardown(void **state) {
  (void)state;
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(eva_process_live_count(), 0);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
  return uv_loop_close(&loop);
}

static void set_flag(void *context) { *(int *)context = 1; }

static void await_event(eva_process *process, eva_process_event event) {
  int is_done = eva_process_is_ready(process, event);
  if (!is_done) assert_true(eva_process_when(process, event, set_flag, &is_done));
  while (!is_done) uv_run(&loop, UV_RUN_ONCE);
}

static eva_process_options options_of(const char *const *argv) {
  return (eva_process_options){.plan = {.argv = argv, .has_stdin = 1}, .output_limit = LIMIT, .error_limit = LIMIT};
}

static eva_process *start(const eva_process_options *options) {
  eva_process *process = eva_process_spawn(&loop, options, &error);
  if (!process) fail_msg("%s", error.message);
  return process;
}

static eva_process *start_shell(const char *script, int line_mode) {
  const char *argv[] = {"sh", "-c", script, NULL};
  eva_process_options options = options_of(argv);
  options.line_mode = line_mode;
  return start(&options);
}

static eva_process_end finish(eva_process *process) {
  eva_process_close_input(process);
  await_event(process, EVA_PROCESS_ENDED);
  return eva_process_result(process);
}

static void assert_text(eva_text text, const char *expected) {
  assert_int_equal(text.len, strlen(expected));
  assert_memory_equal(text.data, expected, text.len);
}

/* Waits for a line and checks it; NULL expects the end. */
static void assert_line(eva_process *process, const char *expected) {
  eva_text line;
  assert_int_equal(eva_process_take_line(process, &line, &error), EVA_OK);
  if (!line.data) {
    await_event(process, EVA_PROCESS_LINE);
    assert_int_equal(eva_process_take_line(process, &line, &error), EVA_OK);
  }
  if (expected) assert_text(line, expected);
  else assert_null(line.data);
}

static int count_open_fds(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  assert_non_null(directory);
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static void test_output_and_exit_code(void **state) {
  (void)state;
  eva_process *process = start_shell("cat; echo bad >&2; exit 3", 0);
  eva_process_write(process, "hello", 5);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 3);
  assert_int_equal(end.signal, 0);
  assert_text(eva_process_output(process), "hello");
  assert_text(eva_process_errors(process), "bad\n");
  eva_process_release(process);
}

static void test_ended_by_signal(void **state) {
  (void)state;
  eva_process *process = start_shell("kill -SEGV $$", 0);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, -1);
  assert_int_equal(end.signal, SIGSEGV);
  eva_process_release(process);
}

static void expect_failure(eva_process_options options, eva_code code, const char *part) {
  int before = count_open_fds();
  eva_process *process = eva_process_spawn(&loop, &options, &error);
  assert_null(process);
  assert_int_equal(error.code, code);
  if (!strstr(error.message, part)) fail_msg("'%s' is not in '%s'", part, error.message);
  assert_int_equal(count_open_fds(), before);
}

static void test_start_errors(void **state) {
  (void)state;
  const char *missing[] = {"no-such-command-here", NULL};
  expect_failure(options_of(missing), EVA_E_NOT_FOUND, "'no-such-command-here' is not in PATH");
  const char *missing_file[] = {"./no-such-file", NULL};
  expect_failure(options_of(missing_file), EVA_E_NOT_FOUND, "'./no-such-file' does not exist");
  const char *not_executable[] = {"/etc/passwd", NULL};
  expect_failure(options_of(not_executable), EVA_E_IO, "execute permission");
  const char *nothing[] = {NULL};
  expect_failure(options_of(nothing), EVA_E_ARGUMENT, "argv is empty");
  const char *good[] = {"true", NULL};
  eva_process_options options = options_of(good);
  options.plan.cwd = "/no/such/place";
  expect_failure(options, EVA_E_NOT_FOUND, "cwd) '/no/such/place'");
}

static void test_script_without_interpreter(void **state) {
  (void)state;
  char path[] = "/tmp/eva_process_XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "echo hi\n", 8), 8);
  assert_int_equal(fchmod(fd, 0755), 0);
  close(fd);
  const char *argv[] = {path, NULL};
  expect_failure(options_of(argv), EVA_E_IO, "#!/bin/sh");
  unlink(path);
}

static void test_environment_and_cwd(void **state) {
  (void)state;
  const char *argv[] = {"sh", "-c", "echo $WORD; pwd", NULL};
  const char *environment[] = {"PATH=/usr/bin:/bin", "WORD=blue", NULL};
  eva_process_options options = options_of(argv);
  options.plan.environment = environment;
  options.plan.cwd = "/usr";
  eva_process *process = start(&options);
  finish(process);
  assert_text(eva_process_output(process), "blue\n/usr\n");
  eva_process_release(process);
}

/* The child's PATH decides, not ours; relative entries are meant from its cwd. */
static void test_path_of_the_child(void **state) {
  (void)state;
  const char *argv[] = {"sh", "-c", "echo found", NULL};
  const char *elsewhere[] = {"PATH=/usr/share", NULL};
  const char *relative[] = {"PATH=nowhere:bin", NULL};
  eva_process_options options = options_of(argv);
  options.plan.environment = elsewhere;
  expect_failure(options, EVA_E_NOT_FOUND, "PATH (/usr/share)");
  assert_int_equal(eva_spawn_find(&options.plan, NULL, &error), EVA_E_NOT_FOUND);
  options.plan.environment = relative;
  options.plan.cwd = "/usr";
  eva_buf path = {0};
  assert_int_equal(eva_spawn_find(&options.plan, &path, &error), EVA_OK);
  assert_string_equal(path.data, "/usr/bin/sh");
  eva_buf_free(&path);
  eva_process *process = start(&options);
  finish(process);
  assert_text(eva_process_output(process), "found\n");
  eva_process_release(process);
}

static void test_find_explains(void **state) {
  (void)state;
  const char *directory[] = {"/usr", NULL};
  eva_spawn_plan plan = {.argv = directory};
  assert_int_equal(eva_spawn_find(&plan, NULL, &error), EVA_E_IO);
  assert_non_null(strstr(error.message, "is a directory"));
  const char *plain[] = {"/etc/passwd", NULL};
  plan.argv = plain;
  assert_int_equal(eva_spawn_find(&plan, NULL, &error), EVA_E_IO);
  assert_non_null(strstr(error.message, "execute permission"));
}

/* Both ways at once through pipes of 64 KB: whoever waits for one side only would hang. */
static void test_large_both_ways(void **state) {
  (void)state;
  char *data = eva_alloc(MEGABYTE);
  for (int i = 0; i < MEGABYTE; i++) data[i] = (char)(i * 7); /* NUL bytes and invalid UTF-8 too */
  const char *argv[] = {"cat", NULL};
  eva_process_options options = options_of(argv);
  eva_process *process = start(&options);
  eva_process_write(process, data, MEGABYTE);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 0);
  eva_text output = eva_process_output(process);
  assert_int_equal(output.len, MEGABYTE);
  assert_memory_equal(output.data, data, MEGABYTE);
  eva_process_release(process);
  free(data);
}

static void test_stdin_closed_early(void **state) {
  (void)state;
  char *data = eva_alloc_zeroed(MEGABYTE, 1);
  eva_process *process = start_shell("exec <&-; echo done", 0);
  eva_process_write(process, data, MEGABYTE);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 0);
  assert_text(eva_process_output(process), "done\n");
  assert_false(eva_process_has_input(process));
  eva_process_release(process);
  free(data);
}

static void test_output_over_limit_kills(void **state) {
  (void)state;
  eva_process *process = start_shell("yes", 0);
  eva_process_end end = finish(process);
  assert_int_equal(end.over, EVA_PROCESS_STDOUT);
  assert_int_equal(end.signal, SIGKILL);
  assert_in_range(end.over_bytes, LIMIT + 1, LIMIT + MEGABYTE);
  eva_process_release(process);
  process = start_shell("yes >&2", 0);
  end = finish(process);
  assert_int_equal(end.over, EVA_PROCESS_STDERR);
  eva_process_release(process);
}

static void test_error_tail(void **state) {
  (void)state;
  const char *argv[] = {"sh", "-c", "yes | head -c 1000000 >&2; echo the end >&2", NULL};
  eva_process_options options = options_of(argv);
  options.error_tail = 1;
  options.error_limit = 12;
  eva_process *process = start(&options);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 0);
  assert_text(eva_process_errors(process), "y\ny\nthe end\n");
  eva_process_release(process);
}

static void test_deadline_of_one_that_ignores_sigterm(void **state) {
  (void)state;
  eva_process *process = start_shell("trap '' TERM; while :; do sleep 1; done", 0);
  eva_process_deadline(process, 50);
  eva_process_end end = finish(process);
  assert_int_equal(end.timed_out, 1);
  assert_int_equal(end.signal, SIGKILL);
  eva_process_release(process);
}

static void test_deadline_lifted(void **state) {
  (void)state;
  eva_process *process = start_shell("sleep 0.2; echo fine", 0);
  eva_process_deadline(process, 20);
  eva_process_deadline(process, -1);
  eva_process_end end = finish(process);
  assert_int_equal(end.timed_out, 0);
  assert_text(eva_process_output(process), "fine\n");
  eva_process_release(process);
}

static int is_gone(pid_t pid) {
  for (int i = 0; i < 500; i++) {
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 1;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    const char *name_end = got ? strrchr(text, ')') : NULL;
    if (!name_end || name_end[2] == 'Z') return 1; /* dead; its new parent has not looked yet */
    usleep(10000);
  }
  return 0;
}

/* A grandchild that keeps the pipe open must neither hold up the end nor outlive it. */
static void test_grandchild_holding_the_pipe(void **state) {
  (void)state;
  eva_process *process = start_shell("sleep 1000 & echo $!", 0);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 0);
  pid_t grandchild = (pid_t)strtol(eva_process_output(process).data, NULL, 10);
  assert_true(grandchild > 1);
  assert_true(is_gone(grandchild));
  eva_process_release(process);
}

/* One that left the group cannot be killed with it, but its hold on the pipe is ignored. */
static void test_grandchild_in_another_session(void **state) {
  (void)state;
  eva_process *process = start_shell("setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2", 0);
  eva_process_end end = finish(process);
  assert_int_equal(end.code, 0);
  pid_t grandchild = (pid_t)strtol(eva_process_output(process).data, NULL, 10);
  assert_true(grandchild > 1);
  kill(grandchild, SIGKILL);
  eva_process_release(process);
}

static void test_lines(void **state) {
  (void)state;
  eva_process *process = start_shell("echo ready; while read -r x; do echo \"<$x>\"; done; printf last", 1);
  assert_line(process, "ready");
  for (int i = 0; i < 1000; i++) {
    eva_process_write(process, "a\nbc\n\n", 6);
    assert_line(process, "<a>");
    assert_line(process, "<bc>");
    assert_line(process, "<>");
  }
  eva_process_close_input(process);
  assert_line(process, "last");
  assert_line(process, NULL);
  await_event(process, EVA_PROCESS_ENDED);
  assert_int_equal(eva_process_result(process).code, 0);
  eva_process_release(process);
}

/* More lines than the limit lets us hold: reading pauses and goes on, also after the child has ended. */
static void test_lines_with_back_pressure(void **state) {
  (void)state;
  const char *argv[] = {"seq", "200000", NULL};
  eva_process_options options = options_of(argv);
  options.line_mode = 1;
  options.output_limit = 10000;
  eva_process *process = start(&options);
  char expected[16];
  for (int i = 1; i <= 200000; i++) {
    snprintf(expected, sizeof(expected), "%d", i);
    assert_line(process, expected);
  }
  assert_line(process, NULL);
  eva_process_release(process);
}

static void test_line_over_limit(void **state) {
  (void)state;
  eva_text line;
  const char *argv[] = {"sh", "-c", "echo short; yes | tr -d '\\n'", NULL};
  eva_process_options options = options_of(argv);
  options.line_mode = 1;
  options.output_limit = 100000;
  eva_process *process = start(&options);
  assert_line(process, "short");
  await_event(process, EVA_PROCESS_LINE);
  assert_int_equal(eva_process_take_line(process, &line, &error), EVA_E_LIMIT);
  assert_non_null(strstr(error.message, "limit 100000"));
  eva_process_release(process);
}

static void test_long_line_written_while_answered(void **state) {
  (void)state;
  char *data = eva_alloc(MEGABYTE);
  memset(data, 'x', MEGABYTE);
  data[MEGABYTE - 1] = '\n';
  const char *argv[] = {"cat", NULL};
  eva_process_options options = options_of(argv);
  options.line_mode = 1;
  eva_process *process = start(&options);
  eva_text line;
  for (int i = 0; i < 3; i++) {
    eva_process_write(process, data, MEGABYTE);
    await_event(process, EVA_PROCESS_WRITTEN);
    await_event(process, EVA_PROCESS_LINE);
    assert_int_equal(eva_process_take_line(process, &line, &error), EVA_OK);
    assert_int_equal(line.len, MEGABYTE - 1);
  }
  eva_process_release(process);
  free(data);
}

static void test_closing_while_waited_for(void **state) {
  (void)state;
  int is_done = 0;
  eva_process *process = start_shell("sleep 1000", 1);
  assert_true(eva_process_when(process, EVA_PROCESS_LINE, set_flag, &is_done));
  assert_false(eva_process_when(process, EVA_PROCESS_LINE, set_flag, &is_done));
  eva_process_close(process);
  while (!is_done) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(eva_process_result(process).signal, SIGKILL);
  eva_process_release(process);
}

static void test_without_pidfd(void **state) {
  (void)state;
  const char *argv[] = {"sh", "-c", "sleep 0.1; echo done; exit 4", NULL};
  eva_process_options options = options_of(argv);
  options.watch_by_timer = 1;
  eva_process *process = start(&options);
  assert_int_equal(finish(process).code, 4);
  assert_text(eva_process_output(process), "done\n");
  eva_process_release(process);
}

/* Blocked and ignored signals of ours are not handed down, and no descriptor but the three. */
static void test_child_is_clean(void **state) {
  (void)state;
  int kept = fcntl(0, F_DUPFD, 50); /* without close-on-exec */
  signal(SIGPIPE, SIG_IGN);
  eva_process *process = start_shell("ls /proc/self/fd | wc -l; cut -d' ' -f5 /proc/$$/stat; echo $$;"
                                     /* signals 32 and 33 are the C library's own: nobody can set them, some parents ignore them */
                                     "grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -s '\\t\\n' '  ' |"
                                     "sed 's/0000000180000000/0000000000000000/'",
                                     1);
  signal(SIGPIPE, SIG_DFL);
  assert_line(process, "4"); /* with the directory that ls itself has open */
  char own[16];
  snprintf(own, sizeof(own), "%d", (int)eva_process_pid(process));
  assert_line(process, own);
  assert_line(process, own);
  assert_line(process, "SigBlk: 0000000000000000 SigIgn: 0000000000000000 ");
  eva_process_release(process);
  close(kept);
}

static void test_no_sigpipe(void **state) {
  (void)state;
  eva_process *process = start_shell("exec <&-; echo closed; sleep 1000", 1);
  assert_line(process, "closed");
  eva_process_write(process, "x\n", 2); /* would end this test program */
  assert_false(eva_process_has_input(process));
  eva_process_release(process);
}

static void test_parent_streams_closed(void **state) {
  (void)state;
  int kept = dup(0);
  close(0); /* the pipes will now sit on 0 */
  eva_process *process = start_shell("cat; echo error >&2", 0);
  eva_process_write(process, "in", 2);
  finish(process);
  dup2(kept, 0);
  close(kept);
  assert_text(eva_process_output(process), "in");
  assert_text(eva_process_errors(process), "error\n");
  eva_process_release(process);
}

static void test_many_leave_nothing(void **state) {
  (void)state;
  const char *argv[] = {"true", NULL};
  eva_process_options options = options_of(argv);
  uv_run(&loop, UV_RUN_DEFAULT);
  int before = 0;
  for (int i = 0; i < 1000; i++) {
    eva_process *process = start(&options);
    assert_int_equal(finish(process).code, 0);
    eva_process_release(process);
    uv_run(&loop, UV_RUN_NOWAIT);
    if (i == 0) before = count_open_fds();
  }
  assert_int_equal(count_open_fds(), before);
}

static void test_many_at_once(void **state) {
  (void)state;
  enum { COUNT = 100 };
  eva_process *processes[COUNT];
  for (int i = 0; i < COUNT; i++) processes[i] = start_shell("read x; echo got $x", 0);
  assert_int_equal(eva_process_live_count(), COUNT);
  for (int i = COUNT - 1; i >= 0; i--) {
    eva_process_write(processes[i], "it\n", 3);
    assert_int_equal(finish(processes[i]).code, 0);
    assert_text(eva_process_output(processes[i]), "got it\n");
    eva_process_release(processes[i]);
  }
}

static void test_kill_all(void **state) {
  (void)state;
  eva_process *first = start_shell("sleep 1000 & sleep 1000", 0);
  eva_process *second = start_shell("sleep 1000", 0);
  if (fork() == 0) { /* a fork's copy of the table must not touch its parent's children */
    eva_process_kill_all();
    eva_process_close(first);
    eva_process_release(second);
    _exit(eva_process_live_count());
  }
  int status = -1;
  assert_true(wait(&status) > 0);
  assert_int_equal(status, 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_true(eva_process_is_alive(first));
  assert_true(eva_process_is_alive(second));
  eva_process_kill_all();
  assert_int_equal(finish(first).signal, SIGKILL);
  assert_int_equal(finish(second).signal, SIGKILL);
  eva_process_release(first);
  eva_process_release(second);
}

/* A parent that is killed takes its child along. */
static void test_child_dies_with_its_parent(void **state) {
  (void)state;
  int report[2];
  assert_int_equal(pipe(report), 0);
  pid_t middle = fork();
  if (middle == 0) {
    uv_loop_t own_loop;
    uv_loop_init(&own_loop);
    const char *argv[] = {"sleep", "1000", NULL};
    eva_process_options options = options_of(argv);
    eva_process *process = eva_process_spawn(&own_loop, &options, &error);
    pid_t pid = process ? eva_process_pid(process) : 0;
    ssize_t written = write(report[1], &pid, sizeof(pid));
    _exit(written == sizeof(pid) && pause() ? 0 : 1);
  }
  pid_t pid = 0;
  assert_int_equal(read(report[0], &pid, sizeof(pid)), sizeof(pid));
  close(report[0]);
  close(report[1]);
  assert_true(pid > 1);
  assert_int_equal(kill(pid, 0), 0);
  kill(middle, SIGKILL);
  waitpid(middle, NULL, 0);
  assert_true(is_gone(pid));
}

#define PROCESS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      PROCESS_TEST(test_output_and_exit_code),
      PROCESS_TEST(test_ended_by_signal),
      PROCESS_TEST(test_start_errors),
      PROCESS_TEST(test_script_without_interpreter),
      PROCESS_TEST(test_environment_and_cwd),
      PROCESS_TEST(test_path_of_the_child),
      PROCESS_TEST(test_find_explains),
      PROCESS_TEST(test_large_both_ways),
      PROCESS_TEST(test_stdin_closed_early),
      PROCESS_TEST(test_output_over_limit_kills),
      PROCESS_TEST(test_error_tail),
      PROCESS_TEST(test_deadline_of_one_that_ignores_sigterm),
      PROCESS_TEST(test_deadline_lifted),
      PROCESS_TEST(test_grandchild_holding_the_pipe),
      PROCESS_TEST(test_grandchild_in_another_session),
      PROCESS_TEST(test_lines),
      PROCESS_TEST(test_lines_with_back_pressure),
      PROCESS_TEST(test_line_over_limit),
      PROCESS_TEST(test_long_line_written_while_answered),
      PROCESS_TEST(test_closing_while_waited_for),
      PROCESS_TEST(test_without_pidfd),
      PROCESS_TEST(test_child_is_clean),
      PROCESS_TEST(test_no_sigpipe),
      PROCESS_TEST(test_parent_streams_closed),
      PROCESS_TEST(test_many_leave_nothing),
      PROCESS_TEST(test_many_at_once),
      PROCESS_TEST(test_kill_all),
      PROCESS_TEST(test_child_dies_with_its_parent),
  };
  return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
