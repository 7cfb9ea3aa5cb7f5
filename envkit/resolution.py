"""From profiles to an environment: plan, ask each source once, put the values together.

    env = resolve("prod")

What always holds: either every required variable has its value or a
`ResolutionError` names all that do not; an absent value is never taken for a
failed one; nothing waits beyond the deadline.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit.discover import profiles_folder
from envkit.environment import Environment, Variable
from envkit.errors import (
    InvalidReferenceError,
    ProtocolError,
    ResolutionError,
    SourceError,
    UnavailableError,
    UsageError,
    VariableFailure,
)
from envkit.evaluate import evaluate
from envkit.plan import plan, select
from envkit.profile import load
from envkit.secret import Secret
from envkit.sources.base import Absent
from envkit.sources.registry import bootstrap_names, open_source, store_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.placeholder import Reference
    from envkit.plan import Plan
    from envkit.profile import Profile
    from envkit.sources.base import Outcome, Source

DEFAULT_TIMEOUT_SECONDS = 15.0


class Prepared(NamedTuple):
    """A profile, what of it is wanted, and its opened sources; no store was asked yet."""

    profile: Profile
    plan: Plan
    sources: Mapping[str, Source]

    def locate(self, reference: Reference) -> str:
        """Return for people where a reference points."""
        return self.sources[reference.source].locate(reference)

    def store(self, source: str) -> object:
        """Return what is equal for sources of several profiles that ask the same store."""
        return store_identity(self.profile, source)


def resolve(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, Source] | None = None,
) -> Environment:
    """Resolve one environment, or several of which later ones win.

    Args:
        environments: names or aliases of profiles; `ENVKIT_ENV` where none is given.
        profiles: the folder of profiles; else `ENVKIT_PROFILES`; else found by walking up.
        only: globs; variables that match none of them are left out.
        exclude: globs; variables that match one of them are left out.
        overrides: literal values that win over the profiles.
        timeout_seconds: for all stores together.
        environ: the process environment; `os.environ` unless given.
        sources: used in place of the profile's sources of these names.

    Returns:
        the variables with their values and provenance.

    Raises:
        ProfileError: a profile is not there or not valid.
        ResolutionError: variables that are required have no value; it names all of them.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    prepared = prepare(
        environments,
        profiles=profiles,
        only=only,
        exclude=exclude,
        overrides=overrides,
        environ=environ,
        deadline=deadline,
        sources=sources,
    )
    outcomes = fetch(prepared, deadline)
    variables: dict[str, Variable] = {}
    failures: list[VariableFailure] = []
    for one, outcome in zip(prepared, outcomes, strict=True):
        found, failed = evaluate(one.plan, outcome, one.locate)
        variables.update(found)
        failures.extend(failed)
    if failures:
        raise ResolutionError(_joined(prepared), failures)
    for name, value in (overrides or {}).items():
        variables[name] = Variable(name, Secret(value), False, "", None, note="--set")  # noqa: FBT003
    return Environment(
        _joined(prepared),
        variables.values(),
        bootstrap=frozenset().union(
            *(bootstrap_names(one.profile.sources.values()) for one in prepared)
        ),
    )


def prepare(
    environments: Sequence[str],
    *,
    profiles: str | None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
) -> list[Prepared]:
    """Load and plan the profiles and open their sources; ask no store.

    A variable that a later profile or `overrides` gives is not planned in an earlier one.

    Raises:
        UsageError: no environment is named.
        ProfileError: a profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """
    folder = profiles_folder(profiles, environ)
    names = list(environments) or [name for name in (environ.get("ENVKIT_ENV"),) if name]
    if not names:
        raise UsageError("no environment is named", hint="use --env NAME, or set ENVKIT_ENV")
    loaded = [load(name, folder) for name in names]
    taken = set(overrides or ())
    prepared: list[Prepared] = []
    for profile in reversed(loaded):
        wanted = select((n for n in profile.variables if n not in taken), only, exclude)
        taken.update(wanted)
        planned = plan(profile, wanted)
        opened = {
            name: (sources or {}).get(name)
            or open_source(profile, name, environ=environ, deadline=deadline)
            for name in planned.references
        }
        one = Prepared(profile, planned, opened)
        _check(one)
        prepared.insert(0, one)
    return prepared


