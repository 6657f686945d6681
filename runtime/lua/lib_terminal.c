/* evalua.native.terminal: single keys and lines from the terminal. It is in raw mode only while a key is waited for, and
 * what ends the process meanwhile (a signal, a crash) first puts it back as it was. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "data/utf8.h"
#include "lua/call.h"
#include "lua/interrupt.h"
#include "lua/vm.h"

enum {
  LINE_BYTES_MAX = 64 * 1024, /* of a typed line */
  ESCAPE_WAIT_MS = 50,        /* after ESC: the rest of the sequence of a function key comes at once */
  KEY_BYTES_MAX = 32
};

static const int ENDING[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { ENDINGS = sizeof ENDING / sizeof *ENDING };

static struct termios cooked;
static struct sigaction before[ENDINGS];
static volatile sig_atomic_t is_raw;

static void restore(void) {
  if (!is_raw) return;
  is_raw = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

static void on_ending(int number) {
  int saved = errno;
  restore();
  for (int index = 0; index < ENDINGS; index++) sigaction(ENDING[index], &before[index], NULL);
  raise(number);
  errno = saved;
}

static void make_cooked(void) {
  restore();
  for (int index = 0; index < ENDINGS; index++) sigaction(ENDING[index], &before[index], NULL);
}

/* 0, or -1 with errno; then nothing has changed. */
static int make_raw(void) {
  if (tcgetattr(STDIN_FILENO, &cooked) != 0) return -1;
  struct termios raw = cooked;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
  raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  struct sigaction ending = {.sa_handler = on_ending};
  sigemptyset(&ending.sa_mask);
  for (int index = 0; index < ENDINGS; index++) sigaction(ENDING[index], &ending, &before[index]);
  is_raw = 1;
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) return 0;
  int number = errno;
  make_cooked();
  errno = number;
  return -1;
}

/* One byte: 1, 0 at the end, -1 with errno. */
static ssize_t read_byte(unsigned char *byte) {
  ssize_t got;
  do {
    got = read(STDIN_FILENO, byte, 1);
  } while (got < 0 && errno == EINTR && !eva_interrupt_came());
  return got;
}

static int is_more_soon(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&input, 1, ESCAPE_WAIT_MS) == 1;
}

/* What follows ESC: an arrow, or another sequence, which is read to its end and means nothing. */
static const char *read_sequence(void) {
  unsigned char byte = 0;
  if (!is_more_soon() || read_byte(&byte) != 1) return "escape";
  if (byte != '[' && byte != 'O') return "other";
  for (int count = 0; count < KEY_BYTES_MAX && is_more_soon() && read_byte(&byte) == 1; count++) {
    if (byte < 0x40 || byte > 0x7e) continue;
    switch (byte) {
      case 'A': return "up";
      case 'B': return "down";
      case 'C': return "right";
      case 'D': return "left";
      default: return "other";
    }
  }
  return "other";
}

static const char *control_name(unsigned char byte) {
  switch (byte) {
    case '\r':
    case '\n': return "enter";
    case '\t': return "tab";
    case 8:
    case 127: return "backspace";
    case 3: return "ctrl-c";
    case 4: return "ctrl-d";
    case 26: return "ctrl-z";
    case 27: return read_sequence();
    default: return "other";
  }
}

/* The key that was pressed, its name or its character, in `key`; 0 at the end of input, -1 with errno. */
static int read_key(char key[KEY_BYTES_MAX]) {
  unsigned char byte = 0;
  ssize_t got = read_byte(&byte);
  if (got <= 0) return (int)got;
  if (byte < 0x20 || byte == 127) {
    snprintf(key, KEY_BYTES_MAX, "%s", control_name(byte));
    return 1;
  }
  size_t size = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2, len = 0;
  key[len++] = (char)byte;
  while (len < size && is_more_soon() && read_byte(&byte) == 1) key[len++] = (char)byte;
  key[len] = '\0';
  if (!eva_utf8_valid(key, len)) snprintf(key, KEY_BYTES_MAX, "other");
  return 1;
}

/* key() -> a character, or enter tab backspace escape up down left right ctrl-c ctrl-d other; nil at the end of input;
 * nil, message where stdin is no terminal. Ctrl-Z stops the program as usual; then the key is "redraw". */
static int l_key(lua_State *L) {
  char key[KEY_BYTES_MAX] = "";
  if (make_raw() != 0) {
    lua_pushnil(L);
    lua_pushfstring(L, "stdin is no terminal: %s", strerror(errno));
    return 2;
  }
  int got = read_key(key);
  make_cooked();
  if (got <= 0) return 0;
  if (strcmp(key, "ctrl-z") == 0) {
    raise(SIGTSTP);
    snprintf(key, sizeof key, "redraw");
  }
  lua_pushstring(L, key);
  return 1;
}

/* line() -> what was typed up to Enter, without it; nil at the end of input. The terminal does the editing. */
static int l_line(lua_State *L) {
  char line[LINE_BYTES_MAX];
  size_t len = 0;
  unsigned char byte = 0;
  ssize_t got = 0;
  while (len < sizeof line && (got = read_byte(&byte)) == 1 && byte != '\n') line[len++] = (char)byte;
  if (got <= 0 && len == 0) return 0;
  lua_pushlstring(L, line, len);
  return 1;
}

static const luaL_Reg MODULE[] = {{"key", l_key}, {"line", l_line}, {NULL, NULL}};

int luaopen_evalua_native_terminal(lua_State *L) {
  luaL_newlib(L, MODULE);
  return 1;
}
