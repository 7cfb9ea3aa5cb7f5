"""Run a program that reads one JSON object and may print one, within a deadline.

It has a session of its own: when the time is over, it and whatever it has started are
killed. What it prints on stderr is dropped, since nobody can tell what is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from typing import NamedTuple

from envkit.errors import RotationError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit._internal.clock import Deadline


class Answer(NamedTuple):
    """How a program ended.

    Attributes:
        status: its exit status; negative is the signal that ended it.
        said: the object that it printed; empty for other output, which has no meaning.
    """

    status: int
    said: Mapping[str, object]


def run(
    command: Sequence[str],
    asked: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> Answer:
    """Run a program to its end.

    Args:
        command: the program and its arguments; no shell is involved.
        asked: what it finds on its standard input.
        environ: all of its environment.
        deadline: when it is killed.

    Raises:
        RotationError: it cannot be run.
        UnavailableError: it did not end in time.
    """
    name = command[0]
    try:
        process = subprocess.Popen(  # noqa: S603 - the profile's owner wrote it
            list(command),
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no command").lower()
        raise RotationError(
            f"cannot run '{name}': {reason}", hint=f"run 'command -v {name}'"
        ) from None
    try:
        output, _ = process.communicate(json.dumps(asked).encode(), deadline.remaining_seconds())
    except BaseException as error:
        _kill(process.pid)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise UnavailableError(
            f"'{name}' did not end in time", hint="make 'timeout' of the rotation longer"
        ) from None
    return Answer(process.returncode, _parsed(output))


def _kill(group: int) -> None:
    """End a program and whatever it has started; it may be gone, and they not."""
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _parsed(output: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(output or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
