"""Choose and read the environments whose values a scan searches for.

The user names environments; then a value that cannot be read is a failure. Otherwise a scan uses
every value that envkit can read on this machine, and never contacts a store: so a hook can run
before each commit, without a login and without a question.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.errors import (
    AbsentError,
    EnvkitError,
    ProfileError,
    ProfileNotFoundError,
    ResolutionError,
)
from envkit.profile.discovery import profile_names
from envkit.profile.loader import load
from envkit.resolution.evaluate import evaluate
from envkit.resolution.failing_source import open_or_fail
from envkit.resolution.fetch import fetch
from envkit.resolution.plan import plan
from envkit.resolution.prepare import prepare_profile
from envkit.scan.values import EnvironmentValues, Stored
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.errors import VariableFailure
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.environment import Variable
    from envkit.resolution.plan import Plan
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome

_LOCAL_TYPES = frozenset(("dotenv", "env"))


class Chosen(NamedTuple):
    """The environments to read, before any store was contacted.

    Attributes:
        prepared: their profiles, with the variables to read.
        left_out: the values that are not read by default, in sentences.
        notes: the profiles that cannot be used, in sentences.
        explicit: whether the user named them.
    """

    prepared: tuple[PreparedProfile, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    explicit: bool


class Read(NamedTuple):
    """One environment as far as it could be read.

    Attributes:
        profile: its profile.
        variables: the variables with a value.
        failures: the required variables without one.
        stored: variable -> the texts in stores from which its value is computed.
    """

    profile: Profile
    variables: tuple[Variable, ...]
    failures: tuple[VariableFailure, ...]
    stored: Mapping[str, Sequence[Stored]]

    @property
    def values(self) -> EnvironmentValues:
        """What to search for may be chosen from these values."""
        return EnvironmentValues(
            self.profile.name, self.variables, self.profile.variables, self.stored
        )

    @property
    def is_empty(self) -> bool:
        """Whether values are missing and none was read: perhaps this is the wrong machine."""
        return bool(self.absent) and not any(one.origins for one in self.variables)

    @property
    def absent(self) -> list[str]:
        """The required variables that no store has."""
        return [one.name for one in self.missing]

    @property
    def missing(self) -> list[VariableFailure]:
        """Why no store has a value for them."""
        return [one for one in self.failures if isinstance(one.error, AbsentError)]

    @property
    def failed(self) -> list[VariableFailure]:
        """The variables that could not be read."""
        return [one for one in self.failures if not isinstance(one.error, AbsentError)]


def choose(
    environments: Sequence[str],
    folder: str,
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    has_reason: bool,
    is_closed: Callable[[Profile], bool] = lambda _: False,
) -> Chosen:
    """Load and plan the environments to read, and open their sources.

    Args:
        environments: names or aliases of profiles; default: every local value of every profile.
        folder: the folder of profiles.
        environ: the process environment.
        deadline: when the whole operation must be done.
        has_reason: whether protected profiles may be used without being named.
        is_closed: whether the person may not use a profile at this time.

    Raises:
        ProfileError: a named profile is missing or not valid, or there is no profile.
        ResolutionError: references of a named profile are not valid.
        UntrustedError: a profile needs trust that the user has not given.
    """
    if environments:
        named = {one.name: one for one in (load(name, folder) for name in environments)}
        prepared = [
            _prepared(one, list(one.variables), environ, deadline) for one in named.values()
        ]
        return Chosen(tuple(prepared), (), (), explicit=True)
    names = profile_names(folder)
    if not names:
        raise ProfileNotFoundError(
            f"no profile in {display_path(folder)}", hint="run 'envkit init' to create one"
        )
    found: list[PreparedProfile] = []
    left_out: list[str] = []
    notes: list[str] = []
    for profile in _loaded(names, folder, notes):
        try:
            local, remote = _split(profile)
            if remote:
                left_out.append(
                    f"not searched for: {_count(remote)} of {profile.name} in remote stores; "
                    f"to read them, use --env {profile.name}"
                )
            if local and profile.protected and not has_reason:
                left_out.append(
                    f"not searched for: the values of {profile.name}, which is protected; "
                    "to read them, use --reason"
                )
            elif local and is_closed(profile):
                left_out.append(
                    f"not searched for: the values of {profile.name}, because it is outside its "
                    "hours; to read them, use --break-glass --reason TEXT"
                )
            elif local:
                found.append(_prepared(profile, local, environ, deadline))
        except (ProfileError, ResolutionError) as error:
            notes.append(_unusable(profile.name, error))
    return Chosen(tuple(found), tuple(left_out), tuple(notes), explicit=False)


def read(chosen: Chosen, deadline: Deadline) -> list[Read]:
    """Read all environments in parallel, each as far as its stores allow."""
    outcomes = fetch(chosen.prepared, deadline)
    found = []
    for one, outcome in zip(chosen.prepared, outcomes, strict=True):
        variables, failures = evaluate(one.plan, outcome, one.locate)
        wanted = set(one.plan.selected)
        own = [failure for failure in failures if failure.name in wanted]
        found.append(
            Read(one.profile, tuple(variables.values()), tuple(own), _stored(one.plan, outcome))
        )
    return found


def _stored(planned: Plan, outcomes: Mapping[Reference, Outcome]) -> dict[str, list[Stored]]:
    """Return the texts of stores that each variable uses, also through other variables."""
    found: dict[str, list[Stored]] = {}
    for variable in planned.order:
        own = found[variable.name] = []
        for references in variable.references.values():
            for reference in references:
                outcome = outcomes[reference]
                if isinstance(outcome, Reading):
                    name = reference.field or reference.path.rpartition("/")[2]
                    own.append(Stored(name, outcome.value))
                    break
        for need in variable.variables.values():
            own += found[need]
    return found


def files_of(prepared: Sequence[PreparedProfile]) -> frozenset[str]:
    """Return the real paths of the `.env` files in which environments look up values."""
    return frozenset(
        os.path.realpath(path)
        for one in prepared
        for name, references in one.plan.references.items()
        for source in [one.sources[name]]
        if isinstance(source, DotenvSource)
        for reference in references
        for path in source.files(reference)
    )


def _loaded(names: Sequence[str], folder: str, notes: list[str]) -> list[Profile]:
    """Return the profiles, except those that others only extend."""
    loaded: dict[str, Profile] = {}
    for name in names:
        try:
            profile = load(name, folder)
        except ProfileError as error:
            notes.append(_unusable(name, error))
        else:
            loaded[profile.name] = profile
    bases = {path for one in loaded.values() for path in one.files if path != one.path}
    return [profile for profile in loaded.values() if profile.path not in bases]


def _split(profile: Profile) -> tuple[list[str], list[str]]:
    """Return the variables whose values are on this machine, and those with a remote value.

    Variables without a placeholder are in neither list: nothing has to be read for them.
    """
    local: set[str] = set()
    remote: set[str] = set()
    planned = plan(profile, profile.variables)
    for variable in planned.order:
        needs = set(variable.variables.values())
        asked = {reference.source for refs in variable.references.values() for reference in refs}
        types = {profile.sources[source].type for source in asked}
        if not types <= _LOCAL_TYPES or needs & remote:
            remote.add(variable.name)
        elif asked or needs & local:
            local.add(variable.name)
    selected = planned.selected
    return [one for one in selected if one in local], [one for one in selected if one in remote]


def _prepared(
    profile: Profile, names: Sequence[str], environ: Mapping[str, str], deadline: Deadline
) -> PreparedProfile:
    return prepare_profile(profile, names, environ=environ, deadline=deadline, open_=open_or_fail)


def _count(names: Sequence[str]) -> str:
    return "1 value" if len(names) == 1 else f"{len(names)} values"


def _unusable(name: str, error: EnvkitError) -> str:
    return f"not searched for: the values of {name}: {error.message}"
