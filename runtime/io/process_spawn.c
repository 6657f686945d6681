/* Starting one child process: plumbing, exec and the table of live process groups.
 *
 * The child runs between clone(CLONE_VM | CLONE_VFORK) and exec on a small stack of its own, in our memory while we
 * are stopped (as posix_spawn does): no page tables are copied, whatever the size of this process. So the code of the
 * child calls async-signal-safe functions only and writes nothing but the plan's scratch buffer. */
#include "io/process_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_STACK_SIZE = 64 * 1024, FALLBACK_FD_MAX = 65536 };
static const char default_path[] = "/usr/local/bin:/usr/bin:/bin"; /* where PATH is not set at all */

extern char **environ;

/* ---- the table of live groups ---- */

static atomic_int groups[EVA_PROCESS_MAX]; /* process group ids; 0 is free */
static atomic_int groups_owner;            /* the process that filled the table; a forked child must not kill them */

void eva_process_kill_all(void) {
  if (atomic_load(&groups_owner) != (int)getpid()) return;
  for (int i = 0; i < EVA_PROCESS_MAX; i++) {
    int group = atomic_load(&groups[i]);
    if (group > 1) kill(-group, SIGKILL);
  }
}

int eva_process_live_count(void) {
  int count = 0;
  if (atomic_load(&groups_owner) != (int)getpid()) return 0;
  for (int i = 0; i < EVA_PROCESS_MAX; i++) count += atomic_load(&groups[i]) != 0;
  return count;
}

int eva_process_is_live(pid_t pid) {
  if (atomic_load(&groups_owner) != (int)getpid()) return 0;
  for (int i = 0; i < EVA_PROCESS_MAX; i++) {
    if (atomic_load(&groups[i]) == (int)pid) return 1;
  }
  return 0;
}

/* Returns a free place, or -1. The table that a fork copied is emptied first. */
static int table_find_free(void) {
  if (atomic_load(&groups_owner) != (int)getpid()) {
    for (int i = 0; i < EVA_PROCESS_MAX; i++) atomic_store(&groups[i], 0);
    atomic_store(&groups_owner, (int)getpid());
  }
  for (int i = 0; i < EVA_PROCESS_MAX; i++) {
    if (atomic_load(&groups[i]) == 0) return i;
  }
  return -1;
}

/* ---- the child, between clone and exec ---- */

typedef enum child_stage { STAGE_PARENT, STAGE_GROUP, STAGE_STREAMS, STAGE_CWD, STAGE_EXEC } child_stage;

typedef struct child_report {
  int stage;        /* child_stage where it failed */
  int error_number; /* errno */
} child_report;

typedef struct child_plan {
  const eva_spawn_plan *spawn;
  char *const *argv;
  char *const *environment;
  const char *path;    /* the child's PATH */
  char *scratch;       /* room for one candidate of PATH */
  int streams[3];      /* become 0, 1, 2 */
  int report_fd;       /* close-on-exec: closes when exec succeeds */
  pid_t parent;
} child_plan;

#define CHILD_CODE __attribute__((noinline, no_sanitize("address", "undefined")))

CHILD_CODE static void child_fail(int report_fd, child_stage stage, int error_number) {
  child_report report = {stage, error_number};
  ssize_t written = write(report_fd, &report, sizeof(report));
  (void)written; /* nobody is left to tell */
  _exit(127);
}

