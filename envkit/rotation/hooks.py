"""Run the hooks of a rotation: they receive names in their environment, never values.

    ENVKIT_PROFILE=prod ENVKIT_ROTATION=db-password ENVKIT_SECRET=vault:secret/db#password

A command gets no input, and its output goes to stderr. From envkit's own environment it receives
the variables that every program needs, and those that the rotation names in `environment`.
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
_HEAD_BYTES = 256  # the kernel reads no more of a first line


class HookError(RotationError):
    """A hook of a rotation failed."""

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
        facts: variables to add to the environment.
        environment: the names of further variables that the command receives.
        timeout_seconds: how long it may run before it is killed.

    Raises:
        HookError: the command cannot be run, failed, or took too long.
    """
    try:
        run_command(command, facts, environment=environment, timeout_seconds=timeout_seconds)
    except ProgramError as error:
        raise HookError(error.message, hint=error.hint) from None


def missing_programs(policy: Policy) -> Iterator[HookError]:
    """Yield an error for each program of a rotation that is missing or cannot be executed.

    Checks the programs of `before` and `after`, and that of the rotator `command`. Each is
    looked up as it will be at run time: on the PATH, or at its path.
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
        found = shutil.which(program, path=os.environ.get("PATH"))
        if found is None:
            yield _missing(key, program)
        elif (error := _not_a_program(key, program, found)) is not None:
            yield error


def _not_a_program(key: str, program: str, path: str) -> HookError | None:
    """Return why the kernel would not run an executable file; None if it would."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None  # it may be executable without being readable
    first = head.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        if head and (b"\0" in head or not head.isascii()):
            return None  # a binary, or a format that the kernel is configured to run
        return HookError(
            f"'{key}' runs '{program}', which has no '#!' line",
            hint="write its interpreter into its first line: #!/bin/sh",
        )
    words = os.fsdecode(first[2:]).split()
    interpreter = words[0] if words else ""
    if os.path.basename(interpreter) == "env" and len(words) == 2:
        interpreter = words[1]  # `env` looks it up on the PATH
    if interpreter and shutil.which(interpreter, path=os.environ.get("PATH")) is not None:
        return None
    return HookError(
        f"'{key}' runs '{program}', whose interpreter '{interpreter}' does not exist",
        hint=f"install it on the host that rotates, or correct the first line of {program}",
    )


def _missing(key: str, program: str) -> HookError:
    if os.path.isdir(program):
        return HookError(
            f"'{key}' runs '{program}', which is a folder", hint="name a program in it"
        )
    if os.path.dirname(program) and os.path.exists(program):
        return HookError(
            f"'{key}' runs '{program}', which cannot be executed",
            hint=f"run: chmod +x {program}",
        )
    where = "does not exist" if os.path.dirname(program) else "is not on the PATH"
    return HookError(
        f"'{key}' runs '{program}', which {where}",
        hint=f"install it on the host that rotates: 'command -v {program}' must find it",
    )
