"""`envkit env set`: add or change one value of an encrypted file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.names import is_name
from envkit._internal.paths import display_path
from envkit.arguments import timeout_seconds
from envkit.cli import complete
from envkit.cli.commands.env.selection import File, audited, chosen, profiles_of
from envkit.cli.commands.set import new_value
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import BreakGlass, Force, FromFile, OneEnv, Profiles, Reason, Timeout
from envkit.cli.rotated import allow_change
from envkit.cli.written import print_each
from envkit.editing.find import find, prepare_reference_edit
from envkit.editing.write import warnings_of, write_one
from envkit.encryption.keys import PRIVATE_KEY, PUBLIC_KEY
from envkit.env_files.change import require, set_value, version
from envkit.env_files.contents import read_text
from envkit.errors import UsageError

if TYPE_CHECKING:
    from envkit.audit.session import Access
    from envkit.env_files.locate import EnvFile

EXAMPLE = "envkit env set STRIPE_KEY --env prod"


def set(  # noqa: A001 - the command's name
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of the variable.", autocompletion=complete.variables
        ),
    ],
    value: Annotated[list[str] | None, typer.Argument(metavar="", hidden=True)] = None,
    env: OneEnv = None,
    file: File = None,
    from_file: FromFile = None,
    force: Force = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Add or change an encrypted value.

    Type it, pipe it in, or read it from a file.
    """
    if value or "=" in name:
        raise UsageError(
            "the value is on the command line, where other users can see it",
            hint="run 'envkit env set NAME', and type the value or pipe it in",
        )
    if name.startswith((PUBLIC_KEY, PRIVATE_KEY)):
        raise UsageError(
            f"{name} is a key, not a value", hint="to replace a key pair, use envkit env rotate-key"
        )
    if not is_name(name):
        raise UsageError(f"'{name}' is not a variable name", hint="use letters, digits and '_'")
    target = chosen(env, file, profiles, timeout)
    text = read_text(target)
    require(target, text)
    with open_access("env set", reason, break_glass=break_glass) as access:
        if target.profile is None:
            audited(access, target)
            new = new_value(name, from_file)
            seconds = timeout_seconds(timeout)
            warnings = set_value(target, name, new, timeout_seconds=seconds)
            access.changed([name], version(target))
        else:
            warnings = _set_in_profile(target, access, name, from_file, timeout, force=force)
    print(f"set {name} in {target.name}", flush=True)
    print_each(warnings)
    _warn_if_unused(target, name)
    return 0


def _set_in_profile(
    target: EnvFile,
    access: Access,
    name: str,
    from_file: str | None,
    timeout: str | None,
    *,
    force: bool,
) -> list[str]:
    """Set the value as `envkit set --ref` does: not during a rotation."""
    assert target.profile is not None  # noqa: S101 - the caller has looked
    edit = prepare_reference_edit(
        [target.profile.name],
        str(target.reference(name)),
        profiles=os.path.dirname(target.profile.path),
        timeout_seconds=timeout_seconds(timeout),
    )
    access.allow(profiles_of(target), edit.prepared.plan.selected, [edit.prepared])
    editable = find(edit, unread=True)
    for error in editable.refused.values():
        raise error
    [found] = editable.variables.values()
    variable = found._replace(name=name)
    allow_change(editable, [variable], force=force)
    new = new_value(name, from_file)
    editable.deadline.restart()
    declared = target.profile.variables.get(name)
    if declared is not None:
        variable._replace(declarations=(declared,)).check(new.reveal())
    written = write_one(variable.slot, new, variable.current, editable.deadline)
    access.changed([name], written)
    return list(warnings_of([variable.slot]))


def _warn_if_unused(target: EnvFile, name: str) -> None:
    profile = target.profile
    if profile is not None and name not in profile.variables:
        print_labelled("warning", f"{profile.name} has no variable {name}, so no app gets it")
        print_labelled(
            "hint", f'write: {name} = "{{{{ {name} }}}}" into {display_path(profile.path)}'
        )
