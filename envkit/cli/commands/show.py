"""`envkit show`: list the variables of an environment and the origin of each value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit._internal.clock import Deadline
from envkit._internal.paths import display_path
from envkit.arguments import timeout_seconds
from envkit.cli.interaction.access import open_access
from envkit.cli.output import Cell, on_terminal, print_json, print_table, short_version
from envkit.cli.parameters import (
    BreakGlass,
    Env,
    Except,
    Format,
    Formatted,
    Only,
    Profiles,
    Reason,
    Timeout,
)
from envkit.errors import UsageError
from envkit.resolution.describe import describe
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import resolve_prepared

if TYPE_CHECKING:
    from envkit.profile.declaration import Declaration
    from envkit.resolution.describe import Described

EXAMPLE = "envkit show --env prod"

_HEADERS = ("NAME", "VALUE", "FROM", "WRITTEN IN", "TYPE", "DESCRIPTION")
_MASK = "********"


def show(
    env: Env = None,
    only: Only = None,
    exclude: Except = None,
    format_: Formatted = Format.TABLE,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also show the values of secrets, on a terminal.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Allow --reveal if stdout is not a terminal.")
    ] = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Show the variables of an environment and their sources."""
    if reveal and not yes and not on_terminal():
        raise UsageError(
            "cannot reveal secrets: not a terminal",
            hint="add --yes to write them anyway",
        )
    deadline = Deadline(timeout_seconds(timeout))
    with open_access("show", reason, break_glass=break_glass) as access:
        prepared = prepare(
            env or (),
            profiles=profiles,
            only=only or (),
            exclude=exclude or (),
            environ=os.environ,
            deadline=deadline,
        )
        if reveal:
            access.begin(prepared)
        description = describe(prepared, resolve_prepared(prepared, deadline))
        if reveal:
            access.succeed(one.variable for one in description.variables if one.variable)
    if format_ is Format.JSON:
        variables = [_document(one, reveal=reveal) for one in description.variables]
        print_json({"environment": description.environment, "variables": variables})
    else:
        print_table(_HEADERS, [_row(one, reveal=reveal) for one in description.variables])
    return 0


def _value(described: Described, *, reveal: bool) -> str | None:
    """Return the value if it may be shown; None otherwise."""
    if described.variable is None or (described.secret and not reveal):
        return None
    return described.variable.value.reveal()


def _row(described: Described, *, reveal: bool) -> list[str | Cell]:
    declaration = described.declaration
    value = _value(described, reveal=reveal)
    if described.variable is None:
        shown = Cell("not set", "yellow")
    else:
        shown = Cell(_MASK, "dim") if value is None else Cell(value)
    return [
        Cell(described.name, "bold"),
        shown,
        _provenance(described),
        Cell(declaration.place, "dim"),
        ", ".join(_kinds(declaration)),
        declaration.description,
    ]


def _kinds(declaration: Declaration) -> list[str]:
    kinds = [] if declaration.type == "string" else [declaration.type]
    return kinds if declaration.file_mode is None else [*kinds, "file"]


def _provenance(described: Described) -> str:
    variable = described.variable
    if variable is None:
        return ""
    places = [origin.location + _version_in_a_row(origin.version) for origin in variable.origins]
    if variable.note:
        places.append(variable.note)
    return ", ".join(places) or "literal"


def _version_in_a_row(version: str | None) -> str:
    short = short_version(version)
    return f" (version {short})" if short else ""


def _document(described: Described, *, reveal: bool) -> dict[str, Any]:
    declaration, variable = described.declaration, described.variable
    return {
        "name": described.name,
        "value": _value(described, reveal=reveal),
        "secret": described.secret,
        "absent": variable is None,
        "origins": [origin._asdict() for origin in variable.origins] if variable else [],
        "note": variable.note if variable else "",
        "profile": described.profile,
        "file": display_path(declaration.location.path),
        "line": declaration.location.line,
        "type": declaration.type,
        "as": "variable" if declaration.file_mode is None else "file",
        "description": declaration.description,
        "tags": list(declaration.tags),
    }
