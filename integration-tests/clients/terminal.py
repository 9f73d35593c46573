"""Runs a program on a pseudo-terminal and copies what it shows, until standard input ends; then sends SIGTERM.

Exits with the program's exit code.
"""

import os
import pty
import select
import signal
import sys


def main() -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    standard_input = sys.stdin.fileno()
    watched = [terminal, standard_input]
    while terminal in watched:
        readable, _, _ = select.select(watched, [], [])
        if standard_input in readable and not os.read(standard_input, 4096):
            watched.remove(standard_input)
            os.kill(child, signal.SIGTERM)
        if terminal in readable:
            try:
                shown = os.read(terminal, 4096)
            except OSError:  # how Linux says that the other side is closed
                shown = b""
            if shown:
                os.write(sys.stdout.fileno(), shown)
            else:
                watched.remove(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
