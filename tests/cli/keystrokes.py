"""Types keys to a program on a terminal: keystrokes.py KEYS PROGRAM ARGUMENT...

KEYS are separated by spaces; each is sent when the program has been quiet for a moment: a text with Python's escapes, or
@SIGNAL, which is sent to the program. Prints what it wrote, then a line `terminal: cooked` or `terminal: raw`."""
import os
import select
import signal
import sys
import termios
import time

from terminal import open_terminal

QUIET_S, LIMIT_S = 0.25, 30


def read_until_quiet(master):
    begin = time.monotonic()
    while time.monotonic() - begin < LIMIT_S:
        if not select.select([master], [], [], QUIET_S)[0]:
            return True
        try:
            written = os.read(master, 65536)
        except OSError:
            return False
        if not written:
            return False
        os.write(1, written)
    return False


keys, arguments = sys.argv[1].split(), sys.argv[2:]
master, slave = open_terminal()
child = os.fork()
if child == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in 0, 1, 2:
        os.dup2(slave, descriptor)
    os.close(master)
    os.execvp(arguments[0], arguments)
status = None
while status is None and keys:
    time.sleep(0.1)
    read_until_quiet(master)
    ended, found = os.waitpid(child, os.WNOHANG)
    if ended:
        status = found
        break
    key = keys.pop(0)
    if key.startswith("@"):
        os.kill(child, getattr(signal, key[1:]))
    else:
        os.write(master, key.encode().decode("unicode_escape").encode("latin-1"))
if status is None:
    read_until_quiet(master)
    status = os.waitpid(child, 0)[1]
flags = termios.tcgetattr(slave)[3]
is_cooked = flags & termios.ICANON and flags & termios.ECHO and flags & termios.ISIG
print("\nterminal: " + ("cooked" if is_cooked else "raw"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status) & 255)
