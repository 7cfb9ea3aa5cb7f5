"""`envkit history`: show the versions of a variable's value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.cli.complete import variables
from envkit.cli.options import timeout_seconds
from envkit.cli.output import Cell, print_json, print_table
from envkit.cli.parameters import Format, Formatted, OneEnv, Profiles, Timeout
from envkit.editing.find import find, prepare_edit
from envkit.editing.history import versions

if TYPE_CHECKING:
    from envkit.sources.model import Version

EXAMPLE = "envkit history STRIPE_KEY --env staging"

_STYLES = {"current": "green", "deleted": "red", "destroyed": "red"}


def history(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The variable.", autocompletion=variables)
    ],
    env: OneEnv = None,
    format_: Formatted = Format.TABLE,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Show the versions of a variable that its store keeps."""
    seconds = timeout_seconds(timeout)
    prepared = prepare_edit(env or (), [name], profiles=profiles, timeout_seconds=seconds)
    variable = find(prepared).one(name)
    found = versions(variable)
    if format_ is Format.JSON:
        print_json(
            {
                "name": name,
                "place": variable.slot.where,
                "versions": [{**one._asdict(), "created": when(one) or None} for one in found],
            }
        )
    else:
        print_table(("VERSION", "CREATED", "BY", "STATE"), [_row(one) for one in found])
    return 0


def when(version: Version) -> str:
    """Return when a version was made, empty where the store does not say."""
    if version.created is None:
        return ""
    return datetime.fromtimestamp(version.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(version: Version) -> list[str | Cell]:
    return [
        version.version,
        when(version),
        version.author or "",
        Cell(version.state, _STYLES.get(version.state, "dim")),
    ]
