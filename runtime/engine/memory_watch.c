/* Watches what worker processes hold in memory: what Lua's own limit does not see (buffers of C, libraries). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/coordinator_private.h"

enum { WATCH_MS = 500 };

int64_t memory_resident(pid_t pid) {
  char path[64], text[200];
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "re");
  size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[len] = 0;
  const char *resident = strchr(text, ' '); /* the second number, in pages */
  return resident ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

void memory_watch(coordinator *c, uint64_t now) {
  int64_t limit = c->options->rss_per_worker;
  if (limit <= 0 || now < c->watched_ns + (uint64_t)WATCH_MS * 1000000) return;
  c->watched_ns = now;
  for (int index = 0; index < c->crew_size; index++) {
    crew_member *member = &c->crew[index];
    if (!member->pid || member->stuck_on || member->rss_over) continue;
    int64_t grown = memory_resident(member->pid) - member->rss_base;
    if (grown <= limit) continue;
    member->rss_over = grown;
    kill(member->pid, SIGKILL);
  }
}
