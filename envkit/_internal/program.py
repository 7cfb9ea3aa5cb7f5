"""Run a program with a time limit and kill every process that it starts.

Guarantees: no shell is involved; a program runs in its own session, which is killed as a
whole on a timeout; no error quotes the program's output. A program named in a profile
does not receive the user's credentials in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import NamedTuple

from envkit._internal.os_errors import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_STDERR = 2
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
) -> Finished:
    """Run a program and wait for it to end.

    Args:
        command: the program and its arguments.
        environ: the complete environment of the program.
        timeout_seconds: when to kill it.
        stdin: its input; None for no input.
        capture: True returns its stdout and discards its stderr; False sends both to
            stderr.

    Raises:
        ProgramError: the program cannot be started, or timed out.
    """
    name = command[0]
    try:
        process = subprocess.Popen(  # noqa: S603 - the profile's owner wrote it
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE if capture else _STDERR,
            stderr=subprocess.DEVNULL if capture else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = reason_of(error, "it is not a command")
        raise ProgramError(f"cannot run '{name}': {reason}", f"run: command -v {name}") from None
    try:
        output, _ = process.communicate(stdin, timeout_seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):  # it may have exited without its children
            os.killpg(process.pid, signal.SIGKILL)
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
) -> None:
    """Run a command named in a profile, and raise an error unless it succeeds.

    Args:
        command: the program and its arguments.
        facts: variables to add to its environment.
        environment: the names of variables to pass; see `passed_on`.
        timeout_seconds: when to kill it.

    Raises:
        ProgramError: the command cannot be started, failed, or timed out.
    """
    name = command[0]
    environ = {**passed_on(os.environ, environment), **facts}
    finished = run_program(command, environ=environ, timeout_seconds=timeout_seconds)
    if finished.status < 0:
        raise ProgramError(f"'{name}' was killed by signal {-finished.status}")
    if finished.status:
        raise ProgramError(
            f"'{name}' exited with status {finished.status}", f"run it by hand: {name}"
        )
