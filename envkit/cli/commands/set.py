"""`envkit set`: write a new value to the store of the variable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.os_errors import reason_of
from envkit.arguments import timeout_seconds
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import ask_secret
from envkit.cli.misread import warn_of_line
from envkit.cli.parameters import (
    BreakGlass,
    Force,
    FromFile,
    Name,
    OneEnv,
    Profiles,
    Reason,
    Ref,
    Timeout,
)
from envkit.cli.rotated import allow_change
from envkit.cli.written import print_warnings
from envkit.editing.find import Editable, find, prepare_edit, prepare_reference_edit
from envkit.editing.write import write_one
from envkit.errors import UsageError
from envkit.secret import Secret

if TYPE_CHECKING:
    from envkit.audit.session import Access

EXAMPLE = "envkit set STRIPE_KEY --env staging"

MAX_BYTES = 1024 * 1024


def set(  # noqa: A001, PLR0917 - the command's name; typer names them
    name: Name = None,
    value: Annotated[list[str] | None, typer.Argument(metavar="", hidden=True)] = None,
    env: OneEnv = None,
    ref: Ref = None,
    from_file: FromFile = None,
    skip_unchanged: Annotated[
        bool, typer.Option("--skip-unchanged", help="Write nothing if the value is the same.")
    ] = False,
    force: Force = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Change a value: type it, pipe it in, or read it from a file."""
    if value or "=" in (name or ""):
        raise UsageError(
            "the value is on the command line, where other users can see it",
            hint="run 'envkit set NAME', and type the value or pipe it in",
        )
    with open_access("set", reason, break_glass=break_glass) as access:
        editable = find_one("set", access, name, ref, env, profiles, timeout)
        [variable] = editable.variables.values()
        if not skip_unchanged:
            allow_change(editable, [variable], force=force)  # before the person types the value
        new = new_value(variable.name, from_file)
        editable.deadline.restart()
        variable.check(new.reveal())
        if skip_unchanged and variable.current.value == new:
            access.unchanged(variable.names)
            print(f"{variable.name} in {variable.slot.where} already has this value")
            return 0
        if skip_unchanged:
            allow_change(editable, [variable], force=force)
        version = write_one(variable.slot, new, variable.current, editable.deadline)
        access.changed(variable.names, version)
    print(f"set {variable.name} in {variable.slot.where}{in_version(version)}", flush=True)
    print_warnings([variable.slot])
    warn_of_line(variable.slot, variable.name, new)
    return 0


def find_one(
    command: str,
    access: Access,
    name: str | None,
    ref: str | None,
    env: list[str] | None,
    profiles: str | None,
    timeout: str | None,
) -> Editable:
    """Find the one variable, or the one reference, to change."""
    if (name is None) == (ref is None):
        raise UsageError(
            "name exactly one variable or reference",
            hint=f"run 'envkit {command} NAME --env ENV', or "
            f"'envkit {command} --ref vault:db#password --env ENV'",
        )
    seconds = timeout_seconds(timeout)
    if ref is not None:
        edit = prepare_reference_edit(env or (), ref, profiles=profiles, timeout_seconds=seconds)
    else:
        names = [name] if name is not None else []
        edit = prepare_edit(env or (), names, profiles=profiles, timeout_seconds=seconds)
    access.begin([edit.prepared])
    editable = find(edit, unread=True)
    for error in editable.refused.values():
        raise error
    return editable


def in_version(version: str | None) -> str:
    """Return a version in the form that follows a location in messages."""
    return f" (version {version})" if version else ""


def new_value(name: str, from_file: str | None) -> Secret:
    """Return the new value: from a file, a person, or stdin."""
    if from_file is not None:
        return Secret.from_bytes(_read(from_file))
    if sys.stdin.isatty():
        typed = Secret(ask_secret(f"New value of {name}"))
    else:
        typed = Secret.from_bytes(_without_newline(_read("-")))
    if typed == Secret(""):
        raise UsageError(
            "the new value is empty; nothing was changed",
            hint="to store an empty value, add --from-file /dev/null",
        )
    return typed


def _read(path: str) -> bytes:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = reason_of(error, "unreadable")
        raise UsageError(f"cannot read {path}: {reason}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"the value is larger than {MAX_BYTES:,} bytes")
    return data


def _without_newline(data: bytes) -> bytes:
    """Return piped bytes without the newline that `echo` and `<<<` add."""
    return data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data
