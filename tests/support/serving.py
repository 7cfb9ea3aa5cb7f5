"""`envkit rotate serve`, or another program that runs until it is stopped, in a test.

    with Serving(project, "rotate", "serve", "--listen", "127.0.0.1:0") as serving:
        serving.wait_for("rotated")
        assert serving.stop() == 0

Its output is read continuously. It is always ended by its pid.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from support.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

LONG_SECONDS = 60
# one condition for all, so that a test can wait for the output of any of them
_PRINTED = threading.Condition()


class Serving:
    """A process that runs until it is stopped.

    Args:
        project: its working folder.
        args: of envkit; with `program`, of that.
        env: what to add to PATH, HOME and LANG.
        program: the program to run instead of `python -m envkit`.
    """

    def __init__(self, project, *args: str, env: Mapping[str, str] = {}, program=()) -> None:
        command = [*(program or (sys.executable, "-m", "envkit")), *args]
        home = project.root / "home"
        home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            command,
            cwd=project.root,
            env={**environment(home), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        """Its complete output so far."""
        return "".join(self.lines)

    def wait_for(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """Wait until its output matches; return the last match."""
        return self.wait(lambda: self._matches(pattern, times), pattern)

    def wait(self, condition: Callable[[], object], what: str):
        """Wait until a condition is true; check it after each line of output; return its value."""
        with _PRINTED:
            _PRINTED.wait_for(lambda: condition() or self._ended, timeout=LONG_SECONDS)
            found = condition()
        assert found, f"{what!r} did not come; it has printed:\n{self.text}"
        return found

    def get(self, path: str) -> tuple[int, str]:
        """Send a request to its endpoint; reads the port from its output."""
        port = self.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def send_and_wait_until_heard(self, number: int) -> None:
        """Send a signal of which a second one would end it at once."""
        self.send(number)
        deadline = time.monotonic() + LONG_SECONDS
        while self._catches(number):
            assert time.monotonic() < deadline, f"signal {number} was not heard:\n{self.text}"
            time.sleep(0.005)

    def _catches(self, number: int) -> bool:
        status = Path(f"/proc/{self.pid}/status").read_text()
        caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[1], 16)
        return bool(caught >> (number - 1) & 1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it, and return its exit status after its whole output was read."""
        self.send(number)
        return self.wait_until_ended()

    def wait_until_ended(self) -> int:
        status = self.process.wait(LONG_SECONDS)
        self._reader.join(LONG_SECONDS)
        return status

    def kill(self) -> None:
        """Kill it as a crash would; its child processes continue."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if not self._reader.is_alive():  # otherwise its child processes have its output open
            self.process.stdout.close()

    def _matches(self, pattern: str, times: int) -> re.Match[str] | None:
        found = list(re.finditer(pattern, self.text))
        return found[-1] if len(found) >= times else None

    def _read(self) -> None:
        for line in self.process.stdout:
            with _PRINTED:
                self.lines.append(line)
                _PRINTED.notify_all()
        with _PRINTED:
            self._ended = True
            _PRINTED.notify_all()


class Hook:
    """A program that reports when it runs, and ends on request.

    Args:
        folder: for its pipes.
    """

    def __init__(self, folder: Path) -> None:
        self._running, self._go = folder / "running", folder / "go"
        for pipe in (self._running, self._go):
            os.mkfifo(pipe)
        self.command = ["sh", "-c", f"echo > '{self._running}'; read x < '{self._go}'"]

    def wait_until_it_runs(self) -> None:
        self._running.read_text()

    def end(self) -> None:
        self._go.write_text("\n")
