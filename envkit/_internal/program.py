"""Run a program with a time limit and kill every process that it starts.

Guarantees: no shell is involved; a program runs in its own process group, which is killed as a
whole on a timeout; no error quotes the program's output. A program named in a profile
does not receive the user's credentials in its environment.

The processes that a command of a profile has moved to other sessions are killed as well, on Linux:
they have an ancestor in the group, or the variable `RUN` in their environment. A process that has
neither, because it was orphaned and removed the variable, survives.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import NamedTuple

from envkit._internal.os_errors import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_STDERR = 2
RUN = "ENVKIT_RUN"  # a variable with a value of its own for each run of a command of a profile
_ROUNDS = 10  # of a search for processes, which may start others meanwhile
_PIPE_BYTES = 65_536  # what a pipe holds on Linux
_LOOK_MILLISECONDS = 20  # how often to look whether a program has ended that closes no output
# variables that programs usually need; none is a credential
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")


class ProgramError(Exception):
    """A program could not be started, timed out, or failed.

    Attributes:
        message: the error in envkit's words; `hint` says how to fix it.
        late: whether the program timed out and was killed.
    """

    def __init__(self, message: str, hint: str | None = None, *, late: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.late = late


class Finished(NamedTuple):
    """The result of a program.

    Attributes:
        status: the exit status; negative if a signal ended the program.
        output: its stdout, if captured.
    """

    status: int
    output: bytes


def run_program(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    timeout_seconds: float,
    stdin: bytes | None = None,
    capture: bool = False,
    most_output_bytes: int | None = None,
) -> Finished:
    """Run a program and wait for it to end.

    Args:
        command: the program and its arguments.
        environ: the complete environment of the program.
        timeout_seconds: when to kill it.
        stdin: its input; None for no input.
        capture: True returns its stdout and discards its stderr; False sends both to
            stderr.
        most_output_bytes: how much to send to stderr; default: everything. The rest is discarded,
            as is all output after the program has ended. Needs neither `stdin` nor `capture`.

    Raises:
        ProgramError: the program cannot be started, or timed out.
    """
    name = command[0]
    limited = most_output_bytes is not None
    try:
        process = subprocess.Popen(  # noqa: S603 - the profile's owner wrote it
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE if capture or limited else _STDERR,
            stderr=subprocess.DEVNULL if capture else subprocess.STDOUT if limited else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = reason_of(error, "it is not a command")
        raise ProgramError(f"cannot run '{name}': {reason}", f"run: command -v {name}") from None
    try:
        if most_output_bytes is None:
            output, _ = process.communicate(stdin, timeout_seconds)
        else:
            _show(process, name, most_output_bytes, timeout_seconds)
            output = b""
    except BaseException as error:
        _kill(process.pid, environ.get(RUN))
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:  # a process in another session may still have the other end
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise ProgramError(
            f"'{name}' timed out after {round(timeout_seconds, 1):g} s",
            "let it start long work in the background, and exit",
            late=True,
        ) from None
    return Finished(process.returncode, output or b"")


def _show(process: subprocess.Popen[bytes], name: str, limit: int, timeout_seconds: float) -> None:
    """Copy the beginning of a program's output to stderr, and wait for it to end.

    Raises:
        TimeoutExpired: it has not ended in time.
    """
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    pipe = process.stdout.fileno()
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    end = time.monotonic() + timeout_seconds
    seen = 0
    rest = _PIPE_BYTES  # after it has ended; a process in the background may write on
    while rest > 0:
        left = end - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(process.args, timeout_seconds)
        ended = process.poll() is not None
        if not poller.poll(0 if ended else min(left * 1000, _LOOK_MILLISECONDS)):
            if ended:
                break
            continue
        data = os.read(pipe, _PIPE_BYTES)
        if not data:
            process.wait(max(0, end - time.monotonic()))
            break
        _write(data[: max(0, limit - seen)])
        if seen <= limit < seen + len(data):
            _write(f"\n(more output of '{name}' is not shown)\n".encode())
        seen += len(data)
        rest -= len(data) if ended else 0
    process.stdout.close()


def _kill(pid: int, mark: str | None) -> None:
    """Kill a program and the processes that it has started.

    Args:
        pid: of the program, which leads a process group.
        mark: the value of `RUN` in its environment, if it has one.
    """
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = set() if mark is None else _family(pid, f"{RUN}={mark}".encode())
        with contextlib.suppress(ProcessLookupError):  # it may have exited without its children
            os.killpg(pid, signal.SIGKILL)
        for one in found:
            with contextlib.suppress(OSError):
                os.kill(one, signal.SIGKILL)
        if found <= killed:
            return
        killed |= found


def _family(pid: int, mark: bytes) -> set[int]:
    """Return the descendants of a process, and all processes with a variable; needs /proc."""
    parents: dict[int, int] = {}
    found = {pid}
    with contextlib.suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    # the name, in parentheses, may contain anything
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state in b"ZX":
                    continue
                parents[int(name)] = int(parent)
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.add(int(name))
    size = 0
    while size < len(found):
        size = len(found)
        found |= {one for one, parent in parents.items() if parent in found}
    return found - {pid}


def _write(data: bytes) -> None:
    """Write to stderr, as a program would do that has it."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(_STDERR, data) :]


def passed_on(environ: Mapping[str, str], names: Collection[str] = ()) -> dict[str, str]:
    """Return the variables that envkit passes to a program named in a profile.

    Args:
        environ: the process environment.
        names: variables to pass in addition to PASSED_ON and `LC_*`.
    """
    return {
        name: text
        for name, text in environ.items()
        if name in PASSED_ON or name in names or name.startswith("LC_")
    }


def run_command(
    command: Sequence[str],
    facts: Mapping[str, str],
    *,
    environment: Collection[str] = (),
    timeout_seconds: float,
    most_output_bytes: int | None = None,
) -> None:
    """Run a command named in a profile, and raise an error unless it succeeds.

    Args:
        command: the program and its arguments.
        facts: variables to add to its environment.
        environment: the names of variables to pass; see `passed_on`.
        timeout_seconds: when to kill it.
        most_output_bytes: see `run_program`.

    Raises:
        ProgramError: the command cannot be started, failed, or timed out.
    """
    name = command[0]
    environ = {**passed_on(os.environ, environment), **facts, RUN: os.urandom(16).hex()}
    finished = run_program(
        command,
        environ=environ,
        timeout_seconds=timeout_seconds,
        most_output_bytes=most_output_bytes,
    )
    if finished.status < 0:
        raise ProgramError(f"'{name}' was killed by signal {-finished.status}")
    if finished.status:
        raise ProgramError(
            f"'{name}' exited with status {finished.status}", f"run it by hand: {name}"
        )
