"""Run the commands around a rotation: names in their environment, never values.

    ENVKIT_PROFILE=prod ENVKIT_ROTATION=db-password ENVKIT_SECRET=vault:secret/db#password

A command gets no input, and what it prints goes to stderr. It runs in a session of its own,
which is killed as a whole when its time is over.
"""

from __future__ import annotations

import os

from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_SECONDS = 60.0
_STDERR = 2


class HookError(RotationError):
    """A command around a rotation failed."""

    code = "hook-failed"


def run_command(
    command: Sequence[str], facts: Mapping[str, str], *, timeout_seconds: float
) -> None:
    """Run one command and wait for it.

    Args:
        command: the program and its arguments; no shell is involved.
        facts: what is added to the environment.
        timeout_seconds: until it is killed.

    Raises:
        HookError: it cannot be run, failed, or took too long.
    """
    import signal
    import subprocess

    name = command[0]
    try:
        process = subprocess.Popen(  # noqa: S603 - the profile's owner wrote it
            list(command),
            env={**os.environ, **facts},
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no command").lower()
        raise HookError(f"cannot run '{name}': {reason}", hint=f"run 'command -v {name}'") from None
    try:
        status = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise HookError(
            f"'{name}' did not end within {timeout_seconds:g} s",
            hint="let it start what takes long, and end",
        ) from None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status < 0:
        raise HookError(f"'{name}' was ended by signal {-status}")
    if status:
        raise HookError(f"'{name}' ended with status {status}", hint=f"run it by hand: {name}")
