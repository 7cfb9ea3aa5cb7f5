"""A real supervisor whose watcher announces what a test says, at once.

    with Supervised("--watch", "--", "sh", "-c", "echo $A; sleep 9", A="1") as run:
        run.expect("1\n")
        run.announce(A="2")
        run.expect("2\n")
        run.signal(SIGTERM)
        assert run.wait() == -SIGTERM

The app's output is `expect`ed; what envkit says is in `said()`. `on_terminal` is the command for
a test that needs a pseudo-terminal: `support.terminal_session` runs it.

Run as a program it is the supervisor. Its first argument is the file descriptor or the path of
a pipe to read changes from, one line of JSON each; then come the arguments of `envkit exec`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

PATIENCE_SECONDS = 30  # for what takes milliseconds on an idle machine


def wait_until(condition: Any, message: str = "it did not happen") -> Any:
    """Return the first true result of `condition`; fail after PATIENCE_SECONDS."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, message
        time.sleep(0.005)
    return found


def lives(pid: int) -> bool:
    """Return whether a process exists that has not ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Supervised:
    """See the module's docstring.

    Args:
        args: of `envkit exec`; short intervals are added.
        under: a program with its arguments that starts the supervisor.
        more: for `subprocess.Popen`.
        variables: the environment that the app starts with, beside that of this process.
    """

    def __init__(
        self,
        *args: str,
        under: tuple[str, ...] = (),
        more: dict[str, Any] | None = None,
        **variables: str,
    ) -> None:
        reading, self._writing = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `__exit__`
        options = {"start_new_session": True, "stdin": subprocess.DEVNULL, **(more or {})}
        prepare = options.pop("preexec_fn", lambda: None)

        def as_from_a_terminal() -> None:  # a background job of `sh` ignores these two
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
            prepare()

        self.process = subprocess.Popen(
            [*under, sys.executable, __file__, str(reading), "--debounce", "0", *args],
            pass_fds=[reading, *options.pop("pass_fds", ())],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **variables},
            preexec_fn=as_from_a_terminal,  # noqa: PLW1509 - the tests start no thread before
            **options,
        )
        os.close(reading)
        self._shown = b""

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            for pid in self.children():
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    # the app leads a group; process 1 of a container does not
                    os.kill(-pid if os.getpgid(pid) == pid else pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        self.process.stdout.close()
        self._errors.close()
        os.close(self._writing)

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        return self.process.pid

    def children(self) -> list[int]:
        """Return the children of the supervisor: the app, and the command of --watch=run."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            return [int(word) for word in file.read().split()]

    def announce(self, **variables: str) -> None:
        """Announce changed values."""
        os.write(self._writing, json.dumps({"set": variables}).encode() + b"\n")

    def report(self, kind: str, text: str) -> None:
        """Let the watcher report `Warned` or `Recovered`."""
        os.write(self._writing, json.dumps({kind: text}).encode() + b"\n")

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor alone."""
        self.process.send_signal(number)

    def expect(self, text: str) -> str:
        """Wait for a text in the app's output, and return all of it since the last call."""
        wanted, end = text.encode(), time.monotonic() + PATIENCE_SECONDS
        while wanted not in self._shown:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"no {text!r} in {self._shown!r}; envkit said {self.said()!r}"
            chunk = os.read(self.process.stdout.fileno(), 65536)
            assert chunk, f"ended without {text!r}: {self._shown!r}; envkit said {self.said()!r}"
            self._shown += chunk
        before, _, self._shown = self._shown.partition(wanted)
        return (before + wanted).decode()

    def rest(self) -> str:
        """Return the output until the end."""
        shown, self._shown = self._shown + self.process.stdout.read(), b""
        return shown.decode()

    def said(self) -> str:
        """Return what envkit, and the app's stderr, said so far."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def wait(self) -> int:
        """Wait for the end; return the exit status, or the negative number of a signal."""
        return self.process.wait(PATIENCE_SECONDS)


def on_terminal(pipe: str, *args: str) -> str:
    """Return the words of a shell that run a supervisor, which reads changes from a named pipe."""
    words = (sys.executable, __file__, pipe, "--debounce", "0", *args)
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)


class ScriptedWatcher:
    """Announces what it reads from a pipe."""

    def __init__(self, descriptor: int, environ: dict[bytes, bytes]) -> None:
        self._descriptor = descriptor
        self._environ = environ
        self._open = True
        self._data = b""

    def filenos(self) -> list[int]:
        return [self._descriptor] if self._open else []

    def next_time(self) -> float:
        return time.monotonic() + 3600

    def step(self, _now: float) -> list[Any]:
        from envkit.resident.watcher import Changed, Recovered, Warned

        if not self._open:
            return []
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return []
        self._open = bool(data)
        events: list[Any] = []
        *lines, self._data = (self._data + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "raise" in told:
                raise ImportError(told["raise"])
            if "set" in told:
                new = {name.encode(): value.encode() for name, value in told["set"].items()}
                self._environ = {**self._environ, **new}
                events.append(Changed(self._environ, tuple(told["set"]), {}))
            events += [Warned(told["warned"])] if "warned" in told else []
            events += [Recovered(told["recovered"])] if "recovered" in told else []
        return events

    def children(self) -> frozenset[int]:
        return frozenset()

    def close(self) -> None:
        self._open = False


def _main() -> int:
    from envkit.arguments import parse
    from envkit.cli.boundary import guarded
    from envkit.cli.error_text import print_labelled
    from envkit.cli.exec.watching import plan_of
    from envkit.errors import AuditError
    from envkit.launch.app_files import AppFiles
    from envkit.launch.memory_folder import files_folder
    from envkit.resident.supervisor import Supervisor
    from envkit.resident.watcher import Changed

    where = sys.argv[1]
    pipe = int(where) if where.isdigit() else os.open(where, os.O_RDWR)
    os.set_inheritable(pipe, False)
    os.set_blocking(pipe, False)
    given = parse("exec", sys.argv[2:])
    environ = dict(os.environb)

    def record(change: Changed) -> None:
        if change.environ.get(b"AUDIT") == b"fails":
            raise AuditError("the log cannot be written")

    def run() -> int:
        first, watcher = Changed(environ, (), {}), ScriptedWatcher(pipe, environ)
        supervisor = Supervisor(
            given.rest,
            first,
            watcher,
            plan_of(given),
            tell=print_labelled,
            record=record,
            open_files=lambda: AppFiles(*files_folder(given.one("files"), os.environ)),
        )
        return supervisor.run()

    return guarded(run)


if __name__ == "__main__":
    if os.environ.get("BLOCKED"):  # what a caller may have blocked
        signal.pthread_sigmask(signal.SIG_BLOCK, [int(os.environ["BLOCKED"])])
    sys.exit(_main())
