"""A process that has imported all modules, and forks `envkit` processes.

    with Warm() as warm:
        run = warm.start(["rotate", "--format", "json"], environ, ahead_seconds=3600.0)
        run.kill()                          # SIGKILL, and wait until it has ended
        run.wait()                          # or wait for its end, and return its output

A forked process is like any other: it runs the command line, and SIGKILL ends it at once with all
its threads, sockets and locks. Only its imports are done beforehand. Its clock can be ahead, so
that no test waits for the end of a grace period or a lease.

Create it before you start any thread: a forked process has only the thread that forks.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import NamedTuple

MODULES = (
    "envkit.cli.app",
    "envkit.cli.commands.rotate.group",
    "envkit.cli.formats.rotation.results",
    "envkit.rotation_state.stores.aws",
    "envkit.rotation_state.stores.dotenv",
    "envkit.rotation_state.stores.vault",
    "envkit.rotation.rotators.aws_iam_key",
    "envkit.rotation.rotators.command",
    "envkit.rotation.rotators.postgres",
    "envkit.rotation.rotators.random_value",
    "envkit.rotation.rotators.redis_acl",
    "envkit.sources.aws.source",
    "envkit.sources.dotenv_files.write",
    "envkit.sources.vault.source",
    "envkit.sources.vault.probe",
    "botocore.session",
    "hvac",
    "psycopg",
    "redis",
    "requests",
)
KILLED = -signal.SIGKILL
IN_GRACE = ("in-grace", "waiting")  # how a run ends that begins the grace period
_LONGEST_SECONDS = 120.0


class Done(NamedTuple):
    """How a process ended: its exit status, minus a signal's number, and what it printed."""

    status: int
    text: str

    @property
    def outcome(self) -> str:
        """The outcome of the one rotation."""
        return self.rotation["outcome"]

    @property
    def rotation(self) -> dict:
        """The entry of the one rotation in the report."""
        try:
            [found] = json.loads(self.text[: self.text.rindex("}") + 1])["rotations"]
        except ValueError:
            raise AssertionError(f"envkit rotate ended with {self.status}: {self.text}") from None
        return found


class Run:
    """One process."""

    def __init__(self, connection: socket.socket, lines, output: str) -> None:
        self._lines = lines
        self._output = output
        self._done: Done | None = None
        self._lock = threading.Lock()
        connection.sendall(b"go\n")
        self.pid = int(lines.readline())

    def kill(self) -> None:
        """End it at this instruction."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def pause(self) -> bool:
        """Stop it at this instruction; return whether it was still running."""
        try:
            os.kill(self.pid, signal.SIGSTOP)
            return self.wait_until_paused()
        except ProcessLookupError:
            return False

    def wait_until_paused(self) -> bool:
        """Wait until it has stopped, by itself or by `pause`; return False if it has ended."""
        end = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < end:
            try:
                with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
                    state = file.read().rpartition(") ")[2][0]
            except (FileNotFoundError, ProcessLookupError, IndexError):
                return False
            if state in "TZX":
                return state == "T"
            time.sleep(0.001)
        raise AssertionError("a process does not stop")

    def go_on(self) -> None:
        """Let the process continue after `pause`."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> Done:
        """Wait until it has ended."""
        with self._lock:
            if self._done is None:
                status = os.waitstatus_to_exitcode(int(self._lines.readline()))
                with open(self._output, encoding="utf-8") as file:
                    self._done = Done(status, file.read())
            return self._done


class Warm:
    """See the module's docstring."""

    def __init__(self) -> None:
        for name in MODULES:
            importlib.import_module(name)
        self._here, there = socket.socketpair()
        descriptor, self._output = tempfile.mkstemp(prefix="envkit-torture-")
        os.close(descriptor)
        self._pid = os.fork()
        if not self._pid:
            self._here.close()
            try:
                _serve(there, self._output)
            finally:
                os._exit(0)
        there.close()
        self._here.settimeout(_LONGEST_SECONDS)
        self._lines = self._here.makefile("r")

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.shutdown(socket.SHUT_RDWR)
        os.waitpid(self._pid, 0)
        self._lines.close()
        self._here.close()
        os.unlink(self._output)

    def start(
        self,
        arguments: list[str],
        environ: dict[str, str],
        *,
        ahead_seconds: float = 0.0,
        prepare: str = "",
        **more: object,
    ) -> Run:
        """Start a process.

        Args:
            arguments: of `envkit`.
            environ: all of its environment.
            ahead_seconds: by which its clock is ahead of the real time.
            prepare: `module:function` to call first in the process, with `more`.
            more: a JSON value.
        """
        job = [arguments, environ, ahead_seconds, prepare, more]
        self._here.sendall(f"{json.dumps(job)}\n".encode())
        return Run(self._here, self._lines, self._output)


def _serve(connection: socket.socket, output: str) -> None:
    lines = connection.makefile("r")
    while line := lines.readline():
        lines.readline()
        pid = os.fork()
        if not pid:
            _become(json.loads(line), output)
        connection.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        connection.sendall(f"{status}\n".encode())


def _become(job: list, output: str) -> None:
    arguments, environ, ahead_seconds, prepare, more = job
    status = 70
    try:
        target = os.open(output, os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environ)
        _be_ahead(ahead_seconds)
        if prepare:
            module, _, function = prepare.partition(":")
            getattr(importlib.import_module(module), function)(**more)
        from envkit.cli.app import run_app

        status = run_app(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001 - it must not continue as its parent
        os.write(2, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(status)


def _be_ahead(seconds: float) -> None:
    """Set the wall clock of this process ahead, but not the clock of deadlines."""
    from envkit.rotation.jobs import run_rotation

    real = time.time
    time.time = lambda: real() + seconds
    run_rotation.__kwdefaults__["clock"] = time.time
