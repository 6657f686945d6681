/* Starting one child process: plumbing, exec and the table of live process groups. No loop here.
 *
 * uv_spawn can neither put the child in a process group of its own nor let it die with its parent, so this is ours.
 * The child is started without a shell, in its own process group, with default signals, only its three standard
 * streams open, and (on Linux) killed by the kernel when this process dies. */
#ifndef EVA_IO_PROCESS_SPAWN_H
#define EVA_IO_PROCESS_SPAWN_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* The limit `processes_per_worker`: children alive at once in one process of ours. */
enum { EVA_PROCESS_MAX = 1024 };

typedef struct eva_spawn_plan {
  const char *const *argv;        /* ends with NULL; argv[0] is looked up in PATH unless it has a slash */
  const char *const *environment; /* "NAME=value" entries, ends with NULL; NULL inherits ours */
  const char *cwd;                /* working directory; NULL keeps ours. Relative argv[0] and PATH are meant from here */
  int has_stdin;                  /* 1: a pipe; 0: /dev/null */
} eva_spawn_plan;

typedef struct eva_spawned {
  pid_t pid;      /* also the id of its process group */
  int table_slot; /* its place in the table of live groups */
  int input_fd;   /* our ends, non-blocking and close-on-exec; -1 without stdin */
  int output_fd;
  int error_fd;
} eva_spawned;

/* Starts the child and returns after its exec. Fails with EVA_E_NOT_FOUND (no such command or cwd), EVA_E_LIMIT (too
 * many children) or EVA_E_IO; then nothing is left behind. */
eva_code eva_spawn(const eva_spawn_plan *plan, eva_spawned *out, eva_error *error);

/* Finds what eva_spawn would execute, without starting it: appends the file's path to `path` (may be NULL).
 * EVA_E_NOT_FOUND or EVA_E_IO (not executable, a directory) with a message that says where it was looked for. */
eva_code eva_spawn_find(const eva_spawn_plan *plan, eva_buf *path, eva_error *error);

/* Sends SIGKILL to the group. Safe only while the leader is not reaped (its number is then still its own). */
void eva_spawn_kill_group(const eva_spawned *spawned);

/* Forgets the group, kills what is left of it and collects the leader without waiting. Returns 1 when it was collected
 * (`status` as from waitpid, or -1 when somebody else has taken it) and 0 when it is still running. */
int eva_spawn_reap(eva_spawned *spawned, int *status);

/* Kills every live group started by this process (not by its parent before a fork). Async-signal-safe. */
void eva_process_kill_all(void);
/* How many groups of this process are live. */
int eva_process_live_count(void);
/* 1: this process started it and has not reaped it yet. */
int eva_process_is_live(pid_t pid);

#endif
