"""Read each source of a plan once.

Remote sources are read in parallel, until the deadline. The outcomes are values, absences and
envkit's own errors. For any other exception, only its type is reported.
"""

from __future__ import annotations

from envkit.errors import InvalidReferenceError, ProtocolError, SourceError, UnavailableError
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


def fetch(
    prepared: Sequence[PreparedProfile], deadline: Deadline
) -> list[dict[Reference, Outcome]]:
    """Read every source once; read remote sources in parallel.

    If several profiles read the same location in the same store, it is read once.

    Returns:
        for each profile and reference, the answer of its source or an error.
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
        if answer.late:
            error = _too_late(source.name, deadline)
            results[index].update(dict.fromkeys(references, error))
        else:
            results[index].update(answer.value)


def ask(source: Source, references: Sequence[Reference]) -> dict[Reference, Outcome]:
    """Return the outcome of each reference; convert an exception into an outcome."""
    try:
        found = source.fetch(references)
        get = found.get  # fails for a list of pairs
        outcomes = dict(found)
        for ref in references:
            outcome = outcomes.get(ref)
            if type(outcome) is not Absent and (
                type(outcome) is not Reading or type(outcome.value) is not Secret
            ):
                outcomes[ref] = _checked(source, get(ref, Absent()))
    except (SourceError, InvalidReferenceError) as error:
        return dict.fromkeys(references, error)
    except Exception as bug:  # noqa: BLE001 - what a bug says may show a value
        return dict.fromkeys(references, _broke(source, bug))
    if len(outcomes) == len(references):
        return outcomes
    return {ref: outcomes[ref] for ref in references}  # the source may return more than requested


def _checked(source: Source, outcome: object) -> Outcome:
    """Return an outcome if it is valid; never show what a plug-in returned instead."""
    if isinstance(outcome, Reading) and isinstance(outcome.value, Secret):
        return outcome
    if isinstance(outcome, (Absent, SourceError, InvalidReferenceError)):  # faster than a union
        return outcome
    return _broke(source, outcome)


def _broke(source: Source, bug: object) -> ProtocolError:
    return ProtocolError(f"the source '{source.name}' crashed: {type(bug).__name__}")


def _too_late(name: str, deadline: Deadline) -> UnavailableError:
    return UnavailableError(
        f"no answer from '{name}' within {deadline.timeout_seconds:g} s",
        hint="check the store's address, or set a longer --timeout",
    )
