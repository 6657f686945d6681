/* The loop of a worker process; see worker.h. */
#include "engine/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sanitizer.h"

enum { READ_SIZE = 256 * 1024, FLUSH_SIZE = 64 * 1024 };

struct eva_worker {
  int socket;
  eva_worker_board *board;
  const eva_worker_program *program;
  uv_loop_t *loop;
  uv_poll_t poll;
  uv_prepare_t turn; /* before the loop sleeps: start what can start, send what has been produced in one write */
  uv_idle_t more;   /* jobs that could start are waiting: the loop must not sleep */
  eva_buf in, out;
  eva_buf jobs;     /* frames of jobs that wait for a slot */
  size_t jobs_at;   /* frames before it have started */
  size_t out_at;    /* bytes before it are sent */
  volatile sig_atomic_t is_sealed; /* `out` holds whole frames and nobody changes it: a signal handler may send them */
  int is_open;      /* jobs may start */
  int is_starting;  /* one is being started now */
  int is_held;      /* the coordinator wants nothing more started */
  int is_drained;   /* and has been told that nothing runs */
  int is_writing;   /* the poll watches for room */
  int free_count;
  int *free_slots;  /* [board->slots] */
};

static void (*kill_all_now)(void);
static eva_worker *worker_now;

/* The coordinator is gone (or wants us gone): nothing that we started may stay. It reads our socket to its end, so what
 * has finished behind code that holds this process is sent; where it is gone, this fails. */
static void on_parent_death(int signal_number) {
  (void)signal_number;
  if (kill_all_now) kill_all_now();
  if (worker_now && worker_now->is_sealed) {
    const eva_worker *worker = worker_now;
    (void)!send(worker->socket, worker->out.data + worker->out_at, worker->out.len - worker->out_at, MSG_NOSIGNAL);
  }
  _exit(EXIT_FAILURE);
}

static void worker_exit(eva_worker *worker, int status) {
  worker->program->kill_all();
  if (status == EXIT_SUCCESS) eva_report_leaks();
  _exit(status);
}

/* ==== Output ==== */

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(eva_worker *worker, int writing) {
  worker->is_writing = writing;
  uv_poll_start(&worker->poll, UV_READABLE | (writing ? UV_WRITABLE : 0), on_socket);
}

static void seal(eva_worker *worker) {
  atomic_signal_fence(memory_order_seq_cst);
  worker->is_sealed = 1;
}

static void unseal(eva_worker *worker) {
  worker->is_sealed = 0;
  atomic_signal_fence(memory_order_seq_cst);
}

static void send_out(eva_worker *worker) {
  unseal(worker);
  while (worker->out_at < worker->out.len) {
    ssize_t count =
        send(worker->socket, worker->out.data + worker->out_at, worker->out.len - worker->out_at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!worker->is_writing) watch(worker, 1);
      return;
    }
    if (count < 0) worker_exit(worker, EXIT_FAILURE);
    worker->out_at += (size_t)count;
  }
  eva_buf_clear(&worker->out);
  worker->out_at = 0;
  if (worker->is_writing) watch(worker, 0);
}

eva_buf *eva_worker_out(eva_worker *worker) {
  unseal(worker);
  return &worker->out;
}

int eva_worker_has_unsent(const eva_worker *worker) { return worker->out_at < worker->out.len; }

void eva_worker_flush(eva_worker *worker) {
  if (eva_worker_has_unsent(worker)) send_out(worker);
}

void eva_worker_fatal(eva_worker *worker, const char *message, int is_script) {
  unseal(worker);
  size_t offset = eva_frame_begin(&worker->out, EVA_FRAME_FATAL);
  eva_put_u8(&worker->out, (uint8_t)is_script);
  eva_put_text(&worker->out, eva_text_of(message));
  eva_frame_end(&worker->out, offset);
}

void eva_worker_scores(eva_worker *worker, int slot) {
  atomic_store_explicit(&worker->board->running[slot].is_scoring, 1, memory_order_relaxed);
}

_Atomic uint64_t *eva_worker_beats(eva_worker *worker) { return &worker->board->beats; }

void eva_worker_on_cpu(eva_worker *worker, int64_t position, uint64_t until_ns) {
  atomic_store_explicit(&worker->board->cpu_until_ns, until_ns, memory_order_relaxed);
  atomic_store_explicit(&worker->board->on_cpu, position, memory_order_relaxed);
}

void eva_worker_done(eva_worker *worker, int slot) {
  atomic_store_explicit(&worker->board->running[slot].position, 0, memory_order_relaxed);
  worker->free_slots[worker->free_count++] = slot;
  if (worker->out.len - worker->out_at > FLUSH_SIZE) send_out(worker);
  seal(worker);
}

/* ==== Input ==== */

