"""`envkit unset`: remove a value from the store of the variable."""

from __future__ import annotations

from typing import Annotated

import typer

from envkit.cli.commands.set import find_one, in_version
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import BreakGlass, Name, OneEnv, Profiles, Reason, Ref, Timeout
from envkit.cli.rotated import allow_change
from envkit.cli.written import print_warnings
from envkit.editing.write import write_one

EXAMPLE = "envkit unset STRIPE_KEY --env staging"


def unset(
    name: Name = None,
    env: OneEnv = None,
    ref: Ref = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Remove the value even if a rotation of it is in progress."),
    ] = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Remove a value from its store, or a literal from its profile."""
    with open_access("unset", reason, break_glass=break_glass) as access:
        editable = find_one("unset", access, name, ref, env, profiles, timeout)
        [variable] = editable.variables.values()
        if variable.current.value is None:
            access.unchanged(variable.names)
            print(f"{variable.name} is already missing from {variable.slot.where}")
            return 0
        allow_change(editable, [variable], force=force)
        version = write_one(variable.slot, None, variable.current, editable.deadline)
        access.changed(variable.names, version)
    print(f"removed {variable.name} from {variable.slot.where}{in_version(version)}")
    print_warnings([variable.slot])
    return 0
