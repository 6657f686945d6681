/* The worker processes of a coordinator: starting, talking to, and ending them. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sanitizer.h"
#include "engine/coordinator_private.h"
#include "io/process_spawn.h"

enum { READ_SIZE = 256 * 1024, END_WAIT_MS = 1000, END_NAP_US = 100, COMMIT_NAP_MS = 10, LEAK_WAIT_MS = 10000 };

/* ==== Starting ==== */

/* A second thread would not exist in the child, with whatever locks it held. */
static int thread_count(void) {
  DIR *tasks = opendir("/proc/self/task");
  int count = 0;
  if (!tasks) return 1;
  for (struct dirent *entry; (entry = readdir(tasks));) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

static void on_socket(uv_poll_t *poll, int status, int events);

/* Sent with the other frames of this turn of the loop. */
static void answer_worker(eva_desk_client *client, uint64_t number, const eva_reply *reply) {
  eva_put_answer(&((crew_member *)((char *)client - offsetof(crew_member, client)))->out, number, reply);
}

static void tell_worker(eva_desk_client *client, eva_text service, eva_text message) {
  eva_put_ask(&((crew_member *)((char *)client - offsetof(crew_member, client)))->out, EVA_FRAME_TELL, 0, service, message);
}

static void watch(crew_member *member, int writing) {
  member->is_writing = writing;
  uv_poll_start(member->poll, UV_READABLE | (writing ? UV_WRITABLE : 0), on_socket);
}

int crew_start(coordinator *c, crew_member *member, int slots) {
  int sockets[2];
  ledger_commit(c); /* no fork inside a transaction */
  while (!c->is_store_broken && eva_store_in_transaction(c->options->store)) { /* somebody reads, without WAL */
    uv_sleep(COMMIT_NAP_MS);
    ledger_commit(c);
  }
  if (c->is_store_broken) return -1;
  if (thread_count() != 1) {
    eva_error_set(c->error, EVA_E_STATE, NULL, "a second thread runs in this process; workers cannot be forked safely");
    return -1;
  }
  eva_worker_board *board;
  size_t board_size = sizeof(eva_worker_board) + (size_t)slots * sizeof board->running[0];
  board = mmap(NULL, board_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0) {
    if (board != MAP_FAILED) munmap(board, board_size);
    eva_error_set(c->error, EVA_E_IO, NULL, "cannot make the channel of a worker: %s", strerror(errno));
    return -1;
  }
  board->slots = slots;
  int64_t rss_base = c->options->rss_per_worker > 0 ? memory_resident(getpid()) : 0;
  fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) {
    eva_error_set(c->error, EVA_E_IO, NULL, "cannot start a worker: %s", strerror(errno));
    close(sockets[0]);
    close(sockets[1]);
    munmap(board, board_size);
    return -1;
  }
  if (pid == 0) eva_worker_main(sockets[1], board, c->options->program);
  close(sockets[1]);
  eva_buf in = member->in, out = member->out; /* memory of a predecessor is used again */
  assignment_list jobs = member->jobs;
  *member = (crew_member){.coordinator = c, .pid = pid, .socket = sockets[0], .slots = slots, .in = in, .out = out,
                          .jobs = jobs, .board = board, .board_size = board_size, .client = {.answer = answer_worker, .tell = tell_worker},
                          .rss_base = rss_base};
  eva_buf_clear(&member->in);
  eva_buf_clear(&member->out);
  member->jobs.count = 0;
  member->poll = eva_alloc(sizeof *member->poll);
  uv_poll_init(c->options->loop, member->poll, member->socket);
  member->poll->data = member;
  watch(member, 0);
  return 0;
}

/* ==== Talking ==== */

void crew_send(crew_member *member) {
  while (member->out_at < member->out.len) {
    ssize_t count =
        send(member->socket, member->out.data + member->out_at, member->out.len - member->out_at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) { /* no room, or it died: then its socket ends and we are told */
      if ((errno == EAGAIN || errno == EWOULDBLOCK) && !member->is_writing) watch(member, 1);
      return;
    }
    member->out_at += (size_t)count;
  }
  eva_buf_clear(&member->out);
  member->out_at = 0;
  if (member->is_writing) watch(member, 0);
}

void crew_order(crew_member *member, eva_frame_type type) {
  if (!member->pid) return;
  eva_frame_end(&member->out, eva_frame_begin(&member->out, type));
  crew_send(member);
}

/* Handles every complete frame; 0, or -1 when what came is no frame of ours. */
static int read_frames(crew_member *member) {
  coordinator *c = member->coordinator;
  size_t at = 0;
  int64_t size;
  eva_frame_type type;
  eva_cursor payload;
  while ((size = eva_frame_next(&member->in, at, &type, &payload)) > 0) {
    at += (size_t)size;
    if (type == EVA_FRAME_RESULT) coordinator_result(c, member, &payload);
    if (type == EVA_FRAME_DRAINED) member->is_drained = 1;
    if (type == EVA_FRAME_DOING) sight_doing(c, &payload);
    if (type == EVA_FRAME_ASK || type == EVA_FRAME_TELL || type == EVA_FRAME_NOTE || type == EVA_FRAME_CLOSE) {
      if (!c->options->desk || !eva_desk_receive(c->options->desk, &member->client, type, &payload)) return -1;
    }
    if (type == EVA_FRAME_FATAL) {
      int is_script = eva_get_u8(&payload);
      eva_text why = eva_get_text(&payload);
      if (is_script) coordinator_script_error(c, why);
      else coordinator_break(c, "a worker could not go on: %.*s", (int)why.len, why.data ? why.data : "");
    }
  }
  memmove(member->in.data, member->in.data + at, member->in.len - at);
  member->in.len -= at;
  return size < 0 ? -1 : 0;
}

