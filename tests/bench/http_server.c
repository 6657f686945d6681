/* The yardstick's server: answers every HTTP/1.1 request after a fixed time, from one thread on epoll, so that a bench
 * measures the client. usage: http_server DELAY_MS
 * Prints {"port":N} when it listens on 127.0.0.1, and ends with its parent. The body of an answer is {"output":"ok"}. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 65536, INPUT_MAX = 8192, EVENTS = 512 };

static const char ANSWER[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"output\":\"ok\"}";

typedef struct connection {
  char input[INPUT_MAX];
  size_t len;
  unsigned generation; /* of the descriptor's number: an answer that is due may find another client there */
} connection;

typedef struct due {
  uint64_t at_ns;
  int fd;
  unsigned generation;
} due;

static connection *connections[FDS_MAX];
static unsigned generations[FDS_MAX];
static due queue[FDS_MAX]; /* in order of time, as the delay is one; a ring */
static size_t queue_first, queue_len;
static uint64_t delay_ns;
static int events_fd;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void drop(int fd) {
  free(connections[fd]);
  connections[fd] = NULL;
  generations[fd]++;
  close(fd);
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= FDS_MAX || !(connections[fd] = malloc(sizeof *connections[fd]))) {
      close(fd);
      continue;
    }
    connections[fd]->len = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(events_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

/* Bytes of the first complete request in the input, 0 if there is none. */
static size_t request_length(const connection *c) {
  const char *end = memmem(c->input, c->len, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = (size_t)(end - c->input) + 4, body = 0;
  for (const char *at = c->input; at < end; at++) {
    if (*at == '\n' && strncasecmp(at + 1, "content-length:", 15) == 0) body = strtoul(at + 16, NULL, 10);
  }
  return c->len >= head + body ? head + body : 0;
}

static void read_from(int fd) {
  connection *c = connections[fd];
  ssize_t got = read(fd, c->input + c->len, INPUT_MAX - c->len);
  if (got <= 0) {
    if (got == 0 || errno != EAGAIN) drop(fd);
    return;
  }
  c->len += (size_t)got;
  for (size_t used; (used = request_length(c)) > 0;) {
    memmove(c->input, c->input + used, c->len - used);
    c->len -= used;
    queue[(queue_first + queue_len++) % FDS_MAX] = (due){now_ns() + delay_ns, fd, generations[fd]};
  }
  if (c->len == INPUT_MAX) drop(fd);
}

/* Answers what is due; milliseconds until the next is, -1 for none. */
static int answer_due(void) {
  uint64_t now = now_ns();
  while (queue_len > 0 && queue[queue_first].at_ns <= now) {
    due next = queue[queue_first];
    queue_first = (queue_first + 1) % FDS_MAX;
    queue_len--;
    if (connections[next.fd] && generations[next.fd] == next.generation &&
        write(next.fd, ANSWER, sizeof ANSWER - 1) != (ssize_t)sizeof ANSWER - 1) {
      drop(next.fd);
    }
  }
  return queue_len == 0 ? -1 : (int)((queue[queue_first].at_ns - now) / 1000000);
}

static int listen_on(struct sockaddr_in *address) {
  socklen_t len = sizeof *address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (listener < 0 || bind(listener, (struct sockaddr *)address, len) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)address, &len) != 0) {
    perror("http_server");
    exit(1);
  }
  return listener;
}

int main(int count, char **arguments) {
  struct sockaddr_in address;
  struct rlimit files;
  if (count != 2) {
    fprintf(stderr, "usage: http_server DELAY_MS\n");
    return 2;
  }
  delay_ns = strtoull(arguments[1], NULL, 10) * 1000000;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = listen_on(&address);
  events_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[EVENTS];
  epoll_ctl(events_fd, EPOLL_CTL_ADD, listener, &event);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int found = epoll_wait(events_fd, ready, EVENTS, answer_due());
    for (int i = 0; i < found; i++) {
      if (ready[i].data.fd == listener) accept_all(listener);
      else if (connections[ready[i].data.fd]) read_from(ready[i].data.fd);
    }
  }
}
