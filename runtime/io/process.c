/* A child process on a libuv loop: its streams with limits, its end, and waiting for either. */
#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  READ_SIZE = 64 * 1024,
  READS_PER_TURN = 16,      /* then the loop gets its turn: a flood must not starve the others */
  REAP_POLL_FIRST_MS = 1,   /* without pidfd the child is looked at in growing steps */
  REAP_POLL_MOST_MS = 20,
  WORD_LOOK_BYTES = 512     /* how far the tail of stderr looks for its first whole word */
};

typedef struct stream {
  uv_poll_t poll;
  int fd;         /* -1: closed */
  int has_handle; /* poll is initialised */
  int is_polling;
} stream;

typedef struct waiter {
  void (*callback)(void *);
  void *context;
} waiter;

struct eva_process {
  uv_loop_t *loop;
  eva_spawned spawned;
  pid_t pid;        /* stays after it is collected, for messages */
  pid_t owner;      /* the process of ours that started it */
  int owners;       /* references of others */
  int handles;      /* libuv handles that are not closed yet, and calls under way: they keep the memory */
  int is_closed;
  int is_collected; /* no longer running, not a zombie */
  eva_process_end end;

  stream streams[3];     /* stdin, stdout, stderr */
  eva_buf input;         /* queued for stdin */
  size_t input_written;  /* bytes of it that are gone */
  int input_closing;     /* close stdin when it is written */
  eva_buf output;        /* read from stdout */
  size_t output_taken;   /* bytes of it handed out as lines */
  size_t output_scanned; /* bytes of it known to hold no newline */
  eva_buf errors;        /* read from stderr */
  size_t output_limit, error_limit;
  int line_mode, error_tail;

  int pidfd; /* -1: reap_timer is used */
  uv_poll_t exit_poll;
  uv_timer_t reap_timer;
  unsigned reap_ms;
  uv_timer_t deadline;
  int has_deadline; /* the handle is initialised */
  waiter waiters[EVA_PROCESS_EVENT_COUNT];
};

enum { INPUT, OUTPUT, ERRORS };

static int is_foreign(const eva_process *p) { return p->owner != getpid(); }

/* ---- life ---- */

static void free_unused(eva_process *p) {
  if (p->owners > 0 || p->handles > 0) return;
  eva_buf_free(&p->input);
  eva_buf_free(&p->output);
  eva_buf_free(&p->errors);
  free(p);
}

static void on_handle_closed(uv_handle_t *handle) {
  eva_process *p = handle->data;
  p->handles--;
  free_unused(p);
}

static void close_handle(uv_handle_t *handle) {
  if (!uv_is_closing(handle)) uv_close(handle, on_handle_closed);
}

/* uv_close stops polling at once, so the descriptor may be closed with it. */
static void stream_close(stream *s) {
  if (s->fd < 0) return;
  if (s->has_handle) close_handle((uv_handle_t *)&s->poll);
  close(s->fd);
  s->fd = -1;
  s->is_polling = 0;
}

static void input_close(eva_process *p) {
  stream_close(&p->streams[INPUT]);
  eva_buf_free(&p->input);
  p->input_written = 0;
}

/* ---- waiters ---- */

static size_t output_waiting(const eva_process *p) { return p->output.len - p->output_taken; }

/* The first newline that is not taken, or NULL. */
static const char *find_newline(const eva_process *p) {
  if (p->output.len <= p->output_scanned) return NULL;
  return memchr(p->output.data + p->output_scanned, '\n', p->output.len - p->output_scanned);
}

int eva_process_is_ready(const eva_process *p, eva_process_event event) {
  switch (event) {
    case EVA_PROCESS_WRITTEN: return p->streams[INPUT].fd < 0 || p->input_written == p->input.len;
    case EVA_PROCESS_LINE:
      return p->streams[OUTPUT].fd < 0 || output_waiting(p) > p->output_limit || find_newline(p);
    case EVA_PROCESS_ENDED:
      return p->is_collected && p->streams[ERRORS].fd < 0 &&
             (p->streams[OUTPUT].fd < 0 || (p->line_mode && output_waiting(p) > p->output_limit));
    default: return 0;
  }
}

/* Calls the waiters whose event has come. A callback may release the process. */
static void notify(eva_process *p) {
  p->handles++;
  for (int event = 0; event < EVA_PROCESS_EVENT_COUNT; event++) {
    waiter waiting = p->waiters[event];
    if (!waiting.callback || !eva_process_is_ready(p, (eva_process_event)event)) continue;
    p->waiters[event] = (waiter){NULL, NULL};
    waiting.callback(waiting.context);
  }
  p->handles--;
  free_unused(p);
}

int eva_process_when(eva_process *p, eva_process_event event, void (*callback)(void *), void *context) {
  if (p->waiters[event].callback) return 0;
  p->waiters[event] = (waiter){callback, context};
  return 1;
}

