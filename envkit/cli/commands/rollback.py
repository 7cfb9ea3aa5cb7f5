"""`envkit rollback`: restore an earlier value."""

from __future__ import annotations

from typing import Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.commands.history import when
from envkit.cli.commands.set import in_version
from envkit.cli.complete import variables
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import confirm
from envkit.cli.parameters import BreakGlass, OneEnv, Profiles, Reason, Timeout, Yes
from envkit.cli.rotated import allow_change, look_at
from envkit.cli.written import print_warnings
from envkit.editing.find import find, prepare_edit
from envkit.editing.history import earlier, versioned_slot, versions
from envkit.editing.write import restore

EXAMPLE = "envkit rollback STRIPE_KEY --env staging"


def rollback(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the variable.", autocompletion=variables)
    ],
    env: OneEnv = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Version from 'envkit history'. [default: the newest with a different value]",
        ),
    ] = None,
    yes: Yes = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Restore the value even if a rotation has, or may have, retired it."
        ),
    ] = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Restore an earlier value of a variable."""
    with open_access("rollback", reason, break_glass=break_glass) as access:
        prepared = prepare_edit(
            env or (), [name], profiles=profiles, timeout_seconds=timeout_seconds(timeout)
        )
        access.begin([prepared.prepared])
        editable = find(prepared)
        variable = editable.one(name)
        recorded = versions(variable)
        version, value = earlier(variable, recorded, to, editable.profile.name)
        variable.check(value.reveal())
        if variable.current.value == value:
            access.unchanged(variable.names)
            print(f"{name} already has the value of version {version.version}")
            return 0
        if force:
            allow_change(editable, [variable], force=True)
        elif (rotated := look_at(editable, variable)) is not None:
            rotated.refuse_retired(version.version, value, recorded)
        made = f", created {when(version)}" if version.created is not None else ""
        question = f"Restore version {version.version} of {name} in {editable.profile.name}{made}?"
        if not confirm(question, yes=yes):
            access.unchanged(variable.names)
            print("nothing was changed")
            return 0
        editable.deadline.restart()
        slot = versioned_slot(variable)
        now = restore(slot, version.version, variable.current, editable.deadline)
        access.changed(variable.names, now)
    new = in_version(now if now != version.version else None)
    print(f"restored version {version.version} of {name} in {slot.where}{new}")
    print_warnings([slot])
    return 0
