"""Environments to compare, without profiles or stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.comparison.compare import diff
from envkit.comparison.side import Side
from envkit.errors import EnvkitError, UnavailableError, VariableFailure
from envkit.profile.location import Location
from envkit.resolution.environment import Environment, Origin, Variable
from envkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.comparison.model import Entry, Finding
    from envkit.profile.declaration import Declaration


def side(
    label: str,
    secrets: Mapping[str, str] | None = None,
    literals: Mapping[str, str] | None = None,
    *,
    failing: Mapping[str, EnvkitError] | None = None,
    declared: Mapping[str, Declaration] | None = None,
    belongs_to: str | None = "",
    assumed: bool = False,
) -> Side:
    """A side with secrets from a store and literals from a profile.

    By default, its label is its environment.
    """
    variables = [
        Variable(
            name,
            Secret(value),
            True,
            label,
            None if assumed else Location(f"/profiles/{label}.toml", 1),
            (Origin(f"vault:{label}/{name}", f"vault:{label}/{name}", "1"),),
        )
        for name, value in (secrets or {}).items()
    ]
    variables += [
        Variable(name, Secret(value), False, label, Location(f"/profiles/{label}.toml", 2))
        for name, value in (literals or {}).items()
    ]
    failures = [
        VariableFailure(name, f"/profiles/{label}.toml:3", error)
        for name, error in (failing or {}).items()
    ]
    return Side(
        label,
        Environment(label, variables),
        declared or {},
        failures,
        frozenset(secrets or ()),
        label if belongs_to == "" else belongs_to,
        assumed,
    )


def unavailable() -> UnavailableError:
    """Why a variable could not be read."""
    return UnavailableError("no answer from 'vault' within 15 s")


def entry(name: str, *sides: Side) -> Entry:
    """Compare sides, and return the result for one variable."""
    [found] = [entry for entry in diff(*sides).entries if entry.name == name]
    return found


def status(name: str, *sides: Side) -> str:
    """Compare sides, and return the status of one variable."""
    return entry(name, *sides).status


def finding(kind: str, found: Entry) -> Finding:
    """Return the one finding of a kind."""
    [one] = [finding for finding in found.findings if finding.kind == kind]
    return one
