"""`envkit list`: the environments, what each extends, its sources, and whether it is protected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from envkit._internal.paths import display_path
from envkit.cli.error_text import print_error
from envkit.cli.output import Cell, print_json, print_table, printable
from envkit.cli.parameters import Format, Formatted, Profiles
from envkit.errors import EnvkitError, UsageError
from envkit.profile.discovery import profiles_folder
from envkit.resolution.environments import survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.resolution.environments import ListedEnvironment

EXAMPLE = "envkit list"

_HEADERS = ("ENVIRONMENT", "ALIASES", "EXTENDS", "SOURCES", "PROTECTED", "VARIABLES", "PROBLEM")


def list(  # noqa: A001 - the command's name
    format_: Formatted = Format.TABLE, profiles: Profiles = None
) -> int:
    """List environments and their sources."""
    folder = profiles_folder(profiles, os.environ)
    found = survey(folder)
    if not found:
        raise UsageError(
            f"{display_path(folder)} has no environment",
            hint="run 'envkit init', or create a profile there: dev.toml",
        )
    if format_ is Format.JSON:
        print_json({"environments": [_document(one) for one in found]})
    else:
        print_table(_HEADERS, [_row(one) for one in found])
    broken = [one.error for one in found if one.error is not None]
    for error in broken if format_ is Format.TABLE else ():
        print_error(error)
    return broken[0].exit_status if broken else 0


def _row(one: ListedEnvironment) -> Sequence[str | Cell]:
    if one.error is not None:
        return [Cell(one.name, "bold"), "", "", "", "", "", Cell("broken", "red")]
    return [
        Cell(one.name, "bold"),
        ", ".join(one.aliases),
        ", ".join(one.extends),
        ", ".join(one.sources),
        Cell("yes", "yellow") if one.protected else "no",
        str(one.variables),
        "",
    ]


def _document(one: ListedEnvironment) -> dict[str, Any]:
    error = one.error
    return {
        "name": one.name,
        "file": display_path(one.path) if one.path else None,
        "aliases": [*one.aliases],
        "extends": [*one.extends],
        "sources": [{"name": name, "type": kind} for name, kind in one.sources.items()],
        "protected": one.protected,
        "variables": one.variables,
        "error": None if error is None else _error(error),
    }


def _error(error: EnvkitError) -> dict[str, Any]:
    return {"code": error.code, "message": printable(error.message), "hint": error.hint}