static void free_poll(uv_handle_t *handle) { free(handle); }

static void close_socket(crew_member *member) {
  uv_close((uv_handle_t *)member->poll, free_poll);
  member->poll = NULL;
  close(member->socket);
}

/* A worker that a sanitizer has stopped ends the run, whatever it was about. */
static void heed_sanitizer(int status) {
  if (!EVA_SANITIZED || !WIFEXITED(status) || WEXITSTATUS(status) != EVA_SANITIZER_EXIT) return;
  fputs("evalua: error: a sanitizer has stopped a worker; its report is above\n", stderr);
  _exit(EVA_SANITIZER_EXIT);
}

/* Its socket has ended: reap it and let the coordinator decide what becomes of its jobs. */
static void bury(crew_member *member) {
  coordinator *c = member->coordinator;
  int status = 0;
  close_socket(member);
  kill(member->pid, SIGKILL); /* it may have closed its socket and live on */
  while (waitpid(member->pid, &status, 0) < 0 && errno == EINTR) continue;
  heed_sanitizer(status);
  member->pid = 0;
  eva_desk_leave(&member->client);
  coordinator_lost(c, member, status);
  munmap(member->board, member->board_size);
  member->board = NULL;
}

static void on_socket(uv_poll_t *poll, int status, int events) {
  crew_member *member = poll->data;
  if (status >= 0 && (events & UV_WRITABLE)) crew_send(member);
  if (status >= 0 && !(events & UV_READABLE)) return;
  for (;;) {
    eva_buf_reserve(&member->in, READ_SIZE);
    ssize_t count = recv(member->socket, member->in.data + member->in.len, READ_SIZE, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && status >= 0) return;
    if (count <= 0) break;
    member->in.len += (size_t)count;
    if (read_frames(member) != 0) break;
    /* After an error (it died with jobs unread) libuv does not watch any more: read what is left, now. */
    if (status >= 0) return;
  }
  uv_poll_stop(poll);
  member->is_drained = 1;
  if (member->pid) bury(member);
}

/* ==== Ending ==== */

/* Processes that our workers' commands left behind are our children now (we are their subreaper): none may stay. */
static void kill_strays(void) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  for (int round = 0; round < 100; round++) {
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[len] = 0;
    int killed = 0;
    char *at = text;
    for (;;) {
      char *end;
      long pid = strtol(at, &end, 10);
      if (pid <= 0 || *end != ' ') break; /* the end, or a number that the buffer cut */
      at = end;
      if (eva_process_is_live((pid_t)pid) || kill((pid_t)pid, SIGKILL) != 0) continue;
      while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR) continue;
      killed++;
    }
    if (!killed) return;
  }
}

/* Waits for a worker that was asked to end, insists after END_WAIT_MS. */
static void wait_for(crew_member *member) {
  const struct timespec nap = {0, END_NAP_US * 1000};
  int status = 0;
  for (int naps = 0; waitpid(member->pid, &status, WNOHANG) == 0; naps++) {
    if (naps == END_WAIT_MS * 1000 / END_NAP_US) kill(member->pid, SIGKILL);
    nanosleep(&nap, NULL);
  }
  heed_sanitizer(status);
}

/* With a sanitizer, workers that have nothing to do leave by themselves first: a signal handler cannot look for leaks. */
static void let_idle_leave(coordinator *c) {
  for (int index = 0; index < c->crew_size; index++) {
    if (c->crew[index].pid && c->crew[index].jobs.count == 0) crew_order(&c->crew[index], EVA_FRAME_STOP);
  }
  for (int index = 0; index < c->crew_size; index++) {
    crew_member *member = &c->crew[index];
    siginfo_t ended = {0};
    for (int naps = 0; member->pid && member->jobs.count == 0 && !ended.si_pid && naps < LEAK_WAIT_MS; naps++) {
      if (waitid(P_PID, (id_t)member->pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) break;
      uv_sleep(1);
    }
  }
}

void crew_end_all(coordinator *c) {
  if (EVA_SANITIZED) let_idle_leave(c);
  for (int index = 0; index < c->crew_size; index++) { /* ends it at once, even in a loop, with all that it started */
    if (c->crew[index].pid) kill(c->crew[index].pid, SIGUSR2);
  }
  for (int index = 0; index < c->crew_size; index++) {
    crew_member *member = &c->crew[index];
    if (member->pid) {
      wait_for(member);
      member->pid = 0;
      eva_desk_leave(&member->client);
      close_socket(member);
      munmap(member->board, member->board_size);
    }
    eva_buf_free(&member->in);
    eva_buf_free(&member->out);
    free(member->jobs.all);
  }
  kill_strays();
}
