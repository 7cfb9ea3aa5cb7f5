"""Run the hooks of a rotation: they get names in their environment, never values.

    ENVKIT_PROFILE=prod ENVKIT_ROTATION=db-password ENVKIT_SECRET=vault:secret/db#password

A command gets no input, and what it prints goes to stderr. Of envkit's own environment it
gets what every program needs, and what the rotation names in `environment`.
"""

from __future__ import annotations

from envkit._internal.program import ProgramError, run_command
from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
