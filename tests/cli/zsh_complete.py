"""Asks an interactive zsh on a terminal of its own to complete lines, as the Tab key would.

    zsh_complete.py LINES SETUP     SETUP is run first; prints for each line what its last word became
"""

import os
import pty
import select
import sys
import tempfile

WAIT = 20  # seconds for one line; the first reads the completion system
# The key ^T completes the line as typed, writes what it became into the fifo, and clears it.
PROBE = """
probe() { zle complete-word; print -r -- "$BUFFER" >$answers; BUFFER=; }
zle -N probe; bindkey '^T' probe; setopt no_beep no_list_ambiguous; print ready >$answers
"""


class Zsh:
    def __init__(self, folder, setup):
        fifo, rc = os.path.join(folder, "answers"), os.path.join(folder, ".zshrc")
        os.mkfifo(fifo)
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"PROMPT=\nanswers={fifo}\n{setup}\n{PROBE}")
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-d", "-i"], dict(os.environ, ZDOTDIR=folder))
        self.answers = os.open(fifo, os.O_RDWR)
        self.read = b""

    def answer(self):
        """The next line of the fifo; what goes to the terminal meanwhile is read and dropped."""
        while b"\n" not in self.read:
            ready, _, _ = select.select([self.answers, self.terminal], [], [], WAIT)
            if not ready:
                sys.exit("zsh does not answer")
            if self.terminal in ready:
                os.read(self.terminal, 65536)
            if self.answers in ready:
                self.read += os.read(self.answers, 65536)
        line, self.read = self.read.split(b"\n", 1)
        return line.decode()

    def complete(self, line):
        os.write(self.terminal, line.encode() + b"\x14")
        return self.answer()


def main(lines, setup):
    with tempfile.TemporaryDirectory() as folder:
        zsh = Zsh(folder, setup)
        zsh.answer()
        for line in open(lines, encoding="utf-8").read().splitlines():
            print(zsh.complete(line).rstrip().rsplit(" ", 1)[-1])
        os.write(zsh.terminal, b"\x04")


main(*sys.argv[1:])
