"""`envkit trust`: review what the profiles of a folder may do, and allow it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from envkit.cli.interaction.prompt import ask_trust, is_interactive
from envkit.cli.interaction.trusting import loading
from envkit.cli.output import Cell, print_json, print_table
from envkit.cli.parameters import EachEnv, Format, Formatted, Profiles
from envkit.errors import EnvkitError, UntrustedError, UsageError
from envkit.profile.discovery import profile_names, profiles_folder
from envkit.profile.loader import load
from envkit.sources.registry import current_guard
from envkit.trust.channels import of_access
from envkit.trust.decision import VARIABLE, has_list
from envkit.trust.destination import Destination, merged
from envkit.trust.rotations import of_rotation
from envkit.trust.sources import all_of_sources, linked_profiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.profile.model import Profile
    from envkit.trust.guard import Guard

EXAMPLE = "envkit trust --env prod"


class _Wanted(NamedTuple):
    """One destination, its profiles, and whether all of it is allowed."""

    destination: Destination
    profiles: tuple[str, ...]
    trusted: bool


def trust(
    env: EachEnv = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List everything that needs trust, without asking.")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Remove the trust that you gave before.")
    ] = False,
    hook: Annotated[
        bool, typer.Option("--hook", help="Let the shell hook load --env NAME in this project.")
    ] = False,
    format_: Formatted = Format.TABLE,
    profiles: Profiles = None,
) -> int:
    """Review what profiles send, read and run, and allow it."""
    if list_ and (revoke or hook):
        other = "--revoke" if revoke else "--hook"
        raise UsageError(f"cannot combine --list and {other}", hint="leave one of them out")
    if hook:
        from envkit.cli.commands.hook import allow

        return allow(env or (), profiles, revoke=revoke)
    return _review(env or (), profiles, format_, list_=list_, revoke=revoke)


def _review(
    env: Sequence[str], profiles: str | None, format_: Format, *, list_: bool, revoke: bool
) -> int:
    if format_ is Format.JSON and not list_:
        raise UsageError(
            "--format json needs --list", hint="run: envkit trust --list --format json"
        )
    guard = current_guard()
    assert guard is not None  # noqa: S101 - `guarded` has set it
    folder = profiles_folder(profiles, os.environ)
    real = os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))
    if revoke and not env:
        return _told(guard.store.remove(real, lambda _: False))
    links = linked_profiles(folder)
    unknown_links = [one for one in links if not guard.may_leave(os.path.dirname(real), one.where)]
    if unknown_links and not list_ and not revoke:
        # the linked profiles cannot be read before this
        status = _ask(guard, real, unknown_links)
        if status:
            return status
    loaded = _loaded(env, folder)
    wanted = [
        *(_Wanted(one, (), one not in unknown_links) for one in links),
        *_wanted(loaded, guard),
    ]
    if revoke:
        gone = {(one.destination.kind, one.destination.where) for one in wanted}
        return _told(guard.store.remove(real, lambda one: (one.kind, one.where) not in gone))
    if list_:
        _show(wanted, format_)
        return 0
    new = merged(one for profile in loaded for one in guard.unknown(profile, _of_profile(profile)))
    if new:
        return _ask(guard, real, new)
    if not unknown_links:
        print(
            "nothing to trust: "
            + ("everything is already allowed" if wanted else "no profile needs trust")
        )
    return 0


def _ask(guard: Guard, folder: str, new: Sequence[Destination]) -> int:
    """Ask the person to allow the new destinations, and return the exit status."""
    if has_list(os.environ):
        raise UntrustedError(
            f"{VARIABLE} lists what is trusted, so a stored decision has no effect",
            hint=f"add the entry to {VARIABLE}, or unset it and run 'envkit trust' again",
        )
    if not is_interactive():
        raise UntrustedError(
            "cannot ask whether you trust the profiles: not a terminal",
            hint="run 'envkit trust' on a terminal, or set ENVKIT_TRUST; see 'envkit trust --list'",
        )
    if not ask_trust(folder, new):
        print("nothing was allowed")
        return UntrustedError.exit_status
    guard.allow(folder, new)
    print("allowed; run 'envkit trust --revoke' to undo this")
    return 0


def _loaded(env: Sequence[str], folder: str) -> list[Profile]:
    """Return the named profiles, or all that can be read."""
    if env:
        return [load(name, folder) for name in env]
    loaded = []
    for name in profile_names(folder):
        try:
            profile = load(name, folder)
            _of_profile(profile)  # an error for one profile must not hide others
            loaded.append(profile)
        except EnvkitError as error:
            print(f"envkit: warning: {error.message}", file=sys.stderr)
    return loaded


def _of_profile(profile: Profile) -> list[Destination]:
    """Return everything in a profile that needs trust."""
    return merged(
        [
            *all_of_sources(profile, os.environ),
            *(one for name in profile.rotations for one in of_rotation(profile, name, os.environ)),
            *of_access(profile, os.environ),
            *loading(profile, profile.variables, lasting=True),
        ]
    )


def _wanted(loaded: Sequence[Profile], guard: Guard) -> Iterator[_Wanted]:
    names: dict[tuple[str, str], list[str]] = {}
    unknown: set[tuple[str, str]] = set()
    found = []
    for profile in loaded:
        destinations = _of_profile(profile)
        found += destinations
        unknown.update((one.kind, one.where) for one in guard.unknown(profile, destinations))
        for one in destinations:
            names.setdefault((one.kind, one.where), []).append(profile.name)
    for one in merged(found):
        key = (one.kind, one.where)
        yield _Wanted(one, tuple(names[key]), key not in unknown)


def _show(wanted: Sequence[_Wanted], format_: Format) -> None:
    if format_ is Format.JSON:
        print_json({"destinations": [_document(one) for one in wanted]})
        return
    rows: list[list[str | Cell]] = [
        [
            Cell("trusted", "green") if one.trusted else Cell("not trusted", "yellow"),
            ", ".join(one.profiles),
            one.destination.sentence,
        ]
        for one in wanted
    ]
    print_table(("STATUS", "PROFILES", "WHAT"), rows)


def _document(one: _Wanted) -> dict[str, Any]:
    kind, where, gets, why, _, plain = one.destination
    return {
        "kind": kind,
        "where": where,
        "gets": list(gets),
        "why": why,
        "unencrypted": plain,
        "profiles": list(one.profiles),
        "trusted": one.trusted,
    }


def _told(gone: Sequence[Destination]) -> int:
    for one in gone:
        print(f"no longer trusted: {one.sentence}")
    if not gone:
        print("nothing was trusted")
    return 0
