"""Find the rotations of a folder of profiles, one for each secret. Reads no store.

A profile that others extend is a base. Its rotations run in the profiles that extend it, and for
the base itself only if it is named. Two profiles may rotate the same secret if both tables are
the same: the first profile then rotates it, once. Otherwise the error shows both places.

A profile that cannot be read does not hide the rotations of another.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.suggestions import Meant, closest
from envkit.errors import (
    EnvkitError,
    ProfileError,
    ProfileNotFoundError,
    UntrustedError,
    UsageError,
)
from envkit.profile.discovery import profile_names, profile_path
from envkit.profile.loader import load
from envkit.rotation_state.policy import Policy, policy
from envkit.rotation_state.stores.registry import open_store, value_field
from envkit.sources.protocols import GroupWrite
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.sources.protocols import Source

# these settings choose a login or a path within the store, not the store itself
_ACCESS_SETTINGS = ("auth", "mount", "prefix", "path", "concurrency")
_MAX_LISTED = 8


class Rotation(NamedTuple):
    """One rotation and the profile that runs it.

    Attributes:
        policy: the settings of the rotation.
        profile: the profile that runs it; `shared` has the names of all profiles that define it.
        location: of the secret, for people.
    """

    policy: Policy
    profile: Profile
    shared: tuple[str, ...]
    location: str

    @property
    def full_name(self) -> str:
        """The names of the profile and the rotation: `prod/db-password`."""
        return self.policy.full_name

    def __repr__(self) -> str:
        return f"Rotation({self.full_name})"


class Collected(NamedTuple):
    """All rotations of the chosen profiles, and the errors of the others.

    Attributes:
        rotations: sorted by name.
        broken: the errors, by the name of a profile or of a rotation.
        survey: the rotations of all profiles; None if only some profiles were read.
    """

    rotations: tuple[Rotation, ...]
    broken: Mapping[str, EnvkitError]
    survey: Survey | None = None


class Survey(NamedTuple):
    """All rotations in a folder of profiles, including contradictory ones.

    Attributes:
        groups: one for each secret that a chosen profile rotates, with all of its rotations.
        broken: the errors, by the name of a profile or of a rotation.
        profiles: all profiles that were read, chosen or not.
    """

    groups: tuple[tuple[Rotation, ...], ...]
    broken: Mapping[str, EnvkitError]
    profiles: tuple[Profile, ...]


def collect(
    folder: str,
    environments: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> Collected:
    """Collect the rotations of profiles.

    Args:
        folder: absolute path of the folder of profiles.
        environments: names or aliases; default: all profiles.
        environ: the process environment.
        deadline: when the whole operation must be done.

    Raises:
        ProfileNotFoundError: a named profile does not exist.
        ProfileError: two rotations of one secret differ.
    """
    surveyed = survey(folder, environments, environ=environ, deadline=deadline)
    for first, *others in surveyed.groups:
        for other in others:
            if not first.policy.same_as(other.policy):
                raise conflict_error(first, other)
    found = sorted((group[0] for group in surveyed.groups), key=lambda one: one.full_name)
    return Collected(tuple(found), surveyed.broken, None if environments else surveyed)


def survey(
    folder: str,
    environments: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> Survey:
    """Find the rotations of profiles like `collect`, but do not check that they agree.

    Raises:
        ProfileNotFoundError: a named profile does not exist.
    """
    loaded, chosen, broken = _load_all(folder, environments)
    locator = _Locator(environ, deadline)
    places: dict[object, list[Rotation]] = {}
    for profile in loaded:
        for name in profile.rotations:
            try:
                written = policy(profile, name)
                place, location = locator.locate(profile, written)
            except EnvkitError as error:
                broken[f"{profile.name}/{name}"] = error
                continue
            rotation = Rotation(written, profile, (profile.name,), location)
            places.setdefault(place, []).append(rotation)
    groups = []
    for same in places.values():
        shared = tuple(rotation.profile.name for rotation in same)
        if chosen.intersection(shared):
            groups.append(tuple(rotation._replace(shared=shared) for rotation in same))
    errors = {name: error for name, error in broken.items() if name.partition("/")[0] in chosen}
    return Survey(tuple(groups), errors, tuple(loaded))


def pick(
    rotations: Iterable[Rotation], names: Sequence[str], *, also: Iterable[str] = ()
) -> list[Rotation]:
    """Return the rotations with these names, `db-password` or `prod/db-password`.

    Args:
        rotations: from `collect`.
        names: the names to pick.
        also: other words that the user could have meant, for the hint.

    Raises:
        UsageError: a name matches no rotation, or several.
    """
    rotations = list(rotations)
    picked: dict[str, Rotation] = {}
    for name in names:
        found = [one for one in rotations if name in _names(one)]
        if not found:
            raise UsageError(
                f"no rotation '{name}'", hint=_unknown_name_hint(name, rotations, also)
            )
        if len(found) > 1:
            several = " and ".join(one.full_name for one in found)
            raise UsageError(
                f"'{name}' is ambiguous: {several}",
                hint=f"run: envkit rotate {found[0].full_name}",
            )
        picked[found[0].full_name] = found[0]
    return list(picked.values())


def is_named(rotations: Iterable[Rotation], name: str) -> bool:
    """Return whether any of the rotations has a name, `db-password` or `prod/db-password`."""
    return any(name in _names(one) for one in rotations)


def conflict_error(one: Rotation, other: Rotation) -> ProfileError:
    """Return the error for two rotations of one secret that differ."""
    return ProfileError(
        f"{one.full_name} ({one.policy.place}) and {other.full_name} ({other.policy.place}) "
        f"rotate the same secret, {one.location}, with different settings",
        hint="declare it once, in a profile that both extend, or give both the same name and keys",
    )


def _unknown_name_hint(name: str, rotations: Sequence[Rotation], also: Iterable[str]) -> str:
    """Return the hint for a name that matches no rotation."""
    own = {one.policy.name for one in rotations}
    words = own if "/" not in name else {word for one in rotations for word in _names(one)}
    if (match := closest(name, words) or closest(name, also)) is not None:
        return Meant(name, match)
    if 0 < len(own) <= _MAX_LISTED:
        return f"use one of: {', '.join(sorted(own))}"
    return "run 'envkit rotate status' to list all rotations"


def _names(rotation: Rotation) -> set[str]:
    name = rotation.policy.name
    return {name, *(f"{profile}/{name}" for profile in rotation.shared)}


def _load_all(
    folder: str, environments: Sequence[str]
) -> tuple[list[Profile], set[str], dict[str, EnvkitError]]:
    """Load every profile except those that are only extended by others.

    Returns:
        The profiles, the names of the chosen ones, and the errors of the others.
    """
    loaded: dict[str, Profile] = {}
    broken: dict[str, EnvkitError] = {}
    chosen = set()
    for name in dict.fromkeys((*environments, *profile_names(folder))):
        try:
            profile = load(name, folder)
        except ProfileNotFoundError as error:
            if profile_path(folder, name) is None:
                raise
            broken[name] = error  # a profile that it extends does not exist
        except ProfileError as error:
            broken[name] = error
        else:
            loaded[profile.name] = profile
            if name in environments:
                chosen.add(profile.name)
    bases = {path for one in loaded.values() for path in one.files if path != one.path}
    runnable = [one for one in loaded.values() if one.path not in bases or one.name in chosen]
    if environments:
        chosen.update(broken.keys() & set(environments))
    else:
        chosen = {*broken, *(one.name for one in runnable)}
    return sorted(runnable, key=lambda one: one.name), chosen, broken


class _Locator:
    """Locates the values of rotations; opens each source, and reads each file, once."""

    def __init__(self, environ: Mapping[str, str], deadline: Deadline) -> None:
        self._environ = environ
        self._deadline = deadline
        self._already_read: dict[object, Any] = {}
        self._opened: dict[tuple[str, str], Source] = {}

    def locate(self, profile: Profile, policy: Policy) -> tuple[object, str]:
        """Return a key that rotations of the same value share, and the location for people."""
        secret = policy.secret
        source = self._source(profile, secret.source)
        source.check(secret)
        location = source.locate(secret)
        try:
            field = value_field(source, secret)
            if profile.sources[secret.source].type == "dotenv":
                assert isinstance(source, GroupWrite)  # noqa: S101 - as `value_field` says
                return ("file", self._file(source, secret, location), field), location
            identity = open_store(source, secret, (field,), self._deadline).identity
        except ProfileError:  # not a store for rotations: opening it reports the error
            identity = location
        key = identity.removeprefix(f"{secret.source}:")
        return (store_key(profile, secret.source), key), location

    @staticmethod
    def _file(source: GroupWrite, secret: Reference, location: str) -> str:
        """Return the real path of a `.env` file; `location` if the user must trust it first.

        The rotation is collected anyway: the caller that opens it asks for trust.
        """
        try:
            return source.group(secret)
        except UntrustedError:
            return location

    def _source(self, profile: Profile, name: str) -> Source:
        opened = self._opened.get((profile.name, name))
        if opened is None:
            opened = self._opened[profile.name, name] = open_source(
                profile,
                name,
                environ=self._environ,
                deadline=self._deadline,
                locating=True,
                already_read=self._already_read,
            )
        return opened


def store_key(profile: Profile, source: str) -> object:
    """Return a key that is equal for all sources of one store, whatever their login."""
    spec = profile.sources[source]
    settings = {key: value for key, value in spec.settings.items() if key not in _ACCESS_SETTINGS}
    return spec.type, repr(sorted(settings.items()))