def _check(one: Prepared) -> None:
    failures = []
    for variable in one.plan.order:
        for reference in (ref for refs in variable.references.values() for ref in refs):
            try:
                one.sources[reference.source].check(reference)
            except InvalidReferenceError as error:
                place = str(variable.declaration.location)
                failures.append(VariableFailure(variable.name, place, error))
    if failures:
        raise ResolutionError(one.profile.name, failures)


class Partial(NamedTuple):
    """One environment as far as it could be read."""

    profile: Profile
    environment: Environment
    failures: tuple[VariableFailure, ...]


def read(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, Source] | None = None,
) -> list[Partial]:
    """Read several environments side by side, each as far as its stores allow.

    Args:
        environments: names or aliases of profiles; each is read for itself.
        profiles, only, exclude, timeout_seconds, environ, sources: as for `resolve`.

    Returns:
        per environment the variables that have a value, and why others have none.

    Raises:
        ProfileError: a profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    prepared = [
        one
        for name in environments
        for one in prepare(
            (name,),
            profiles=profiles,
            only=only,
            exclude=exclude,
            environ=environ,
            deadline=deadline,
            sources=sources,
        )
    ]
    partials = []
    for one, outcomes in zip(prepared, fetch(prepared, deadline), strict=True):
        found, failures = evaluate(one.plan, outcomes, one.locate)
        environment = Environment(one.profile.name, found.values())
        partials.append(Partial(one.profile, environment, tuple(failures)))
    return partials


def fetch(prepared: Sequence[Prepared], deadline: Deadline) -> list[dict[Reference, Outcome]]:
    """Ask every source once; those behind a network in parallel.

    What several profiles read from the same place of the same store is read once.

    Returns:
        per profile and reference what its source said; an error where it failed.
    """
    results: list[dict[Reference, Outcome]] = [{} for _ in prepared]
    remote: list[tuple[int, Source, list[Reference]]] = []
    first: dict[object, tuple[int, Reference]] = {}
    shared: list[tuple[int, Reference, int, Reference]] = []
    for index, one in enumerate(prepared):
        for name, references in one.plan.references.items():
            source = one.sources[name]
            if not source.remote:
                results[index].update(ask(source, references))
                continue
            own = []
            for reference in references:
                place = (one.store(name), source.locate(reference), reference[3:])
                owner = first.setdefault(place, (index, reference))
                if owner == (index, reference):
                    own.append(reference)
                else:
                    shared.append((index, reference, *owner))
            if own:
                remote.append((index, source, own))
    if remote:
        _ask_all(remote, results, deadline)
    for index, reference, owner_index, owner_reference in shared:
        results[index][reference] = results[owner_index][owner_reference]
    return results


def _ask_all(
    remote: Sequence[tuple[int, Source, list[Reference]]],
    results: list[dict[Reference, Outcome]],
    deadline: Deadline,
) -> None:
    from envkit._internal.parallel import map_parallel

    answers = map_parallel(
        lambda item: ask(item[1], item[2]), remote, workers=len(remote), deadline=deadline
    )
    for (index, source, references), answer in zip(remote, answers, strict=True):
        if isinstance(answer, dict):
            results[index].update(answer)
        elif answer is None:
            error = _too_late(source.name, deadline)
            results[index].update(dict.fromkeys(references, error))
        else:
            raise answer  # only what is no Exception gets here: an interrupt


def ask(source: Source, references: Sequence[Reference]) -> dict[Reference, Outcome]:
    """Return what a source says of each reference; whatever it raises is made an outcome."""
    failure: Outcome
    try:
        found = source.fetch(references)
    except (SourceError, InvalidReferenceError) as error:
        failure = error
    except Exception as bug:  # noqa: BLE001 - what a bug says may show a value
        failure = ProtocolError(f"the source '{source.name}' broke: {type(bug).__name__}")
    else:
        return {reference: found.get(reference, Absent()) for reference in references}
    return dict.fromkeys(references, failure)


def _too_late(name: str, deadline: Deadline) -> UnavailableError:
    return UnavailableError(
        f"no answer from '{name}' within {deadline.timeout_seconds:g} s",
        hint="check the store's address, or give it more time with --timeout",
    )


def _joined(prepared: Sequence[Prepared]) -> str:
    return "+".join(one.profile.name for one in prepared)