void eva_process_forget(eva_process *p, eva_process_event event) { p->waiters[event] = (waiter){NULL, NULL}; }

/* ---- stdin ---- */

static void on_input_ready(uv_poll_t *poll, int status, int events);

static int poll_stream(eva_process *p, stream *s, int events, uv_poll_cb callback) {
  if (s->is_polling) return 1;
  if (!s->has_handle) {
    if (uv_poll_init(p->loop, &s->poll, s->fd) != 0) return 0;
    s->poll.data = p;
    s->has_handle = 1;
    p->handles++;
  }
  s->is_polling = uv_poll_start(&s->poll, events, callback) == 0;
  return s->is_polling;
}

/* write() that cannot raise SIGPIPE: the signal is held back and, when it came from this write, taken away. */
static ssize_t write_quietly(int fd, const void *data, size_t len) {
  sigset_t pipe_signal;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  sigprocmask(SIG_BLOCK, &pipe_signal, &before);
  ssize_t written;
  do {
    written = write(fd, data, len);
  } while (written < 0 && errno == EINTR);
  int saved = errno;
  if (written < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE)) {
    struct timespec now = {0, 0};
    while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR) continue;
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = saved;
  return written;
}

/* Writes what the pipe takes; waits for more room with a poll, or closes when all is done. */
static void input_flush(eva_process *p) {
  stream *s = &p->streams[INPUT];
  while (s->fd >= 0 && p->input_written < p->input.len) {
    ssize_t written = write_quietly(s->fd, p->input.data + p->input_written, p->input.len - p->input_written);
    if (written >= 0) {
      p->input_written += (size_t)written;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!poll_stream(p, s, UV_WRITABLE, on_input_ready)) input_close(p);
      return;
    } else {
      input_close(p); /* EPIPE: it reads no more; what it has to say comes on stdout and in its exit code */
      return;
    }
  }
  if (s->is_polling) uv_poll_stop(&s->poll);
  s->is_polling = 0;
  eva_buf_free(&p->input);
  p->input_written = 0;
  if (p->input_closing) input_close(p);
}

static void on_input_ready(uv_poll_t *poll, int status, int events) {
  (void)events;
  eva_process *p = poll->data;
  if (status < 0) input_close(p);
  else input_flush(p);
  notify(p);
}

void eva_process_write(eva_process *p, const void *data, size_t len) {
  if (is_foreign(p) || p->streams[INPUT].fd < 0 || p->input_closing) return;
  eva_buf_add(&p->input, data, len);
  if (!p->streams[INPUT].is_polling) input_flush(p);
}

void eva_process_close_input(eva_process *p) {
  if (is_foreign(p) || p->streams[INPUT].fd < 0) return;
  p->input_closing = 1;
  if (!p->streams[INPUT].is_polling) input_flush(p);
}

/* ---- stdout and stderr ---- */

static void stop_over_limit(eva_process *p, eva_process_stream which, size_t seen) {
  if (p->end.over == EVA_PROCESS_NO_STREAM) {
    p->end.over = which;
    p->end.over_bytes = seen;
  }
  eva_process_kill(p); /* before its pipe breaks, so that it cannot end by SIGPIPE first */
  stream_close(&p->streams[which == EVA_PROCESS_STDOUT ? OUTPUT : ERRORS]);
}

static void keep_output(eva_process *p, const char *data, size_t len) {
  if (p->output_taken > 0 && p->output_taken >= p->output.len / 2) { /* the front half is used up: move the rest */
    size_t rest = output_waiting(p);
    if (rest) memmove(p->output.data, p->output.data + p->output_taken, rest);
    p->output_scanned -= p->output_taken;
    p->output_taken = 0;
    p->output.len = rest;
  }
  size_t before = p->output.len;
  eva_buf_add(&p->output, data, len);
  if (p->line_mode && p->output_scanned == before) { /* look at each byte once, however long the line gets */
    const char *newline = memchr(data, '\n', len);
    p->output_scanned += newline ? (size_t)(newline - data) : len;
  }
  if (!p->line_mode && p->output.len > p->output_limit) stop_over_limit(p, EVA_PROCESS_STDOUT, p->output.len);
}

/* Where a tail begins whose first word is whole, so that no half of a key stands there that nobody would know. */
static size_t word_start(const eva_buf *text, size_t from) {
  for (size_t at = from; at < text->len && at < from + WORD_LOOK_BYTES; at++) {
    if (strchr(" \t\r\n", text->data[at - 1])) return at;
  }
  return from;
}