/* Handlers and ignored signals do not belong to the child; the mask is opened last, when the handlers are gone. */
CHILD_CODE static void child_reset_signals(void) {
  struct sigaction action;
  for (size_t i = 0; i < sizeof(action); i++) ((volatile char *)&action)[i] = 0;
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL); /* KILL, STOP and glibc's refuse */
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Makes every descriptor from 3 on close at exec; the report pipe has to live until then. */
CHILD_CODE static void child_close_others(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0) return;
#endif
  long limit = sysconf(_SC_OPEN_MAX);
  if (limit < 0 || limit > FALLBACK_FD_MAX) limit = FALLBACK_FD_MAX;
  for (int fd = 3; fd < (int)limit; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Puts the streams on 0, 1, 2. Where this process has closed its own standard streams, the pipes sit there: they are
 * moved up first so that none is overwritten. Returns 0, or errno. */
CHILD_CODE static int child_connect(child_plan *plan) {
  int streams[3];
  for (int i = 0; i < 3; i++) {
    streams[i] = plan->streams[i];
    if (streams[i] < 3) streams[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, 3);
    if (streams[i] < 0) return errno;
  }
  if (plan->report_fd < 3) {
    int moved = fcntl(plan->report_fd, F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return errno;
    plan->report_fd = moved;
  }
  for (int i = 0; i < 3; i++) {
    if (dup2(streams[i], i) < 0) return errno;
  }
  return 0;
}

/* Executes argv[0], or the first of PATH that can be. Returns errno: the most telling one. */
CHILD_CODE static int child_exec(const child_plan *plan) {
  const char *name = plan->argv[0];
  int has_slash = 0;
  size_t name_len = 0;
  for (; name[name_len]; name_len++) has_slash |= name[name_len] == '/';
  if (has_slash) {
    execve(name, plan->argv, plan->environment);
    return errno;
  }
  int result = ENOENT;
  for (const char *entry = plan->path;; entry++) {
    size_t len = 0;
    while (entry[len] && entry[len] != ':') {
      plan->scratch[len] = entry[len];
      len++;
    }
    entry += len;
    if (len) plan->scratch[len++] = '/'; /* an empty entry means the working directory */
    for (size_t i = 0; i <= name_len; i++) plan->scratch[len + i] = name[i];
    execve(plan->scratch, plan->argv, plan->environment);
    if (errno == EACCES) result = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR) return errno;
    if (!*entry) return result;
  }
}

CHILD_CODE static int child_main(void *argument) {
  child_plan *plan = argument;
  child_reset_signals();
#ifdef PR_SET_PDEATHSIG
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) child_fail(plan->report_fd, STAGE_PARENT, errno);
#endif
  /* The parent may have died before the request: then nobody would kill us. */
  if (getppid() != plan->parent) _exit(127);
  if (setpgid(0, 0) != 0) child_fail(plan->report_fd, STAGE_GROUP, errno);
  int failed = child_connect(plan);
  if (failed) child_fail(plan->report_fd, STAGE_STREAMS, failed);
  child_close_others();
  if (plan->spawn->cwd && chdir(plan->spawn->cwd) != 0) child_fail(plan->report_fd, STAGE_CWD, errno);
  child_fail(plan->report_fd, STAGE_EXEC, child_exec(plan));
  return 127;
}

/* ---- messages ---- */

/* The value of PATH in the child's environment. */
static const char *plan_path(const eva_spawn_plan *plan) {
  const char *const *entries = plan->environment ? plan->environment : (const char *const *)environ;
  for (; entries && *entries; entries++) {
    if (strncmp(*entries, "PATH=", 5) == 0) return *entries + 5;
  }
  return default_path;
}

enum { PATH_BYTES_SHOWN = 40 }; /* of PATH in a message */

static eva_code fail_missing(const eva_spawn_plan *plan, eva_error *error) {
  const char *name = plan->argv[0];
  if (strchr(name, '/')) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL, "command not found: '%s' does not exist%s%s", name,
                         name[0] != '/' && plan->cwd ? " relative to " : "",
                         name[0] != '/' && plan->cwd ? plan->cwd : "");
  }
  const char *path = plan_path(plan);
  return eva_error_set(error, EVA_E_NOT_FOUND, NULL,
                       "command not found: '%s' is not in PATH (%.*s%s); install it, or give the path of its file", name,
                       PATH_BYTES_SHOWN, path, strlen(path) > PATH_BYTES_SHOWN ? "..." : "");
}

static eva_code fail_stage(const eva_spawn_plan *plan, const child_report *report, eva_error *error) {
  const char *reason = strerror(report->error_number);
  if (report->stage == STAGE_CWD) {
    eva_code code = report->error_number == ENOENT ? EVA_E_NOT_FOUND : EVA_E_IO;
    return eva_error_set(error, code, NULL, "cannot start '%s': its working directory (cwd) '%s': %s", plan->argv[0],
                         plan->cwd, reason);
  }
  if (report->stage != STAGE_EXEC) {
    return eva_error_set(error, EVA_E_IO, NULL, "cannot start '%s': %s (step %d)", plan->argv[0], reason,
                         report->stage);
  }
  switch (report->error_number) {
    case ENOENT: return fail_missing(plan, error);
    case EACCES:
      return eva_error_set(error, EVA_E_IO, NULL, "cannot run '%s': %s; it must be a file with execute permission",
                           plan->argv[0], reason);
    case ENOEXEC:
      return eva_error_set(error, EVA_E_IO, NULL,
                           "cannot run '%s': %s; a script needs a first line like #!/bin/sh (no shell is used)",
                           plan->argv[0], reason);
    case E2BIG:
      return eva_error_set(error, EVA_E_LIMIT, NULL,
                           "cannot run '%s': %s; pass large values on stdin rather than in argv or env", plan->argv[0],
                           reason);
    default: return eva_error_set(error, EVA_E_IO, NULL, "cannot run '%s': %s", plan->argv[0], reason);
  }
}

