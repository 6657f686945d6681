/* A child process on a libuv loop: its streams with limits, its end, and waiting for either.
 *
 * Reading never stops while there is room, whatever is being waited for, so a child that answers while it is still
 * being written to cannot deadlock with us. Every number of bytes is limited. A child that is over its limits or its
 * deadline is killed with its group; what it leaves running in its group when it ends is killed too.
 *
 * Ownership: spawn returns one reference; eva_process_release gives it back. A process that forked sees its parent's
 * objects as dead: every call on them does nothing. */
#ifndef EVA_IO_PROCESS_H
#define EVA_IO_PROCESS_H

#include <uv.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/process_spawn.h"

typedef struct eva_process eva_process;

typedef struct eva_process_options {
  eva_spawn_plan plan;
  size_t output_limit; /* most bytes of stdout held: of all output, or in line mode of one line */
  size_t error_limit;  /* most bytes of stderr held */
  int line_mode;       /* 1: stdout is taken by lines, reading pauses at the limit; 0: more than the limit kills */
  int error_tail;      /* 1: the last error_limit bytes of stderr are kept; 0: more than the limit kills */
  int watch_by_timer;  /* 1: do as where the kernel has no pidfd (for tests) */
} eva_process_options;

/* What can be waited for. */
typedef enum eva_process_event {
  EVA_PROCESS_WRITTEN, /* nothing is left to write, or stdin is closed (by either side) */
  EVA_PROCESS_LINE,    /* a line, the end of stdout, or a line over the limit */
  EVA_PROCESS_ENDED,   /* the child is collected and its streams are read to their end (or full) */
  EVA_PROCESS_EVENT_COUNT
} eva_process_event;

typedef enum eva_process_stream { EVA_PROCESS_NO_STREAM, EVA_PROCESS_STDOUT, EVA_PROCESS_STDERR } eva_process_stream;

typedef struct eva_process_end {
  int code;                  /* exit code; -1 when killed by a signal or unknown */
  int signal;                /* 0, or the signal that ended it; -1 when its status was lost */
  int timed_out;             /* we killed it at its deadline */
  eva_process_stream over;   /* we killed it because this stream was over its limit */
  size_t over_bytes;         /* bytes of that stream seen by then */
} eva_process_end;

/* Starts a child; see eva_spawn for errors. Returns NULL on failure. The loop outlives the object. */
eva_process *eva_process_spawn(uv_loop_t *loop, const eva_process_options *options, eva_error *error);
void eva_process_retain(eva_process *process);
/* Gives a reference back; the last one closes. Memory goes when the loop has seen the child's end. */
void eva_process_release(eva_process *process);

/* Kills the group and closes the streams. Idempotent. Waiters are still called, from the loop, when it has ended. */
void eva_process_close(eva_process *process);
/* Kills the group with SIGKILL; output so far can still be read. */
void eva_process_kill(eva_process *process);
/* Kills the group in `ms` milliseconds from now unless it has ended; a negative number lifts the deadline. */
void eva_process_deadline(eva_process *process, int64_t ms);

/* Queues a copy of the bytes for stdin. Bytes for a child that closed its stdin are dropped, which is no error: many
 * programs answer without reading everything. */
void eva_process_write(eva_process *process, const void *data, size_t len);
/* Closes stdin when everything queued is written. */
void eva_process_close_input(eva_process *process);

int eva_process_is_ready(const eva_process *process, eva_process_event event);
/* Calls `callback` once, from the loop, when the event is ready; at most one waiter an event (returns 0 when there is
 * one already, else 1). Ask eva_process_is_ready (for lines: take_line, which also goes on reading after a pause)
 * first. The caller keeps a reference meanwhile. */
int eva_process_when(eva_process *process, eva_process_event event, void (*callback)(void *), void *context);
/* Withdraws the waiter. */
void eva_process_forget(eva_process *process, eva_process_event event);

/* The next line without its "\n", in `line` until the next call on this object: EVA_OK; `line->data` is NULL at the end
 * of stdout (or when no line is ready yet). EVA_E_LIMIT for a line over the limit; the rest of the stream is then
 * unusable. A last line without "\n" counts. */
eva_code eva_process_take_line(eva_process *process, eva_text *line, eva_error *error);

/* stdout not yet taken, and stderr (or its tail); valid until the next call on this object. */
eva_text eva_process_output(const eva_process *process);
eva_text eva_process_errors(const eva_process *process);
/* How it ended; zeroed while it has not. */
eva_process_end eva_process_result(const eva_process *process);
int eva_process_is_alive(eva_process *process); /* has not ended; asks the system now */
int eva_process_has_input(const eva_process *process); /* stdin is still open */
pid_t eva_process_pid(const eva_process *process);
int eva_process_is_ours(const eva_process *process); /* 0 in a fork of the process that started it */

#endif
