"""Read the sides of a comparison: profiles, files, processes.

All profiles are read in parallel, and secrets that they share are read once. A store that fails
affects only its own variables.

    prepared = prepare_sides(["staging", "prod"])
    staging, prod = read_sides(prepared)
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit.comparison.external import file_side, other_process, this_process
from envkit.comparison.point_in_time import Past, pin
from envkit.comparison.selectors import SideKind, parse_names
from envkit.comparison.side import Side
from envkit.errors import UsageError
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.environment import Environment
from envkit.resolution.evaluate import evaluate
from envkit.resolution.failing_source import open_or_fail
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import prepare_profile
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.resolution.selection import choose, globs
from envkit.sources.model import values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envkit.comparison.selectors import SideName
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


class PreparedSides(NamedTuple):
    """Environments to be compared, before any store was contacted.

    Attributes:
        names: the names of all sides, in their order.
        profiles: the sides that are profiles.
        others: files and processes, which are already read and filtered.
        deadline: for all stores together.
    """

    names: Sequence[SideName]
    profiles: Sequence[PreparedProfile]
    others: Sequence[Side]
    deadline: Deadline


def prepare_sides(
    names: Sequence[str],
    *,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, Source] | None = None,
) -> PreparedSides:
    """Prepare two environments or more for a comparison; contact no store.

    Args:
        names: the names of the sides; see `selectors`.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then a search upwards.
        only: one or more globs; variables that match none of them are left out.
        exclude: one or more globs; variables that match one of them are left out.
        timeout_seconds: for all stores together.
        environ: the process environment; default: `os.environ`.
        sources: replacements for the profiles' sources of these names.

    Raises:
        UsageError: a name is not valid, there are fewer than two, or no side has a variable that
            `only` or `exclude` names. No source has been opened by then.
        ProfileError: a profile is missing or not valid.
        EnvkitError: a file or a process cannot be read.
    """
    environ = os.environ if environ is None else environ
    only, exclude = globs(only), globs(exclude)
    wanted = parse_names(names)
    deadline = Deadline(timeout_seconds)
    loaded = [
        load(name.target, profiles_folder(profiles, environ))
        for name in wanted
        if name.kind is SideKind.PROFILE
    ]
    aliases = {alias: profile.name for profile in loaded for alias in profile.aliases}
    others = [
        _external_side(name, environ, aliases)
        for name in wanted
        if name.kind is not SideKind.PROFILE
    ]
    known = {
        *(variable for profile in loaded for variable in profile.variables),
        *(variable for side in others for variable in side.names()),
    }
    chosen = set(choose(known, ", ".join(names), only=only, exclude=exclude))
    prepared = [
        prepare_profile(
            profile,
            [variable for variable in profile.variables if variable in chosen],
            environ=environ,
            deadline=deadline,
            sources=sources,
            open_=open_or_fail,
        )
        for profile in loaded
    ]
    restricted = [_restricted(side, chosen) for side in others]
    return PreparedSides(wanted, prepared, restricted, deadline)


def read_sides(prepared: PreparedSides) -> list[Side]:
    """Read the environments to be compared, each as far as its stores allow.

    Returns:
        a side for each name. A process is reduced to the variables that another side has;
        otherwise PATH and HOME would be differences.
    """
    names, profiles, others, deadline = prepared
    named = [name for name in names if name.kind is SideKind.PROFILE]
    pasts = [
        Past(one, {}, {}) if name.point is None else pin(one, name.point, deadline)
        for name, one in zip(named, profiles, strict=True)
    ]
    fetched = fetch([past.prepared for past in pasts], deadline)
    inside = iter(zip(named, pasts, fetched, strict=True))
    external = iter(others)
    sides = [
        _profile_side(*next(inside)) if name.kind is SideKind.PROFILE else next(external)
        for name in names
    ]
    return _without_process_only_variables(sides)


def read_names(
    names: Sequence[str],
    *,
    profiles: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[tuple[str, Profile | Collection[str]]]:
    """Return what can be compared without a store, for `compare_profiles.diff_keys`.

    Args:
        names: see `prepare_sides`.
        profiles: the folder of profiles; see `prepare_sides`.
        environ: the process environment; default: `os.environ`.

    Returns:
        by label, the profile, or the names of the variables of a file or a process.

    Raises:
        UsageError: a name is not valid, or names a point in a store's history.
        ProfileError: a profile is missing or not valid.
        EnvkitError: a file or a process cannot be read.
    """
    environ = os.environ if environ is None else environ
    found: list[tuple[str, Profile | Collection[str]]] = []
    for name in parse_names(names):
        if name.point is not None:
            raise UsageError(
                f"'{name.text}' is a point in a store's history, but this command does not read "
                "the stores",
                hint=f"use {name.target}",
            )
        if name.kind is SideKind.PROFILE:
            found.append((name.text, load(name.target, profiles_folder(profiles, environ))))
        else:
            found.append((name.text, list(_external_side(name, environ, {}).names())))
    return found


def _profile_side(name: SideName, past: Past, fetched: Mapping[Reference, Outcome]) -> Side:
    profile, plan, _ = past.prepared
    found, failures = evaluate(plan, past.outcomes(fetched), past.prepared.locate)
    selected = set(plan.selected)
    return Side(
        name.text,
        Environment(profile.name, found.values()),
        {each: profile.variables[each] for each in plan.selected},
        [failure for failure in failures if failure.name in selected],
        frozenset(one.name for one in plan.order if one.secret and one.name in selected),
        belongs_to=profile.name,
    )


def _external_side(name: SideName, environ: Mapping[str, str], aliases: Mapping[str, str]) -> Side:
    environ = values_of(environ)
    if name.kind is SideKind.FILE:
        return file_side(name.text, name.target, environ, aliases)
    if name.kind is SideKind.PID:
        return other_process(name.text, name.target)
    return this_process(name.text, environ)


def _restricted(side: Side, names: Collection[str]) -> Side:
    variables = (variable for variable in side.environment.variables() if variable.name in names)
    return side._replace(
        environment=Environment(side.environment.name, variables),
        failures=[failure for failure in side.failures if failure.name in names],
    )


def _without_process_only_variables(sides: Sequence[Side]) -> list[Side]:
    known = {name for side in sides if side.belongs_to is not None for name in side.names()}
    if all(side.belongs_to is None for side in sides):
        return list(sides)
    return [
        side
        if side.belongs_to is not None
        else _restricted(side, known)._replace(left_out=len(set(side.environment) - known))
        for side in sides
    ]
