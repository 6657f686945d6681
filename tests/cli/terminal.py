"""Runs a program on a terminal and prints what it wrote there: terminal.py [--columns N] PROGRAM ARGUMENT...

Where /dev/pts is not mounted (a bare chroot) the terminal comes from a devpts of its own, which root can mount."""
import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import termios

UNLOCK, PEER = 0x40045431, 0x5441  # TIOCSPTLCK, TIOCGPTPEER


def open_terminal():
    try:
        return os.openpty()
    except OSError:
        place = tempfile.mkdtemp()
        subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", place], check=True)
        try:
            master = os.open(place + "/ptmx", os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(master, UNLOCK, b"\0\0\0\0")
            return master, fcntl.ioctl(master, PEER, os.O_RDWR | os.O_NOCTTY)
        finally:
            subprocess.run(["umount", "-l", place], check=True)
            os.rmdir(place)


def main():
    arguments = sys.argv[1:]
    master, slave = open_terminal()
    if arguments[0] == "--columns":
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, int(arguments[1]), 0, 0))
        arguments = arguments[2:]
    child = os.fork()
    if child == 0:
        for descriptor in 0, 1, 2:
            os.dup2(slave, descriptor)
        os.close(master)
        os.execvp(arguments[0], arguments)
    os.close(slave)
    while True:
        try:
            written = os.read(master, 65536)
        except OSError:
            break
        if not written:
            break
        os.write(1, written)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
