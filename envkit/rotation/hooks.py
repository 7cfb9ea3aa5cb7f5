"""Run the hooks of a rotation: they get names in their environment, never values.

    ENVKIT_PROFILE=prod ENVKIT_ROTATION=db-password ENVKIT_SECRET=vault:secret/db#password

A command gets no input, and what it prints goes to stderr. Of envkit's own environment it
gets what every program needs, and what the rotation names in `environment`.
"""

from __future__ import annotations

import os
import shutil

from envkit._internal.program import ProgramError, run_command
from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.rotation_state.policy import Policy

TIMEOUT_SECONDS = 60.0


class HookError(RotationError):
    """A command around a rotation failed."""

    code = "hook-failed"


def run_hook(
    command: Sequence[str],
    facts: Mapping[str, str],
    *,
    environment: Sequence[str] = (),
    timeout_seconds: float,
) -> None:
    """Run one command and wait for it.

    Args:
        command: the program and its arguments; no shell is involved.
        facts: what is added to the environment.
        environment: the names of further variables that it is given.
        timeout_seconds: until it is killed.

    Raises:
        HookError: it cannot be run, failed, or took too long.
    """
    try:
        run_command(command, facts, environment=environment, timeout_seconds=timeout_seconds)
    except ProgramError as error:
        raise HookError(error.message, hint=error.hint) from None


def missing_programs(policy: Policy) -> Iterator[HookError]:
    """Yield an error for each program of a rotation that is not there or cannot be executed.

    The programs of `before` and `after`, and that of the rotator `command`. They are looked
    for as they will be: on the PATH, or at their path.
    """
    commands = [("before", command) for command in policy.before]
    commands += [("after", command) for command in policy.after]
    own = policy.target.get("command") if policy.rotator == "command" else None
    if isinstance(own, list) and own and isinstance(own[0], str):
        commands.append(("target.command", tuple(own)))
    seen = set()
    for key, (program, *_) in commands:
        if (key, program) in seen:
            continue
        seen.add((key, program))
        if shutil.which(program, path=os.environ.get("PATH")) is None:
            yield _missing(key, program)


def _missing(key: str, program: str) -> HookError:
    if os.path.dirname(program) and os.path.exists(program):
        return HookError(
            f"'{key}' runs '{program}', which cannot be executed",
            hint=f"run 'chmod +x {program}'",
        )
    where = "is not there" if os.path.dirname(program) else "is not on the PATH"
    return HookError(
        f"'{key}' runs '{program}', which {where}",
        hint=f"install it on the host that rotates: 'command -v {program}' must find it",
    )
