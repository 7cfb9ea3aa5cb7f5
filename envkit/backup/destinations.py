"""Find where the values of a backup belong: at the same places, or at those of another environment.

For another environment, each variable gets the value of the variable with the same name, wherever
its own profile stores it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from envkit.backup.format import SavedSecret
from envkit.backup.places import (
    ENVIRONMENT,
    open_places,
    places,
    refused_references,
    with_rotated_fields,
    without,
)
from envkit.backup.replay import profile_of, replayed
from envkit.backup.restore_plan import Wanted, wanted
from envkit.errors import AbsentError, EnvkitError, VariableFailure
from envkit.promotion.values import values_for
from envkit.resolution.fetch import ask
from envkit.resolution.plan import plan
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.backup.format import EnvironmentBackup
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Placeholder, Reference
    from envkit.resolution.plan import PlannedVariable
    from envkit.resolution.prepare import PreparedProfile
    from envkit.secret import Secret
    from envkit.sources.model import Outcome


class EnvironmentRestore(NamedTuple):
    """What to restore to the stores of one profile.

    Attributes:
        prepared: the profile with the opened sources, and the references to read.
        wanted: the chosen values.
        unused: those whose places the profile no longer reads.
        values: all values of the backup, by their new references.
        lacking: what the backup should have and does not.
    """

    prepared: PreparedProfile
    wanted: tuple[Wanted, ...]
    unused: tuple[Wanted, ...]
    values: Mapping[Reference, Secret]
    lacking: tuple[VariableFailure, ...]

    def __repr__(self) -> str:
        return f"EnvironmentRestore({self.prepared.profile.name!r})"


def prepare_environment(
    environment: EnvironmentBackup,
    profile: Profile,
    only: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> EnvironmentRestore:
    """Find the places for a part of a backup, and open their sources; contact no store.

    Args:
        environment: the part of the backup.
        profile: whose stores are written.
        only: globs for variables or references; the others are not restored.
        environ: the process environment.
        deadline: nothing waits longer.

    Raises:
        UntrustedError: the profile needs trust that the user has not given.
        ProfileError: a profile is not valid.
    """
    hint = f"restore it from an older backup, or run 'envkit set NAME --env {profile.name}'"
    lacking = [
        VariableFailure(
            ", ".join(one.names),
            one.where,
            AbsentError(f"not in the backup: {one.message}", hint=hint),
        )
        for one in environment.failed
    ]
    known = places(profile)
    if environment.name in (profile.name, *profile.aliases):  # it may have been renamed
        values = [
            one._replace(names=_users(one.reference, known.names) or one.names)
            for one in wanted(environment.secrets)
        ]
    else:
        values, more = _elsewhere(environment, profile)
        lacking += more
    matching = [one for one in values if _matches([*one.names, str(one.reference)], only)]
    secrets = {reference[:2] for reference in known.names}
    nearby = [one for one in matching if one.reference[:2] in secrets]
    prepared = open_places(profile, _by_source(nearby), environ=environ, deadline=deadline)
    opened = {ref: users for ref, users in known.names.items() if ref.source in prepared.sources}
    rotated = with_rotated_fields(
        known._replace(names=opened), prepared, environ=environ, deadline=deadline
    )
    chosen = [one for one in nearby if _users(one.reference, rotated.names)]
    # a rotation may spell a reference in another way
    there = {one.where for one in values if _users(one.reference, known.names)}
    asked = _by_source(chosen)
    invalid = refused_references(prepared, asked)
    return EnvironmentRestore(
        prepared.reading(without(asked, invalid)),
        tuple(one._replace(obstacle=invalid.get(one.reference, one.obstacle)) for one in chosen),
        tuple(one for one in matching if one not in chosen and one.where not in there),
        {one.reference: one.value for one in values},
        tuple(one for one in lacking if _matches(one.name.split(", "), only)),
    )


def _matches(texts: Sequence[str], only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(text, glob) for text in texts for glob in only)


def _users(reference: Reference, known: Mapping[Reference, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the variables of a profile that read a place, or its whole secret."""
    return known.get(reference) or known.get(reference._replace(field=WHOLE), ())


def _by_source(values: Sequence[Wanted]) -> dict[str, tuple[Reference, ...]]:
    found: dict[str, dict[Reference, None]] = {}
    for one in values:
        for reference in (one.reference, *one.others):
            found.setdefault(reference.source, {})[reference] = None
    return {source: tuple(references) for source, references in found.items()}


def _elsewhere(
    environment: EnvironmentBackup, profile: Profile
) -> tuple[list[Wanted], list[VariableFailure]]:
    """Return the values of a backup for the places of another environment, and what it lacks."""
    ours = replayed(profile_of(environment), environment).prepared
    saved = {one.reference: one for one in environment.secrets}
    outcomes = {
        reference: outcome
        for source, references in ours.plan.references.items()
        for reference, outcome in ask(ours.sources[source], references).items()
    }
    theirs = {one.name: one for one in plan(profile, profile.variables).order}
    found: dict[Reference, Wanted] = {}
    lacking = []
    for variable in ours.plan.order:
        try:
            for value, placeholder, references in _pairs(variable, theirs, outcomes):
                to = _candidates(theirs[variable.name], placeholder, profile)
                version = next((saved[ref].version for ref in references if ref in saved), None)
                if not to:
                    continue
                store = profile.sources[to[0].source].type
                one = SavedSecret((variable.name,), to[0], str(to[0]), store, version, value)
                for each in wanted([one]):
                    found.setdefault(each.reference, each._replace(others=to[1:]))
        except EnvkitError as error:
            lacking.append(VariableFailure(variable.name, variable.declaration.place, error))
    return list(found.values()), lacking


def _pairs(
    variable: PlannedVariable,
    theirs: Mapping[str, PlannedVariable],
    outcomes: Mapping[Reference, Outcome],
) -> Iterator[tuple[Secret, Placeholder, Sequence[Reference]]]:
    """Yield the values of a variable that come from a store, with their places in the other one."""
    if variable.name in theirs:
        for value, placeholder, references in values_for(variable, theirs[variable.name], outcomes):
            if references:  # a literal is in the profile
                yield value, placeholder, references


def _candidates(
    variable: PlannedVariable, placeholder: Placeholder, profile: Profile
) -> tuple[Reference, ...]:
    """Return the references of a placeholder to stores."""
    return tuple(
        reference
        for reference in variable.references[placeholder.operand]
        if profile.sources[reference.source].type != ENVIRONMENT
    )
