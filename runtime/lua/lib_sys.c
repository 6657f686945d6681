/* evalua.native.sys: the terminal, the clock, files and the process, as far as commands need them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secrets.h"
#include "base/stop.h"
#include "lua/call.h"
#include "lua/embedded.h"

#ifndef EVA_VERSION
#define EVA_VERSION "unknown"
#endif

static int push_errno(lua_State *L, const char *path) {
  eva_error error;
  int number = errno;
  eva_code code = number == ENOENT || number == ENOTDIR ? EVA_E_NOT_FOUND : number == EEXIST ? EVA_E_EXISTS : EVA_E_IO;
  eva_error_set(&error, code, path, "%s", strerror(number));
  return eva_push_error(L, &error);
}

/* A path as C wants it: no NUL inside. */
static const char *check_path(lua_State *L, int index) {
  size_t len;
  luaL_checktype(L, index, LUA_TSTRING);
  const char *path = lua_tolstring(L, index, &len);
  luaL_argcheck(L, strlen(path) == len, index, "a path cannot contain a NUL");
  return path;
}

static FILE *results; /* where stdout_write goes; NULL: stdout */

/* The descriptor that a script means by 1 is that of results. */
static int descriptor_of(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  return fd == STDOUT_FILENO && results ? fileno(results) : fd;
}

static int l_isatty(lua_State *L) {
  lua_pushboolean(L, isatty(descriptor_of(L)));
  return 1;
}