static eva_code fail_errno(const char *name, const char *doing, eva_error *error) {
  if (errno == EMFILE || errno == ENFILE) {
    return eva_error_set(error, EVA_E_LIMIT, NULL,
                         "cannot start '%s': too many open files (4 for each process); lower max_concurrency or "
                         "`processes`, or raise the limit with `ulimit -n`",
                         name);
  }
  return eva_error_set(error, EVA_E_IO, NULL, "cannot start '%s': %s: %s", name, doing, strerror(errno));
}

/* ---- the parent ---- */

enum { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERROR, PIPE_REPORT, PIPE_COUNT };

/* pipes[i][0] is read from, pipes[i][1] written to; -1 where not open. */
typedef struct plumbing {
  int pipes[PIPE_COUNT][2];
} plumbing;

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void plumbing_close(plumbing *pipes) {
  for (int i = 0; i < PIPE_COUNT; i++) {
    close_fd(&pipes->pipes[i][0]);
    close_fd(&pipes->pipes[i][1]);
  }
}

static int make_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Pipes rather than socket pairs: a program may open /dev/stdin again, which fails on a socket. */
static int plumbing_open(plumbing *pipes, int has_stdin) {
  for (int i = 0; i < PIPE_COUNT; i++) pipes->pipes[i][0] = pipes->pipes[i][1] = -1;
  for (int i = 0; i < PIPE_COUNT; i++) {
    if (i == PIPE_INPUT && !has_stdin) {
      pipes->pipes[i][0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (pipes->pipes[i][0] < 0) return -1;
    } else if (pipe2(pipes->pipes[i], O_CLOEXEC) != 0) {
      return -1;
    }
  }
  if (has_stdin && make_nonblocking(pipes->pipes[PIPE_INPUT][1]) != 0) return -1;
  if (make_nonblocking(pipes->pipes[PIPE_OUTPUT][0]) != 0) return -1;
  return make_nonblocking(pipes->pipes[PIPE_ERROR][0]);
}

/* Clones with every signal blocked, so that no handler of ours runs in the child on shared memory, and so that the
 * table holds the group before a handler here can ask for it. Returns the pid, or -1. */
static pid_t start_child(child_plan *plan, int table_slot) {
  void *stack = mmap(NULL, CHILD_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = clone(child_main, (char *)stack + CHILD_STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, plan);
  int saved = errno;
  if (pid > 0) atomic_store(&groups[table_slot], (int)pid);
  sigprocmask(SIG_SETMASK, &before, NULL);
  munmap(stack, CHILD_STACK_SIZE);
  errno = saved;
  return pid;
}

/* Reads the child's report. Returns 1 when it failed, 0 when the pipe closed at exec. */
static int read_report(int fd, child_report *report) {
  ssize_t got;
  do {
    got = read(fd, report, sizeof(*report));
  } while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof(*report);
}

static eva_code check_plan(const eva_spawn_plan *plan, eva_error *error) {
  if (!plan->argv || !plan->argv[0] || !plan->argv[0][0]) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "argv is empty: its first entry names the command");
  }
  return EVA_OK;
}

