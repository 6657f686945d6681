/* Preloaded into the program by store_faults.bats: from a given write to the store's files on, writing fails, as on a
 * disk that is full, gone, or mounted read-only meanwhile. Root is not stopped by permissions, so nothing simpler does.
 *
 * EVALUA_FAULT_ERRNO   the number of the error (28 ENOSPC, 30 EROFS, 5 EIO)
 * EVALUA_FAULT_AFTER   writes that still succeed
 * EVALUA_FAULT_PATH    a part of the path of the files that are meant
 * EVALUA_FAULT_NETWORK 1: every file system looks like NFS */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <unistd.h>

static long writes;

static int is_store(int fd) {
  char link[64], path[4096];
  const char *part = getenv("EVALUA_FAULT_PATH");
  if (!part) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t len = readlink(link, path, sizeof path - 1);
  if (len <= 0) return 0;
  path[len] = 0;
  return strstr(path, part) != NULL;
}

static int fails(int fd) {
  const char *number = getenv("EVALUA_FAULT_ERRNO"), *after = getenv("EVALUA_FAULT_AFTER");
  if (!number || !after || !is_store(fd) || ++writes <= atol(after)) return 0;
  errno = atoi(number);
  return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
  return fails(fd) ? -1 : next(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

int ftruncate64(int fd, off64_t size) {
  static int (*next)(int, off64_t);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "ftruncate64");
  return fails(fd) ? -1 : next(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int statfs(const char *path, struct statfs *status) {
  static int (*next)(const char *, struct statfs *);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "statfs");
  int result = next(path, status);
  if (result == 0 && getenv("EVALUA_FAULT_NETWORK")) status->f_type = 0x6969;
  return result;
}
