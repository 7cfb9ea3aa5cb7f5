"""A process that sets a password, and sends itself SIGSTOP in between.

    with Sleeper() as sleeper:
        lines = sleeper.lines(job)          # their number between confirm and settle
        sleeper.fall_asleep(job, 17)        # at the 17th of them; returns once it sleeps
        ...                                 # other processes act
        assert sleeper.wake() == "ConflictError"

A job is the input of `redis_acl`: the table `target`, the fields, and a file that names the owner
of the rotation. As in the engine, `confirm` compares it with its first content, and `settle` undoes
the change if it differs.

It stops at a line of Python, not after a time, so that each run of a test can be repeated. Run as a
program, this module is the process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


class Sleeper:
    """See the module's docstring."""

    def __enter__(self) -> Sleeper:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def lines(self, job: dict) -> int:
        """Do a job without stopping, and return the number of lines to stop at."""
        self._send(job, 0)
        ended, lines = self._process.stdout.readline().split()
        assert ended == "done"
        return int(lines)

    def fall_asleep(self, job: dict, line: int) -> None:
        """Do a job up to a line, at most until it settles."""
        self._send(job, line)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the process did not sleep"

    def wake(self) -> str:
        """Let the process continue; return how it ended: `done`, or the name of an exception."""
        os.kill(self._process.pid, signal.SIGCONT)
        return self._process.stdout.readline().split()[0]

    def _send(self, job: dict, line: int) -> None:
        self._process.stdin.write(f"{json.dumps({**job, 'line': line})}\n")
        self._process.stdin.flush()


class _Pause:
    """Counts the lines from `confirm` to `settle`, and stops the process at one of them."""

    def __init__(self, line: int) -> None:
        self.line, self.seen, self.over = line, 0, not line

    def begin(self) -> None:
        frame = sys._getframe()
        while frame is not None:  # including those on the stack
            frame.f_trace = self._trace
            frame = frame.f_back
        sys.settrace(self._trace)

    def end(self) -> None:
        sys.settrace(None)
        if not self.over:
            self._sleep()

    def _trace(self, _frame: object, event: str, _argument: object) -> object:
        if event == "line":
            self.seen += 1
            if self.seen == self.line:
                self._sleep()
        return self._trace

    def _sleep(self) -> None:
        self.over = True
        os.kill(os.getpid(), signal.SIGSTOP)


def _work(job: dict) -> str:
    from envkit._internal.clock import Deadline
    from envkit.errors import ConflictError
    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation.rotators.redis_acl import RedisRotator
    from envkit.secret import Secret

    pause, state = _Pause(job["line"]), Path(job["state"])
    mine = state.read_text()

    def confirm() -> None:
        if state.read_text() != mine:
            raise ConflictError("another process has advanced")
        pause.begin()

    def settle(_fields: object, take_back: object) -> None:
        pause.end()
        if state.read_text() != mine:
            take_back()
            raise ConflictError("another process has advanced")

    old, new = ({"url": Secret(job[name])} for name in ("old", "new"))
    context = RotatorContext(
        rotation="test/rotation",
        target=job["target"],
        generate={},
        strategy="alternate",
        fields=("url",),
        deadline=Deadline(30),
        confirm=confirm,
        settle=settle,
    )
    try:
        RedisRotator(context).set(old, new, {})
    except ConflictError as error:
        return f"{type(error).__name__} {pause.seen}"
    return f"done {pause.seen}"


if __name__ == "__main__":
    for text in sys.stdin:
        sys.stdout.write(f"{_work(json.loads(text))}\n")
        sys.stdout.flush()