static void start_job(eva_worker *worker, eva_cursor *payload) {
  eva_job_frame frame; /* its texts are in worker->jobs, which must stay as it is meanwhile */
  if (!eva_get_job(payload, &frame)) worker_exit(worker, EXIT_FAILURE);
  int slot = worker->free_slots[--worker->free_count];
  atomic_store_explicit(&worker->board->running[slot].started_at_ms, eva_clock_wall_ms(), memory_order_relaxed);
  atomic_store_explicit(&worker->board->running[slot].is_scoring, 0, memory_order_relaxed);
  atomic_store_explicit(&worker->board->running[slot].position, frame.position, memory_order_relaxed);
  worker->is_starting = 1;
  worker->program->start(worker->program->context, worker, slot, &frame);
  worker->is_starting = 0;
}

/* Starts what the slots allow. A turn is bounded, so that finished I/O is not kept waiting by new jobs. */
static void start_jobs(eva_worker *worker) {
  enum { STARTS_MAX = 64 };
  for (int starts = 0; worker->free_count > 0 && starts < STARTS_MAX && !worker->is_held; starts++) {
    eva_frame_type type;
    eva_cursor payload;
    int64_t size = eva_frame_next(&worker->jobs, worker->jobs_at, &type, &payload);
    if (size <= 0) break;
    worker->jobs_at += (size_t)size;
    start_job(worker, &payload);
  }
  if (worker->jobs_at == worker->jobs.len || worker->is_held) {
    eva_buf_clear(&worker->jobs);
    worker->jobs_at = 0;
  } else if (worker->jobs_at > READ_SIZE) {
    memmove(worker->jobs.data, worker->jobs.data + worker->jobs_at, worker->jobs.len - worker->jobs_at);
    worker->jobs.len -= worker->jobs_at;
    worker->jobs_at = 0;
  }
}

void eva_worker_refill(eva_worker *worker) {
  if (worker->is_open && !worker->is_starting && worker->free_count > 0) start_jobs(worker);
}

static void on_more(uv_idle_t *idle) { (void)idle; }

/* Whether another start is possible right now without reading. */
static int has_ready_job(eva_worker *worker) {
  eva_frame_type type;
  eva_cursor payload;
  return worker->free_count > 0 && eva_frame_next(&worker->jobs, worker->jobs_at, &type, &payload) > 0;
}

static void on_turn(uv_prepare_t *turn) {
  eva_worker *worker = turn->data;
  if (worker->is_open) start_jobs(worker);
  if (worker->program->turn) worker->program->turn(worker->program->context);
  if (!worker->is_open) {
    send_out(worker);
    return;
  }
  if (worker->is_held && !worker->is_drained && worker->free_count == worker->board->slots) {
    worker->is_drained = 1;
    unseal(worker);
    eva_frame_end(&worker->out, eva_frame_begin(&worker->out, EVA_FRAME_DRAINED));
  }
  send_out(worker);
  if (has_ready_job(worker)) uv_idle_start(&worker->more, on_more);
  else uv_idle_stop(&worker->more);
}

static void take_answer(eva_worker *worker, eva_cursor *payload) {
  eva_reply reply;
  uint64_t number = eva_get_answer(payload, &reply);
  if (payload->bad) worker_exit(worker, EXIT_FAILURE);
  if (worker->program->answer) worker->program->answer(worker->program->context, number, &reply);
}

static void take_told(eva_worker *worker, eva_cursor *payload) {
  eva_text service, message;
  eva_get_ask(payload, &service, &message);
  if (payload->bad || !service.data || !message.data) worker_exit(worker, EXIT_FAILURE);
  if (worker->program->told) worker->program->told(worker->program->context, service, message);
}

/* What the item of a position does; no answer where it has ended meanwhile. */
static void take_look(eva_worker *worker, eva_cursor *payload) {
  int64_t position = eva_get_i64(payload);
  eva_buf id = {0}, doing = {0};
  for (int slot = 0; slot < worker->board->slots && worker->program->describe; slot++) {
    if (atomic_load(&worker->board->running[slot].position) != position) continue;
    worker->program->describe(worker->program->context, slot, &id, &doing);
    unseal(worker);
    size_t offset = eva_frame_begin(&worker->out, EVA_FRAME_DOING);
    eva_put_i64(&worker->out, position);
    eva_put_text(&worker->out, eva_buf_text(&id));
    eva_put_text(&worker->out, eva_buf_text(&doing));
    eva_frame_end(&worker->out, offset);
    break;
  }
  eva_buf_free(&id);
  eva_buf_free(&doing);
}

