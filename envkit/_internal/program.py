"""Run a program with a time limit, and kill every process that it started.

What always holds: no shell is involved; a program has its own session, which is killed as a
whole when it times out; no error quotes what it prints. A program that a
profile names does not receive the user's credentials in its environment.
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
# what programs need to work as they usually do; none of it is a credential
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")


class ProgramError(Exception):
    """A program could not be started, timed out, or failed.

    Attributes:
        message: for people, in envkit's own words; `hint` what to do about it.
        late: whether it was killed because it timed out.
    """

    def __init__(self, message: str, hint: str | None = None, *, late: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.late = late


class Finished(NamedTuple):
    """How a program ended.

    Attributes:
        status: its exit status; negative is the signal that ended it.
        output: what it printed on stdout, where that was captured.
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
    """Run a program and wait for it.

    Args:
        command: the program and its arguments.
        environ: all of its environment.
        timeout_seconds: until it is killed.
        stdin: what it reads; None for nothing.
        capture: whether to return what it prints on stdout and drop its stderr; otherwise
            both go to stderr.

    Raises:
        ProgramError: it cannot be started, or timed out.
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
        with contextlib.suppress(ProcessLookupError):  # it may have exited, and its children not
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise ProgramError(
            f"'{name}' timed out after {timeout_seconds:g} s",
            "let it start long work in the background, and exit",
            late=True,
        ) from None
    return Finished(process.returncode, output or b"")


def passed_on(environ: Mapping[str, str], names: Collection[str] = ()) -> dict[str, str]:
    """Return the part of an environment that envkit passes to a program that a profile names.

    Args:
        environ: the process environment.
        names: of variables that it receives in addition to PASSED_ON and `LC_*`.
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
    """Run a command that a profile names, and raise unless it succeeds.

    Args:
        command: the program and its arguments.
        facts: variables that are added to its environment.
        environment: the names of variables that it receives; see `passed_on`.
        timeout_seconds: until it is killed.

    Raises:
        ProgramError: it cannot be started, failed, or timed out.
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
