"""A person at a terminal: an interactive shell with job control on a pseudo-terminal.

    with TerminalSession() as person:
        person.types("sleep 9\\n")
        person.types(CTRL_Z)
        person.sees("Stopped")

What is typed is not shown again. The prompt is PROMPT.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time

from support.supervised import PATIENCE_SECONDS, wait_until
from support.terminal import _IN_TERMINAL

CTRL_C, CTRL_Z, CTRL_BACKSLASH, CTRL_D = "\x03", "\x1a", "\x1c", "\x04"
PROMPT = "<prompt>"


class TerminalSession:
    """See the module's docstring.

    Args:
        variables: to add to the environment.
    """

    def __init__(self, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self._shown = b""
        environ = {**os.environ, "TERM": "xterm", "PS1": "", "HISTFILE": "", **variables}
        self.shell = subprocess.Popen(
            [*_IN_TERMINAL, "/bin/bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=theirs,
            env=environ,
        )
        os.close(theirs)
        self.types("stty -echo; PS1='<pro''mpt>'; LINES=24 COLUMNS=80\n")
        self.sees(PROMPT)

    def __enter__(self) -> TerminalSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        if self.shell.poll() is None:
            self.shell.kill()
        self.shell.wait()

    def hang_up(self) -> None:
        """Close the terminal."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def types(self, text: str) -> None:
        """Type a text, without waiting for anything."""
        os.write(self._ours, text.encode())

    def sees(self, text: str) -> str:
        """Wait until the terminal shows a text; return all that it has shown since the last."""
        wanted, end = text.encode(), time.monotonic() + PATIENCE_SECONDS
        while wanted not in self._shown:
            ready = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, f"the terminal does not show {text!r}, but {self._shown!r}"
            self._shown += os.read(self._ours, 65536)
        before, _, self._shown = self._shown.partition(wanted)
        return (before + wanted).decode().replace("\r\n", "\n")


def state_of(pid: int) -> str:
    """Return the state of a process as one letter: `T` if it is stopped; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def wait_for_state(pid: int, states: str) -> None:
    """Wait until a process is in one of these states."""
    wait_until(lambda: state_of(pid) in states, f"{pid} does not become {states}")


def send(pid: int, number: int) -> None:
    """Send a signal, as `kill` does; a negative id means a group."""
    os.kill(pid, signal.Signals(number))
