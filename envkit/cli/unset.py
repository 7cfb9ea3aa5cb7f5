"""`envkit unset`: a value taken out, where the variable is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from envkit.access import Access
from envkit.cli.complete import variables
from envkit.cli.parameters import OneEnv, Profiles, Reason, Timeout
from envkit.cli.prompt import ask_reason
from envkit.cli.set import find_one, in_version

EXAMPLE = "envkit unset STRIPE_KEY --env staging"


def unset(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The variable.", autocompletion=variables),
    ] = None,
    env: OneEnv = None,
    ref: Annotated[
        str | None,
        typer.Option(
            "--ref", metavar="REF", help="A reference, in place of NAME: vault:db#password."
        ),
    ] = None,
    reason: Reason = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Take a value out of its store, or a literal out of its profile."""
    with Access("unset", reason=reason, ask=ask_reason) as access:
        found = find_one(access, name, ref, env, profiles, timeout)
        [kept] = found.kept.values()
        if kept.held.value is None:
            access.unchanged(kept.names)
            print(f"{kept.name} is absent in {kept.holder.where} already")
            return 0
        version = kept.holder.write(None, before=kept.held)
        access.changed(kept.names, version)
    print(f"took {kept.name} out of {kept.holder.where}{in_version(version)}")
    return 0
