"""`envkit history`: list the versions of a value."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.complete import variables
from envkit.cli.output import Cell, print_json, print_table
from envkit.cli.parameters import Format, Formatted, OneEnv, Profiles, Timeout
from envkit.cli.rotated import look_at
from envkit.editing.find import find, prepare_edit
from envkit.editing.history import changes, versions
from envkit.editing.rotated import Lifetimes, moment
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.editing.find import Editable, EditableVariable
    from envkit.editing.history import Recorded
    from envkit.sources.model import Version

EXAMPLE = "envkit history STRIPE_KEY --env staging"

_STYLES = {"current": "green", "deleted": "red", "destroyed": "red"}


def history(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the variable.", autocompletion=variables)
    ],
    env: OneEnv = None,
    format_: Formatted = Format.TABLE,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """List the versions of a variable's value."""
    seconds = timeout_seconds(timeout)
    prepared = prepare_edit(env or (), [name], profiles=profiles, timeout_seconds=seconds)
    editable = find(prepared)
    variable = editable.one(name)
    recorded = versions(variable)
    found = _marked(editable, variable, recorded)
    if format_ is Format.JSON:
        print_json(
            {
                "name": name,
                "place": variable.slot.where,
                "versions": [
                    {**one._asdict(), "created": when(one) or None, "note": note or None}
                    for one, note in found
                ],
            }
        )
    else:
        if not found:
            print(f"no version of {variable.slot.where} has a value", file=sys.stderr)
        headers = ("VERSION", "CREATED", "BY", "STATE", "NOTE")
        print_table(headers, [_row(one, note) for one, note in found])
    return 0


def when(version: Version) -> str:
    """Return when a version was created; empty if the store does not say."""
    return "" if version.created is None else moment(version.created)


def _marked(
    editable: Editable, variable: EditableVariable, recorded: Sequence[Recorded]
) -> list[tuple[Version, str]]:
    """Return the versions in which the variable changed, each with a note about its value."""
    lifetimes = None
    with suppress(EnvkitError):  # `rollback` needs the record, and reports the error
        rotated = look_at(editable, variable)
        if rotated is not None and rotated.record is not None:
            lifetimes = Lifetimes(rotated.record, recorded)
    marked = []
    for version, value, absent in changes(recorded):
        note = "missing" if absent else ""
        if value is not None and lifetimes is not None:
            if lifetimes.is_rotated(value):
                note = "rotated"
            elif version.state != "current" and lifetimes.is_retired(value):
                note = "retired"
        marked.append((version, note))
    return marked


def _row(version: Version, note: str) -> list[str | Cell]:
    return [
        version.version,
        when(version),
        version.author or "",
        Cell(version.state, _STYLES.get(version.state, "dim")),
        note,
    ]