static int l_width(lua_State *L) {
  struct winsize size;
  if (ioctl(descriptor_of(L), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

static int l_now_ms(lua_State *L) {
  lua_pushinteger(L, eva_clock_wall_ms());
  return 1;
}

static int l_monotonic_ms(lua_State *L) {
  lua_pushnumber(L, (lua_Number)eva_clock_monotonic_ns() / 1e6);
  return 1;
}

static int l_wall_text(lua_State *L) {
  char text[EVA_TIME_TEXT_SIZE];
  lua_pushstring(L, eva_clock_format(luaL_checkinteger(L, 1), text));
  return 1;
}

static int l_cwd(lua_State *L) {
  char path[PATH_MAX];
  if (!getcwd(path, sizeof path)) return push_errno(L, ".");
  lua_pushstring(L, path);
  return 1;
}

static int l_realpath(lua_State *L) {
  char path[PATH_MAX];
  const char *given = check_path(L, 1);
  if (!realpath(given, path)) return push_errno(L, given);
  lua_pushstring(L, path);
  return 1;
}

static int l_exists(lua_State *L) {
  struct stat info;
  if (stat(check_path(L, 1), &info) != 0) return 0;
  lua_pushstring(L, S_ISDIR(info.st_mode) ? "directory" : "file");
  return 1;
}

/* stamp(path) -> a text that changes when the file does: size, time of change and inode; nil where there is no file */
static int l_stamp(lua_State *L) {
  struct stat info;
  if (stat(check_path(L, 1), &info) != 0 || S_ISDIR(info.st_mode)) return 0;
  char text[96];
  snprintf(text, sizeof text, "%lld %lld.%09ld %llu", (long long)info.st_size, (long long)info.st_mtim.tv_sec,
           info.st_mtim.tv_nsec, (unsigned long long)info.st_ino);
  lua_pushstring(L, text);
  return 1;
}

static int close_directory(lua_State *L) {
  DIR **directory = lua_touserdata(L, 1);
  if (*directory) closedir(*directory);
  *directory = NULL;
  return 0;
}

/* list(directory) -> names, sorted by nobody; "." and ".." are left out */
static int l_list(lua_State *L) {
  const char *path = check_path(L, 1);
  DIR **directory = lua_newuserdatauv(L, sizeof *directory, 0);
  *directory = NULL;
  if (luaL_newmetatable(L, "evalua.directory")) {
    lua_pushcfunction(L, close_directory);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  *directory = opendir(path);
  if (!*directory) return push_errno(L, path);
  lua_newtable(L);
  lua_Integer count = 0;
  for (struct dirent *entry; (entry = readdir(*directory));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++count);
  }
  closedir(*directory);
  *directory = NULL;
  return 1;
}

static int l_mkdir(lua_State *L) {
  const char *path = check_path(L, 1);
  struct stat info;
  if (mkdir(path, 0777) != 0 && !(errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))) {
    return push_errno(L, path);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* Reads fd to its end into buf; 0, or -1 with errno (EFBIG beyond the limit). */
static int read_all(int fd, size_t limit, eva_buf *buf) {
  for (;;) {
    eva_buf_reserve(buf, 65536);
    ssize_t count = read(fd, buf->data + buf->len, 65536);
    if (count < 0 && errno == EINTR && !eva_stop_asked) continue;
    if (count <= 0) return (int)count;
    buf->len += (size_t)count;
    if (buf->len > limit) {
      errno = EFBIG;
      return -1;
    }
  }
}

static int l_read_file(lua_State *L) {
  const char *path = check_path(L, 1);
  size_t limit = (size_t)luaL_optinteger(L, 2, (lua_Integer)1 << 40);
  eva_buf *buf = eva_push_buf(L);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return push_errno(L, path);
  int failed = read_all(fd, limit, buf), number = errno;
  close(fd);
  errno = number;
  if (failed) return push_errno(L, path);
  lua_pushlstring(L, buf->len ? buf->data : "", buf->len);
  return 1;
}

static int write_all(int fd, eva_text text) {
  for (size_t at = 0; at < text.len;) {
    ssize_t count = write(fd, text.data + at, text.len - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    at += (size_t)count;
  }
  return 0;
}

/* write_file(path, text): the file is replaced as a whole or not at all. */
static int l_write_file(lua_State *L) {
  const char *path = check_path(L, 1);
  eva_text text = eva_check_text(L, 2);
  struct stat info;
  int is_special = stat(path, &info) == 0 && !S_ISREG(info.st_mode); /* /dev/stdout, a pipe: written in place */
  const char *temporary = is_special ? path : lua_pushfstring(L, "%s.%d.tmp", path, (int)getpid());
  int fd = open(temporary, is_special ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return push_errno(L, path);
  int failed = write_all(fd, text), number = errno;
  if (close(fd) != 0 && !failed) failed = -1, number = errno;
  if (!is_special && !failed && rename(temporary, path) != 0) failed = -1, number = errno;
  if (failed) {
    if (!is_special) unlink(temporary);
    errno = number;
    return push_errno(L, path);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static int l_environ(lua_State *L) {
  const char *value = getenv(luaL_checkstring(L, 1));
  if (!value) return 0;
  lua_pushstring(L, value);
  return 1;
}

static int l_hostname(lua_State *L) {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  lua_pushstring(L, name);
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* failure: errno of the first time, kept */
static int write_stream(lua_State *L, FILE *stream, const char *name, int *failure) {
  eva_text text = eva_check_text(L, 1);
  eva_buf *clean = eva_push_buf(L);
  if (eva_secrets_redact(text, clean)) text = eva_buf_text(clean);
  if (fwrite(text.data, 1, text.len, stream) != text.len || fflush(stream) != 0) {
    if (!*failure) *failure = errno;
    return push_errno(L, name);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* claim_stdout(): from here on stdout carries what stdout_write writes and nothing else. What scripts print or write to
 * their stdout goes to stderr. */
static int l_claim_stdout(lua_State *L) {
  if (results) return 0;
  fflush(stdout);
  int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  FILE *stream = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!stream || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return push_errno(L, "stdout");
  setvbuf(stdout, NULL, _IOLBF, 0);
  results = stream;
  eva_vm_of(L)->is_stdout_claimed = 1;
  return 0;
}

static int l_stdout_write(lua_State *L) {
  return write_stream(L, results ? results : stdout, "stdout", &eva_vm_of(L)->stdout_failure);
}

static int l_stderr_write(lua_State *L) {
  int failure = 0;
  return write_stream(L, stderr, "stderr", &failure);
}

static int l_version(lua_State *L) {
  lua_pushliteral(L, EVA_VERSION);
  return 1;
}

static int l_cores(lua_State *L) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  lua_pushinteger(L, count > 0 ? count : 1);
  return 1;
}

/* embedded(path) -> the text of a file that is built in, by its path in the source tree */
static int l_embedded(lua_State *L) {
  const eva_embedded_file *file = eva_embedded_find(luaL_checkstring(L, 1));
  if (!file) return 0;
  lua_pushlstring(L, file->text, file->len);
  return 1;
}

/* embedded_list(directory) -> the names of the files that are built in right below it, sorted */
static int l_embedded_list(lua_State *L) {
  size_t len;
  const char *directory = luaL_checklstring(L, 1, &len);
  lua_newtable(L);
  lua_Integer count = 0;
  for (const eva_embedded_file *file = eva_embedded_files; file->path; file++) {
    if (strncmp(file->path, directory, len) != 0 || file->path[len] != '/') continue;
    const char *name = file->path + len + 1;
    if (strchr(name, '/')) continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

static const luaL_Reg MODULE[] = {
    {"claim_stdout", l_claim_stdout},
    {"cores", l_cores},
    {"cwd", l_cwd},
    {"embedded", l_embedded},
    {"embedded_list", l_embedded_list},
    {"environ", l_environ},
    {"exists", l_exists},
    {"hostname", l_hostname},
    {"isatty", l_isatty},
    {"list", l_list},
    {"mkdir", l_mkdir},
    {"monotonic_ms", l_monotonic_ms},
    {"now_ms", l_now_ms},
    {"pid", l_pid},
    {"read_file", l_read_file},
    {"realpath", l_realpath},
    {"stamp", l_stamp},
    {"stderr_write", l_stderr_write},
    {"stdout_write", l_stdout_write},
    {"version", l_version},
    {"wall_text", l_wall_text},
    {"width", l_width},
    {"write_file", l_write_file},
    {NULL, NULL},
};

int luaopen_evalua_native_sys(lua_State *L) {
  luaL_newlib(L, MODULE);
  return 1;
}