eva_code eva_spawn(const eva_spawn_plan *plan, eva_spawned *out, eva_error *error) {
  eva_code code = check_plan(plan, error);
  if (code) return code;
  const char *name = plan->argv[0];
  int table_slot = table_find_free();
  if (table_slot < 0) {
    return eva_error_set(error, EVA_E_LIMIT, NULL,
                         "cannot start '%s': %d processes of this worker are alive, the limit (processes_per_worker) is %d; lower max_concurrency", name,
                         EVA_PROCESS_MAX, EVA_PROCESS_MAX);
  }
  plumbing pipes;
  if (plumbing_open(&pipes, plan->has_stdin) != 0) {
    code = fail_errno(name, "pipe", error);
    plumbing_close(&pipes);
    return code;
  }
  const char *path = plan_path(plan);
  child_plan child = {.spawn = plan,
                      .argv = (char *const *)plan->argv,
                      .environment = plan->environment ? (char *const *)plan->environment : environ,
                      .path = path,
                      .scratch = eva_alloc(strlen(path) + strlen(name) + 2),
                      .streams = {pipes.pipes[PIPE_INPUT][0], pipes.pipes[PIPE_OUTPUT][1], pipes.pipes[PIPE_ERROR][1]},
                      .report_fd = pipes.pipes[PIPE_REPORT][1],
                      .parent = getpid()};
  pid_t pid = start_child(&child, table_slot);
  free(child.scratch);
  if (pid < 0) {
    code = fail_errno(name, "clone", error);
    plumbing_close(&pipes);
    return code;
  }
  close_fd(&pipes.pipes[PIPE_REPORT][1]);
  child_report report;
  if (read_report(pipes.pipes[PIPE_REPORT][0], &report)) {
    atomic_store(&groups[table_slot], 0);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    plumbing_close(&pipes);
    return fail_stage(plan, &report, error);
  }
  *out = (eva_spawned){pid, table_slot, pipes.pipes[PIPE_INPUT][1], pipes.pipes[PIPE_OUTPUT][0],
                       pipes.pipes[PIPE_ERROR][0]};
  pipes.pipes[PIPE_INPUT][1] = pipes.pipes[PIPE_OUTPUT][0] = pipes.pipes[PIPE_ERROR][0] = -1; /* the caller's now */
  plumbing_close(&pipes);
  return EVA_OK;
}

void eva_spawn_kill_group(const eva_spawned *spawned) {
  if (spawned->pid > 1) kill(-spawned->pid, SIGKILL);
}

int eva_spawn_reap(eva_spawned *spawned, int *status) {
  siginfo_t info;
  memset(&info, 0, sizeof(info));
  int is_ours = waitid(P_PID, (id_t)spawned->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (is_ours && info.si_pid == 0) return 0;
  /* While the leader is a zombie the group's number cannot be given away: kill what it left behind, then collect. */
  if (is_ours) eva_spawn_kill_group(spawned);
  atomic_store(&groups[spawned->table_slot], 0);
  pid_t got;
  do {
    got = waitpid(spawned->pid, status, WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got != spawned->pid) *status = -1;
  spawned->pid = 0;
  return 1;
}

/* ---- looking a command up ---- */

/* 0 when `path` (meant from `base` when relative) is a file that may be executed; else errno. */
static int check_executable(const char *base, const char *path, eva_buf *full) {
  eva_buf_clear(full);
  if (path[0] != '/' && base) {
    eva_buf_add_string(full, base);
    eva_buf_add_char(full, '/');
  }
  eva_buf_add_string(full, path);
  struct stat info;
  if (stat(full->data, &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return faccessat(AT_FDCWD, full->data, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int find_in_path(const eva_spawn_plan *plan, eva_buf *full) {
  eva_buf candidate = {0};
  int result = ENOENT;
  for (const char *entry = plan_path(plan);; entry++) {
    size_t len = strcspn(entry, ":");
    eva_buf_clear(&candidate);
    eva_buf_add(&candidate, entry, len);
    if (len) eva_buf_add_char(&candidate, '/');
    eva_buf_add_string(&candidate, plan->argv[0]);
    int failed = check_executable(plan->cwd, candidate.data, full);
    if (failed == 0 || failed == EACCES) result = failed;
    entry += len;
    if (failed == 0 || !*entry) break;
  }
  eva_buf_free(&candidate);
  return result;
}

eva_code eva_spawn_find(const eva_spawn_plan *plan, eva_buf *path, eva_error *error) {
  eva_code code = check_plan(plan, error);
  if (code) return code;
  struct stat info;
  if (plan->cwd && (stat(plan->cwd, &info) != 0 || !S_ISDIR(info.st_mode))) {
    return eva_error_set(error, EVA_E_NOT_FOUND, NULL, "the working directory (cwd) '%s' of '%s' is not a directory",
                         plan->cwd, plan->argv[0]);
  }
  eva_buf full = {0};
  int failed = strchr(plan->argv[0], '/') ? check_executable(plan->cwd, plan->argv[0], &full)
                                          : find_in_path(plan, &full);
  if (failed == 0 && path) eva_buf_add(path, full.data, full.len);
  eva_buf_free(&full);
  if (failed == 0) return EVA_OK;
  if (failed == EISDIR) {
    return eva_error_set(error, EVA_E_IO, NULL, "cannot run '%s': it is a directory; argv[1] names a file",
                         plan->argv[0]);
  }
  child_report report = {STAGE_EXEC, failed == ENOTDIR ? ENOENT : failed};
  return fail_stage(plan, &report, error);
}
