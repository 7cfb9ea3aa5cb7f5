"""The shared options of the subcommands of `envkit rotate`: the selection and the format."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.clock import Deadline
from envkit.cli.complete import environments
from envkit.cli.formats.rotation import statuses
from envkit.errors import UsageError
from envkit.profile.discovery import profiles_folder
from envkit.rotation.catalog import collect, survey
from envkit.rotation.orphans import find_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit.rotation.catalog import Collected
    from envkit.rotation.orphans import Found
    from envkit.rotation.status import RotationStatus

Environments = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        "-e",
        metavar="NAME",
        help="Use only rotations of this environment. Repeatable. [default: all]",
        autocompletion=environments,
    ),
]


def collected_from(
    env: Sequence[str] | None,
    profiles: str | None,
    environ: Mapping[str, str],
    deadline: Deadline,
    *,
    may_be_none: bool = False,
) -> Collected:
    """Return the rotations of the given profiles, or of all; raise an error if there are none."""
    folder = profiles_folder(profiles, environ)
    collected = collect(folder, env or (), environ=environ, deadline=deadline)
    if not may_be_none:
        require_some(collected.rotations, collected, env)
    return collected


def require_some(found: Sequence[object], collected: Collected, env: Sequence[str] | None) -> None:
    """Raise an error if there is no rotation and no broken one.

    Raises:
        UsageError: there is no rotation.
    """
    if not found and not collected.broken:
        where = f"in {' and '.join(env)}" if env else "in any profile"
        raise UsageError(f"no rotation {where}", hint="add a table [rotation.NAME] to a profile")


def orphans_of(
    collected: Collected,
    env: Sequence[str] | None,
    profiles: str | None,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> Found:
    """Return the orphaned records of the given profiles, or of all."""
    surveyed = collected.survey
    if surveyed is None:  # needs all profiles, not only those of `env`
        folder = profiles_folder(profiles, environ)
        surveyed = survey(folder, environ=environ, deadline=deadline)
    found = find_orphans(surveyed, environ=environ, deadline=deadline)
    if not env:
        return found
    chosen = {
        profile.name
        for profile in surveyed.profiles
        if not {profile.name, *profile.aliases}.isdisjoint(env)
    }
    return found._replace(
        orphans=tuple(
            one
            for one in found.orphans
            if one.profile.name in chosen or one.name.partition("/")[0] in chosen
        )
    )


def show_statuses(
    found: Sequence[RotationStatus],
    *,
    as_json: bool,
    describe: Callable[[RotationStatus, float], str] = statuses.what,
    not_looked_at: Sequence[str] = (),
) -> int:
    """Print the state of rotations, and return the exit status."""
    for why in not_looked_at:
        print(f"envkit: note: did not look for orphaned records: {why}", file=sys.stderr)
    if as_json:
        sys.stdout.write(statuses.json_text(found))
    else:
        statuses.show(found, describe)
    return int(any(one.needs_attention for one in found))
