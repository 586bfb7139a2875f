#!/usr/bin/env python3
"""Runs a command on a terminal of its own, presses Ctrl-C at its prompt, and tells how that ended.

    interrupted_prompt.py PROMPT COMMAND...

Prints "echo on" or "echo off", as the terminal was left, and the signal that ended the command.
"""

import os
import pty
import select
import signal
import sys
import termios
import time


def echoes(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def wait_for(fd, what, seconds):
    seen, end = b"", time.monotonic() + seconds
    while what not in seen and time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            seen += os.read(fd, 1000)
    return what in seen


def main(prompt, *command):
    ours, theirs = pty.openpty()  # kept open here: the terminal outlives the command
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.alarm(20)
        os.login_tty(theirs) if hasattr(os, "login_tty") else pretend_login(theirs)
        os.execv(command[0], command)
    if not wait_for(ours, prompt.encode(), 10) or echoes(theirs):
        print("no silent prompt")
        return 1
    os.write(ours, b"\x03")
    _, status = os.waitpid(pid, 0)
    print(f"echo {'on' if echoes(theirs) else 'off'}, ended by {os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'itself'}")
    return 0


def pretend_login(fd):
    import fcntl

    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(fd, stream)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
