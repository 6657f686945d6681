/* Starts the VM and hands the arguments to scripts/<command>.lua; its result is the exit code. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sanitizer.h"
#include "base/secrets.h"
#include "lua/call.h"
#include "lua/embedded.h"
#include "lua/interrupt.h"

#if EVA_SANITIZED /* whatever the environment says: no report passes for an ordinary failure */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void) { return "exitcode=99:detect_leaks=1"; }
const char *__ubsan_default_options(void) { return "exitcode=99:print_stacktrace=1"; }
#endif

enum { PATH_SIZE = 4096, COMMAND_NAME_MAX = 64 };

static const eva_embedded_file *embedded_command(const char *name) {
  char path[COMMAND_NAME_MAX + 16];
  snprintf(path, sizeof path, "scripts/%s.lua", name);
  return eva_embedded_find(path);
}

static int is_command_name(const char *name) {
  size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
  return len > 0 && len <= COMMAND_NAME_MAX && name[len] == 0 && name[0] != '-';
}

/* .evalua/commands/NAME.lua of the current directory or the nearest one above it, into path. */
static int own_command(const char *name, char *path, size_t size) {
  char directory[PATH_SIZE / 2];
  if (!getcwd(directory, sizeof directory)) return 0;
  for (;;) {
    snprintf(path, size, "%s/.evalua/commands/%s.lua", directory, name);
    if (access(path, R_OK) == 0) return 1;
    char *slash = strrchr(directory, '/');
    if (!slash) return 0;
    *slash = 0;
  }
}

typedef struct command_line {
  int argument_count;
  char **arguments;
  const eva_embedded_file *file;
  const char *path; /* of a command of the project's own; NULL otherwise */
  const char *unknown;
  int exit_code;
} command_line;

/* Runs the command's chunk. Stack: light userdata. */
static int run_command(lua_State *L) {
  command_line *line = lua_touserdata(L, 1);
  int loaded;
  if (line->path) {
    loaded = luaL_loadfilex(L, line->path, "t");
  } else {
    loaded = eva_vm_load(L, line->file);
  }
  if (loaded != LUA_OK) return lua_error(L);
  int base = lua_gettop(L) - 1;
  if (line->unknown) {
    lua_pushliteral(L, "--unknown");
    lua_pushstring(L, line->unknown);
  }
  luaL_checkstack(L, line->argument_count + 2, "too many arguments");
  for (int index = 0; index < line->argument_count; index++) lua_pushstring(L, line->arguments[index]);
  lua_call(L, lua_gettop(L) - base - 1, 1);
  if (lua_isnil(L, -1)) return 0;
  int is_whole;
  lua_Integer code = lua_tointegerx(L, -1, &is_whole);
  if (!is_whole || code < 0 || code > 255) {
    return luaL_error(L, "%s: a command returns its exit code, a whole number from 0 to 255",
                      line->path ? line->path : line->file->path);
  }
  line->exit_code = (int)code;
  return 0;
}

static void choose_command(int argc, char **argv, command_line *line, char *path, size_t size) {
  const char *name = argc > 1 ? argv[1] : "help";
  int skipped = 2;
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  line->argument_count = argc > skipped ? argc - skipped : 0;
  line->arguments = argv + skipped;
  if (is_command_name(name)) {
    line->file = embedded_command(name);
    if (!line->file && own_command(name, path, size)) line->path = path;
  }
  if (!line->file && !line->path) {
    line->unknown = name;
    line->file = embedded_command("help");
    line->argument_count = 0;
  }
}

/* A closed standard descriptor would be taken by the first file that is opened. */
static void open_standard_descriptors(void) {
  int fd;
  while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO) continue;
  if (fd > STDERR_FILENO) close(fd);
}

static void print_failure(const char *message, size_t len) {
  fflush(stdout);
  fputs("evalua: ", stderr);
  eva_log_text(message, len);
  fputc('\n', stderr);
}

/* True where the other end of a pipe is gone: a reader that leaves (`| head`) is no failure. */
static int has_reader_left(void) {
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* Nothing that was printed is lost silently: what could not be written makes a success incomplete. failure: errno of a
 * result that could not; is_claimed: what scripts printed went to stderr. */
static int finish_stdout(int failure, int is_claimed, int exit_code) {
  int is_lost = fflush(stdout) != 0 || ferror(stdout);
  if (exit_code != EVA_EXIT_OK || failure == EPIPE) return exit_code;
  if (!failure && (!is_lost || is_claimed || has_reader_left())) return exit_code;
  fprintf(stderr, "evalua: stdout: %s\n", failure ? strerror(failure) : "not all that was printed could be written");
  return EVA_EXIT_INCOMPLETE;
}

int main(int argc, char **argv) {
  eva_error error;
  open_standard_descriptors();
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write */
  signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
  eva_secrets_scan(environ);
  eva_vm *vm = eva_vm_open(&error);
  if (!vm) {
    fprintf(stderr, "evalua: %s\n", error.message);
    return EVA_EXIT_INCOMPLETE;
  }
  vm->program = argv[0];
  eva_interrupt_start(vm);
  char path[PATH_SIZE];
  command_line line = {0};
  choose_command(argc, argv, &line, path, sizeof path);
  int exit_code;
  if (eva_call_protected(vm, run_command, &line, &error) == EVA_OK) {
    exit_code = line.exit_code;
  } else {
    exit_code = vm->error_exit;
    if (eva_interrupt_came()) {
      /* told below */
    } else if (vm->error_text) {
      print_failure(vm->error_text, vm->error_len);
    } else {
      print_failure(error.message, strlen(error.message));
    }
  }
  if (eva_interrupt_came()) { /* whatever the script made of it */
    exit_code = INTERRUPT_EXIT;
    print_failure(eva_interrupt_text(), strlen(eva_interrupt_text()));
  }
  eva_interrupt_stop(vm);
  int failure = vm->stdout_failure, is_claimed = vm->is_stdout_claimed;
  eva_vm_close(vm);
  return finish_stdout(failure, is_claimed, exit_code);
}