static void keep_errors(eva_process *p, const char *data, size_t len) {
  eva_buf_add(&p->errors, data, len);
  if (p->errors.len <= p->error_limit) return;
  if (!p->error_tail) {
    stop_over_limit(p, EVA_PROCESS_STDERR, p->errors.len);
    return;
  }
  size_t excess = word_start(&p->errors, p->errors.len - p->error_limit);
  p->errors.len -= excess;
  memmove(p->errors.data, p->errors.data + excess, p->errors.len);
  p->errors.data[p->errors.len] = 0;
}

static int output_is_full(const eva_process *p) { return p->line_mode && output_waiting(p) > p->output_limit; }

/* Reads what is there. When the child is gone, an empty pipe is at its end even if a runaway grandchild holds it. */
static void stream_read(eva_process *p, int which) {
  static char chunk[READ_SIZE]; /* shared: its bytes are used up before the function is left */
  stream *s = &p->streams[which];
  for (int i = 0; i < READS_PER_TURN && s->fd >= 0; i++) {
    if (which == OUTPUT && output_is_full(p)) {
      if (s->is_polling) uv_poll_stop(&s->poll);
      s->is_polling = 0;
      return;
    }
    ssize_t got = read(s->fd, chunk, sizeof(chunk));
    if (got > 0) {
      if (which == OUTPUT) keep_output(p, chunk, (size_t)got);
      else keep_errors(p, chunk, (size_t)got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !p->is_collected) {
      return;
    } else {
      stream_close(s);
    }
  }
  if (p->is_collected) stream_close(s); /* no pipe holds more than was read now: what still comes is not the child's */
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  eva_process *p = poll->data;
  int which = poll == &p->streams[OUTPUT].poll ? OUTPUT : ERRORS;
  if (status < 0) stream_close(&p->streams[which]);
  else stream_read(p, which);
  notify(p);
}

/* Goes on reading after a pause. */
static void output_resume(eva_process *p) {
  stream *s = &p->streams[OUTPUT];
  if (s->fd < 0 || s->is_polling || output_is_full(p)) return;
  if (p->is_collected) stream_read(p, OUTPUT);
  else if (!poll_stream(p, s, UV_READABLE, on_readable)) stream_close(s);
}

eva_code eva_process_take_line(eva_process *p, eva_text *line, eva_error *error) {
  *line = EVA_TEXT_NONE;
  if (is_foreign(p)) return EVA_OK;
  output_resume(p);
  size_t waiting = output_waiting(p);
  if (waiting == 0) return EVA_OK;
  const char *start = p->output.data + p->output_taken;
  const char *newline = find_newline(p);
  size_t len = newline ? (size_t)(newline - start) : waiting;
  if (len > p->output_limit) {
    return eva_error_set(error, EVA_E_LIMIT, NULL,
                         "a line of output is longer than the limit output_bytes: limit %zu, already %zu bytes",
                         p->output_limit, len);
  }
  if (!newline && p->streams[OUTPUT].fd >= 0) {
    p->output_scanned = p->output.len;
    return EVA_OK;
  }
  *line = (eva_text){start, len};
  p->output_taken += len + (newline != NULL);
  p->output_scanned = p->output_taken;
  return EVA_OK;
}

/* ---- the end ---- */

static void set_end(eva_process *p, int status) {
  p->end.code = -1;
  if (status == -1) p->end.signal = -1;
  else if (WIFEXITED(status)) p->end.code = WEXITSTATUS(status);
  else p->end.signal = WTERMSIG(status);
}

/* Collects the child if it has ended. Returns 1 when it is collected. */
static int collect(eva_process *p) {
  int status = -1;
  if (p->is_collected) return 1;
  if (!eva_spawn_reap(&p->spawned, &status)) return 0;
  p->is_collected = 1;
  set_end(p, status);
  input_close(p);
  stream_read(p, OUTPUT);
  stream_read(p, ERRORS);
  if (p->has_deadline) close_handle((uv_handle_t *)&p->deadline);
  if (p->pidfd >= 0) {
    close_handle((uv_handle_t *)&p->exit_poll);
    close(p->pidfd);
    p->pidfd = -1;
  } else {
    close_handle((uv_handle_t *)&p->reap_timer);
  }
  return 1;
}

static void on_exit_ready(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  if (collect(poll->data)) notify(poll->data);
}

static void on_reap_timer(uv_timer_t *timer) {
  eva_process *p = timer->data;
  if (collect(p)) {
    notify(p);
    return;
  }
  p->reap_ms = p->reap_ms * 2 > REAP_POLL_MOST_MS ? REAP_POLL_MOST_MS : p->reap_ms * 2;
  uv_timer_start(timer, on_reap_timer, p->reap_ms, 0);
}

static int open_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0);
#else
  (void)pid;
  return -1;
#endif
}

