"""The completions of `--env`, `--only`, `export --format` and `envkit get`.

Completion contacts no store and never fails: an unreadable profile offers no completions. zsh
evaluates the completions, so descriptions contain no special characters of a shell or of rich.
"""

from __future__ import annotations

import os
from typing import Any

from envkit.errors import EnvkitError
from envkit.launch.export import FORMATS
from envkit.profile.discovery import profile_names, profiles_folder
from envkit.profile.loader import load

DESCRIPTION_LENGTH = 60  # shown beside a name, on one line
_HARMLESS = frozenset(" .,:;/_+=%@#()!?-\N{RIGHT SINGLE QUOTATION MARK}")


def environments(ctx: Any, args: list[str], incomplete: str) -> list[str]:  # noqa: ARG001 - typer's
    """Return the names of the profiles."""
    try:
        return profile_names(_folder(ctx))
    except (EnvkitError, OSError):
        return []


def variables(ctx: Any, args: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Return the variables of the chosen environments, or of all, with their descriptions."""
    default = _given(ctx, "source") or os.environ.get("ENVKIT_ENV")  # `promote` has `source`
    chosen = _given(ctx, "env") or ([default] if default else environments(ctx, args, incomplete))
    found: dict[str, str] = {}
    for name in chosen:
        try:
            declared = load(name, _folder(ctx)).variables
        except (EnvkitError, OSError):
            continue
        for each in declared.values():
            found[each.name] = found.get(each.name) or _harmless(each.description)
    return sorted(found.items())


def sources(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """Return the sources of the chosen environments, or of all, that have settings."""
    default = os.environ.get("ENVKIT_ENV")
    chosen = _given(ctx, "env") or ([default] if default else environments(ctx, args, incomplete))
    found: set[str] = set()
    for name in chosen:
        try:
            known = load(name, _folder(ctx)).sources
        except (EnvkitError, OSError):
            continue
        found.update(source for source, spec in known.items() if spec.settings)
    return sorted(source for source in found if source.startswith(incomplete))


def rotations(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """Return the names of the rotations, and the subcommands of `envkit rotate`."""
    found = {"serve", "simulate", "status"}
    for name in environments(ctx, args, incomplete):
        try:
            declared = load(name, _folder(ctx)).rotations
        except (EnvkitError, OSError):
            continue
        found.update(word for one in declared for word in (one, f"{name}/{one}"))
    return sorted(word for word in found if word.startswith(incomplete))


def formats(ctx: Any, args: list[str], incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the formats of `envkit export`."""
    return list(FORMATS)


def _harmless(description: str) -> str:
    """Return a description on one line, without characters that a shell evaluates."""
    text = description.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
    safe = "".join(char if char.isalnum() or char in _HARMLESS else " " for char in text)
    line = " ".join(safe.split())
    return line if len(line) <= DESCRIPTION_LENGTH else line[: DESCRIPTION_LENGTH - 3] + "..."


def ways(ctx: Any, args: list[str], incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the ways of `envkit exec --watch`."""
    return ["restart", "signal:", "run:"]


# by the key of an option
COMPLETERS = {
    "env": environments,
    "format": formats,
    "only": variables,
    "except": variables,
    "watch": ways,
}


def _folder(ctx: Any) -> str:
    return profiles_folder(_given(ctx, "profiles"), os.environ)


def _given(ctx: Any, option: str) -> Any:
    """Return the value of an option in the command line so far; None if it is not given."""
    return ctx.params.get(option) or None
