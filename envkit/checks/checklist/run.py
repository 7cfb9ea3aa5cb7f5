"""Gather the facts of the deployment checklist, from the stores and from this host.

    for checklist in make_checklists(["prod"], previous="staging"):
        print(checklist.environment, [item.state for item in checklist.items])

A fact that cannot be found out is an item that says so, and hides no other item.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.paths import display_path
from envkit.access.rules import read_rules
from envkit.audit.log import OFF, SYSLOG, destination
from envkit.audit.verify import records, verify
from envkit.backup.drill_state import last_drill
from envkit.checks.checklist import items
from envkit.checks.checklist.channels import channels_of, try_channels
from envkit.checks.checklist.model import Checklist
from envkit.checks.ignore_file import accept
from envkit.checks.inspection import load_profiles
from envkit.comparison.compare import diff
from envkit.comparison.sides import prepare_sides, read_sides
from envkit.errors import EnvkitError, ProfileError
from envkit.profile.discovery import profiles_folder
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.sources.registry import current_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.checks.checklist.model import Item
    from envkit.checks.ignore_file import Rule
    from envkit.profile.model import Profile
    from envkit.rotation.catalog import Rotation


class _Context(NamedTuple):
    folder: str
    environ: Mapping[str, str]
    previous: str | None
    rules: Sequence[Rule]
    send_test: bool
    timeout_seconds: float
    now: float


def make_checklists(
    environments: Sequence[str] = (),
    *,
    previous: str | None = None,
    profiles: str | None = None,
    everything: bool = False,
    rules: Sequence[Rule] = (),
    send_test: bool = False,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> list[Checklist]:
    """Return the checklist of each environment.

    Args:
        environments: names or aliases; default: `ENVKIT_ENV`, then every profile.
        previous: the environment that the team deploys to before these, to compare variables with.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then a search upwards.
        everything: all profiles except those that others only extend.
        rules: the differences that the team accepts.
        send_test: whether to send a test to each channel.
        timeout_seconds: for the stores of one environment.
        environ: the process environment; default: `os.environ`.

    Raises:
        ProfileNotFoundError: a profile does not exist, or there are no profiles.
        ProfileError: a profile is not valid.
        UntrustedError: the user has not trusted what reading the stores or a test needs.
    """
    environ = os.environ if environ is None else environ
    default = environ.get("ENVKIT_ENV")
    names = list(environments) or ([default] if default and not everything else [])
    folder = profiles_folder(profiles, environ)
    loaded, problems = load_profiles(names, folder, everything=everything or not names)
    for problem in problems:
        place = display_path(problem.file) + (f":{problem.line}" if problem.line else "")
        raise ProfileError(f"{place}: {problem.message}", hint=problem.hint or None)
    context = _Context(folder, environ, previous, rules, send_test, timeout_seconds, time.time())
    return [Checklist(one.name, tuple(_items(one, context))) for one in loaded]


def _items(profile: Profile, context: _Context) -> list[Item]:
    rotations, broken = _rotations(profile, context)
    return [
        _variables(profile, context),
        _rotated(rotations, broken, context),
        _backup(profile, context),
        _access(profile),
        _audit(context.environ),
        _notifications(profile, rotations, context),
    ]


def _variables(profile: Profile, context: _Context) -> Item:
    if context.previous is None or context.previous in (profile.name, *profile.aliases):
        return items.variables(None, profile.name)
    prepared = prepare_sides(
        [context.previous, profile.name],
        profiles=context.folder,
        timeout_seconds=context.timeout_seconds,
        environ=context.environ,
    )
    found = accept(diff(*read_sides(prepared)), context.rules).diff
    return items.variables(found, profile.name)


def _rotations(profile: Profile, context: _Context) -> tuple[list[Rotation], dict[str, str]]:
    """Return the rotations of a profile, and the errors of those that are not valid."""
    if not profile.rotations:
        return [], {}
    from envkit.rotation.catalog import survey

    surveyed = survey(
        context.folder,
        [profile.name],
        environ=context.environ,
        deadline=Deadline(context.timeout_seconds),
    )
    broken = {name: error.message for name, error in surveyed.broken.items()}
    return [group[0] for group in surveyed.groups], broken


def _rotated(rotations: Sequence[Rotation], broken: Mapping[str, str], context: _Context) -> Item:
    from envkit.rotation.status_reading import read_statuses

    guard = current_guard()
    pairs = [(one.profile, one.policy.name) for one in rotations]
    refused = {} if guard is None else guard.before_rotations(pairs, reading=True)
    for error in refused.values():
        raise error
    statuses = read_statuses(
        rotations,
        environ=context.environ,
        now=context.now,
        deadline=Deadline(context.timeout_seconds),
    )
    return items.rotation(statuses, broken, context.now)


def _access(profile: Profile) -> Item:
    try:
        return items.access(read_rules(profile))
    except ProfileError as error:
        return items.access(None, error.message, error.hint)


def _backup(profile: Profile, context: _Context) -> Item:
    drill = last_drill(context.folder, profile.name, context.environ)
    made = _made_backups(profile.name, context.environ) if drill is not None else ()
    return items.backup(drill, made, context.now)


def _made_backups(environment: str, environ: Mapping[str, str]) -> list[str]:
    """Return the SHA-256 of each backup of an environment that this host's audit log names."""
    where = destination(environ)
    if where in (OFF, SYSLOG):
        return []
    try:
        return [
            one["file_sha256"]
            for one in records(where, containing=b',"file_sha256":')
            if one["command"] == "backup" and environment in one["profiles"]
        ]
    except EnvkitError:  # the item about the audit log says why
        return []


def _audit(environ: Mapping[str, str]) -> Item:
    where = destination(environ)
    if where in (OFF, SYSLOG):
        return items.audit(where, None, "")
    try:
        return items.audit(where, verify(where), "")
    except EnvkitError as error:
        return items.audit(where, None, error.message)


def _notifications(profile: Profile, rotations: Sequence[Rotation], context: _Context) -> Item:
    try:
        found = channels_of(profile, rotations)
    except ProfileError:
        found = channels_of(None, rotations)  # the item about access says what is wrong
    if not context.send_test or not found:
        return items.notifications(len(found), None)
    errors = try_channels(profile, found, rotations, environ=context.environ)
    return items.notifications(len(found), errors)