/* Orders and answers are seen even when no slot is free: only jobs wait. */
static void take_frames(eva_worker *worker) {
  size_t at = 0;
  eva_frame_type type;
  eva_cursor payload;
  int64_t size;
  while ((size = eva_frame_next(&worker->in, at, &type, &payload)) > 0) {
    if (type == EVA_FRAME_STOP) worker_exit(worker, EXIT_SUCCESS);
    if (type == EVA_FRAME_HOLD) worker->is_held = 1;
    if (type == EVA_FRAME_JOB && !worker->is_held) eva_buf_add(&worker->jobs, worker->in.data + at, (size_t)size);
    if (type == EVA_FRAME_ANSWER) take_answer(worker, &payload);
    if (type == EVA_FRAME_TELL) take_told(worker, &payload);
    if (type == EVA_FRAME_LOOK) take_look(worker, &payload);
    at += (size_t)size;
  }
  if (size < 0) worker_exit(worker, EXIT_FAILURE);
  memmove(worker->in.data, worker->in.data + at, worker->in.len - at);
  worker->in.len -= at;
}

static void on_socket(uv_poll_t *poll, int status, int events) {
  eva_worker *worker = poll->data;
  if (status < 0) worker_exit(worker, EXIT_FAILURE);
  if (events & UV_WRITABLE) send_out(worker);
  if (!(events & UV_READABLE)) return;
  eva_buf_reserve(&worker->in, READ_SIZE);
  ssize_t count = recv(worker->socket, worker->in.data + worker->in.len, READ_SIZE, 0);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) worker_exit(worker, EXIT_FAILURE);
  if (count > 0) worker->in.len += (size_t)count;
  take_frames(worker);
}

/* ==== Life ==== */

/* Takes what an inherited descriptor refers to away but keeps its number: a file that a suite opened before the fork then
 * fails (EBADF) instead of writing into whatever gets the number next. */
static void block_inherited(int kept) {
  int blocker = open("/", O_PATH | O_CLOEXEC);
  DIR *list = opendir("/proc/self/fd");
  if (!list || blocker < 0) {
    close_range((unsigned)kept + 1, ~0U, 0);
    return;
  }
  for (struct dirent *entry; (entry = readdir(list));) {
    int fd = (int)strtol(entry->d_name, NULL, 10); /* "." and ".." are 0 */
    if (fd > kept && fd != blocker && fd != dirfd(list)) dup3(blocker, fd, O_CLOEXEC);
  }
  closedir(list);
}

/* Of the inherited descriptors only the standard ones and the own socket stay; the store must not be reachable. */
static int close_inherited(int socket) {
  enum { KEPT = 3 };
  if (socket != KEPT) {
    if (dup2(socket, KEPT) < 0) return -1;
  }
  block_inherited(KEPT);
  fcntl(KEPT, F_SETFD, FD_CLOEXEC);
  fcntl(KEPT, F_SETFL, O_NONBLOCK);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) {
    dup2(null, STDIN_FILENO);
    close(null);
  }
  return KEPT;
}

static void set_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN; /* Ctrl-C reaches the whole group: what happens then is the coordinator's to say */
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGPIPE, &action, NULL);
  action.sa_handler = on_parent_death;
  sigaction(SIGUSR2, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGUSR2);
}

void eva_worker_listen(eva_worker *worker, uv_loop_t *loop) {
  worker->loop = loop;
  uv_poll_init(loop, &worker->poll, worker->socket);
  worker->poll.data = worker;
  uv_prepare_init(loop, &worker->turn);
  worker->turn.data = worker;
  uv_prepare_start(&worker->turn, on_turn);
  uv_idle_init(loop, &worker->more);
  watch(worker, 0);
}

void eva_worker_main(int socket, eva_worker_board *board, const eva_worker_program *program) {
  pid_t parent = getppid();
  kill_all_now = program->kill_all;
  set_signals();
  eva_worker *worker = eva_alloc_zeroed(1, sizeof *worker);
  worker_now = worker;
  worker->board = board;
  worker->program = program;
  worker->socket = close_inherited(socket);
  if (worker->socket < 0 || getppid() != parent || parent == 1) _exit(EXIT_FAILURE);
  worker->free_slots = eva_alloc_zeroed((size_t)board->slots, sizeof *worker->free_slots);
  for (int slot = board->slots - 1; slot >= 0; slot--) worker->free_slots[worker->free_count++] = slot;
  eva_error error;
  uv_loop_t *loop = program->open(program->context, worker, &error);
  if (!loop) {
    fcntl(worker->socket, F_SETFL, 0);
    eva_worker_fatal(worker, error.message, error.code == EVA_E_STATE);
    (void)!write(worker->socket, worker->out.data + worker->out_at, worker->out.len - worker->out_at);
    worker_exit(worker, EXIT_FAILURE);
  }
  if (!worker->loop) eva_worker_listen(worker, loop);
  worker->is_open = 1;
  uv_run(worker->loop, UV_RUN_DEFAULT);
  worker_exit(worker, EXIT_FAILURE);
  abort();
}
