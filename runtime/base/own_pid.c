/* The id of this process, kept in a page that reads 0 in a forked child; see own_pid.h. */
#include "base/own_pid.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static pid_t *noted; /* NULL where the system has no such pages */

void eva_own_pid_note(void) {
  if (!noted) {
    void *page = mmap(NULL, sizeof *noted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    if (madvise(page, sizeof *noted, MADV_WIPEONFORK) != 0) {
      munmap(page, sizeof *noted);
      return;
    }
    noted = page;
  }
  *noted = getpid();
}

pid_t eva_own_pid(void) { return noted && *noted ? *noted : getpid(); }