/* Watches for the child's end: by pidfd, or where there is none by looking again and again. */
static void watch_exit(eva_process *p, int by_timer) {
  p->handles++;
  p->pidfd = by_timer ? -1 : open_pidfd(p->pid);
  if (p->pidfd >= 0 && uv_poll_init(p->loop, &p->exit_poll, p->pidfd) == 0) {
    p->exit_poll.data = p;
    uv_poll_start(&p->exit_poll, UV_READABLE, on_exit_ready);
    return;
  }
  if (p->pidfd >= 0) close(p->pidfd);
  p->pidfd = -1;
  p->reap_ms = REAP_POLL_FIRST_MS;
  uv_timer_init(p->loop, &p->reap_timer);
  p->reap_timer.data = p;
  uv_timer_start(&p->reap_timer, on_reap_timer, p->reap_ms, 0);
}

void eva_process_kill(eva_process *p) {
  if (!is_foreign(p) && !p->is_collected) eva_spawn_kill_group(&p->spawned);
}

static void on_deadline(uv_timer_t *timer) {
  eva_process *p = timer->data;
  if (collect(p)) { /* it ended in time, this loop was late */
    notify(p);
    return;
  }
  stream_read(p, OUTPUT); /* the same for an answer that is there */
  if (p->waiters[EVA_PROCESS_LINE].callback && eva_process_is_ready(p, EVA_PROCESS_LINE)) {
    uv_timer_start(timer, on_deadline, 1, 0);
    notify(p);
    return;
  }
  p->end.timed_out = 1;
  eva_process_kill(p);
}

void eva_process_deadline(eva_process *p, int64_t ms) {
  if (is_foreign(p) || p->is_collected) return;
  if (ms < 0) {
    if (p->has_deadline) uv_timer_stop(&p->deadline);
    return;
  }
  if (!p->has_deadline) {
    uv_timer_init(p->loop, &p->deadline);
    p->deadline.data = p;
    p->has_deadline = 1;
    p->handles++;
  }
  uv_update_time(p->loop);
  uv_timer_start(&p->deadline, on_deadline, (uint64_t)ms, 0);
}

void eva_process_close(eva_process *p) {
  if (is_foreign(p) || p->is_closed) return;
  p->is_closed = 1;
  eva_process_kill(p);
  input_close(p);
  stream_close(&p->streams[OUTPUT]);
  stream_close(&p->streams[ERRORS]);
}

eva_process *eva_process_spawn(uv_loop_t *loop, const eva_process_options *options, eva_error *error) {
  eva_spawned spawned;
  if (eva_spawn(&options->plan, &spawned, error)) return NULL;
  eva_process *p = eva_alloc_zeroed(1, sizeof(*p));
  p->loop = loop;
  p->spawned = spawned;
  p->pid = spawned.pid;
  p->owner = getpid();
  p->owners = 1;
  p->streams[INPUT].fd = spawned.input_fd;
  p->streams[OUTPUT].fd = spawned.output_fd;
  p->streams[ERRORS].fd = spawned.error_fd;
  p->output_limit = options->output_limit;
  p->error_limit = options->error_limit;
  p->line_mode = options->line_mode;
  p->error_tail = options->error_tail;
  watch_exit(p, options->watch_by_timer);
  if (!poll_stream(p, &p->streams[OUTPUT], UV_READABLE, on_readable) ||
      !poll_stream(p, &p->streams[ERRORS], UV_READABLE, on_readable)) {
    eva_error_set(error, EVA_E_IO, NULL, "cannot start '%s': its output cannot be watched", options->plan.argv[0]);
    eva_process_release(p);
    return NULL;
  }
  return p;
}

void eva_process_retain(eva_process *p) { p->owners++; }

void eva_process_release(eva_process *p) {
  if (--p->owners > 0 || is_foreign(p)) return; /* a fork's copy keeps its memory: the handles in it are not ours */
  eva_process_close(p);
  free_unused(p);
}

/* ---- questions ---- */

eva_text eva_process_output(const eva_process *p) {
  if (!p->output.data) return EVA_TEXT_LITERAL("");
  return (eva_text){p->output.data + p->output_taken, output_waiting(p)};
}

eva_text eva_process_errors(const eva_process *p) {
  return p->errors.data ? eva_buf_text(&p->errors) : EVA_TEXT_LITERAL("");
}

eva_process_end eva_process_result(const eva_process *p) { return p->end; }

int eva_process_is_alive(eva_process *p) {
  if (is_foreign(p)) return 0;
  for (int event = 0; event < EVA_PROCESS_EVENT_COUNT; event++) {
    if (p->waiters[event].callback) return !p->is_collected; /* the loop tells them, not this call */
  }
  return !collect(p);
}

int eva_process_has_input(const eva_process *p) { return p->streams[INPUT].fd >= 0; }
pid_t eva_process_pid(const eva_process *p) { return p->pid; }
int eva_process_is_ours(const eva_process *p) { return !is_foreign(p); }
