"""Read a profile with the values that its stores had at a version or a time.

    prod@v12           every reference reads version 12 of its secret
    prod@2026-11-01    every reference reads the version that was current then

The profile itself is the current one, and references that pin a version stay pinned. If a store
does not know its past values, that is a failure and never a missing value.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.parallel import map_parallel
from envkit.errors import (
    DeniedError,
    InvalidReferenceError,
    NoVersionError,
    ProtocolError,
    SourceError,
    UnavailableError,
    UsageError,
)
from envkit.sources.model import Absent
from envkit.sources.protocols import VersionedSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from envkit._internal.clock import Deadline
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome, Version
    from envkit.sources.protocols import Source

WORKERS = 8


class Point(NamedTuple):
    """A point in the history of stores: either a version or a time.

    Attributes:
        version: the version of every secret.
        when: seconds since the epoch.
    """

    version: str | None = None
    when: float | None = None

    def __str__(self) -> str:
        if self.when is None:
            return str(self.version)
        from datetime import UTC, datetime

        return f"of {datetime.fromtimestamp(self.when, UTC):%Y-%m-%dT%H:%MZ}"


class Past(NamedTuple):
    """The result of `pin`.

    Attributes:
        prepared: the profile, with references that name a version.
        known: the outcomes of references that need no request.
        doubtful: the outcomes of references in case they turn out to be absent.
    """

    prepared: PreparedProfile
    known: Mapping[Reference, Outcome]
    doubtful: Mapping[Reference, SourceError]

    def outcomes(self, fetched: Mapping[Reference, Outcome]) -> dict[Reference, Outcome]:
        """Return all outcomes, given those of the requested references."""
        found = {**fetched, **self.known}
        for reference, error in self.doubtful.items():
            if isinstance(found[reference], Absent):
                found[reference] = error
        return found


def parse_point(text: str, now: datetime) -> Point:
    """Parse the text after `@`: `v12`, `2026-11-01`, `2026-11-01T09:30Z`.

    Args:
        text: a version, a day (meaning its start), or a time; local if it has no time zone.
        now: the current time, with a time zone; later points are refused.

    Raises:
        UsageError: the text has another form, or is in the future.
    """
    from datetime import datetime

    if text[:1] == "v" and text[1:].isascii() and text[1:].isdigit():
        return Point(version=text[1:])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'@{text}' is not a version or a date",
            hint="use @v12, @2026-11-01 or @2026-11-01T09:30Z",
        ) from None
    moment = moment if moment.tzinfo else moment.astimezone()  # with the offset of that day
    if moment > now:
        raise UsageError(
            f"'@{text}' is in the future", hint="write a date that is not in the future"
        )
    return Point(when=moment.timestamp())


def pin(prepared: PreparedProfile, point: Point, deadline: Deadline) -> Past:
    """Pin every reference of a profile to the version that was current at `point`."""
    pinned: dict[Reference, Reference] = {}
    known: dict[Reference, Outcome] = {}
    doubtful: dict[Reference, SourceError] = {}
    loose: list[tuple[Source, Reference]] = []
    for name, references in prepared.plan.references.items():
        source = prepared.sources[name]
        for reference in references:
            if reference.stage is not None:
                known[reference] = NoVersionError(
                    f"{reference} names a stage, which moves from version to version"
                )
            elif reference.version is None and not isinstance(source, VersionedSource):
                known[reference] = NoVersionError(f"'{name}' does not store versions")
            elif reference.version is None:
                loose.append((source, reference))
    for (_, reference), history in zip(loose, _histories(loose, deadline), strict=True):
        if point.version is not None and isinstance(history, DeniedError):
            # a version can be read without listing it; only an absent one stays in doubt
            pinned[reference] = reference._replace(version=point.version)
            doubtful[pinned[reference]] = history
            continue
        found = history if isinstance(history, Exception) else _choose(history, point, reference)
        if isinstance(found, str):
            pinned[reference] = reference._replace(version=found)
        else:
            known[reference] = found
    return Past(_replaced(prepared, pinned, known), known, doubtful)


def _histories(
    loose: Sequence[tuple[Source, Reference]], deadline: Deadline
) -> Iterable[Sequence[Version] | SourceError | InvalidReferenceError]:
    """Return the history of each reference's secret, with one request per secret."""
    secrets = {_secret(source, ref): (source, ref) for source, ref in loose}
    answers = map_parallel(
        lambda item: _history(*item), secrets.values(), workers=WORKERS, deadline=deadline
    )
    by_secret = dict(zip(secrets, answers, strict=True))
    for source, ref in loose:
        answer = by_secret[_secret(source, ref)]
        if answer.late:
            yield UnavailableError(f"no answer from '{source.name}' in time")
        else:
            yield answer.value


def _secret(source: Source, reference: Reference) -> tuple[str, ...]:
    """Return a key for the secret of a reference; files need none, they are cheap to read."""
    if source.remote:
        return source.name, reference.path
    return source.name, reference.path, reference.field or ""


def _history(
    source: Source, reference: Reference
) -> Sequence[Version] | SourceError | InvalidReferenceError:
    assert isinstance(source, VersionedSource)  # noqa: S101 - `pin` ensures it
    try:
        return source.history(reference)
    except (SourceError, InvalidReferenceError) as error:
        return error
    except Exception as bug:  # noqa: BLE001 - the message of a bug may contain a value
        return ProtocolError(f"the source '{source.name}' crashed: {type(bug).__name__}")


def _choose(
    history: Sequence[Version], point: Point, reference: Reference
) -> str | Absent | NoVersionError:
    """Return the version that was current at `point`, or why there is none."""
    counting = [version for version in history if _counts(version, point)]
    if not counting and _came_later(history, point):
        return Absent(f"no version {point} yet")
    if not counting:
        return NoVersionError(f"{reference}: the store has no version {point}")
    chosen = max(counting, key=lambda version: version.created or 0)
    if point.when is not None and (history[0].created or 0) < (chosen.created or 0):
        # an earlier version was restored, but it is unknown whether before or after that time
        return NoVersionError(f"{reference}: the store does not record when it was rolled back")
    if chosen.state in ("deleted", "destroyed"):
        return NoVersionError(f"{reference}: version {chosen.version} was {chosen.state}")
    return chosen.version


def _counts(version: Version, point: Point) -> bool:
    if point.when is None:
        return version.version == point.version
    return version.created is not None and version.created <= point.when


def _came_later(history: Sequence[Version], point: Point) -> bool:
    """Return whether a secret without a version at `point` was created after it."""
    if not history:
        return True
    if point.version is None:
        return history[-1].version == "1"  # otherwise older versions have been deleted
    return history[0].version.isdigit() and int(history[0].version) < int(point.version)


def _replaced(
    prepared: PreparedProfile,
    pinned: Mapping[Reference, Reference],
    known: Mapping[Reference, Outcome],
) -> PreparedProfile:
    plan = prepared.plan
    order = tuple(
        variable._replace(
            references={
                operand: tuple(pinned.get(ref, ref) for ref in refs)
                for operand, refs in variable.references.items()
            }
        )
        for variable in plan.order
    )
    asked = {
        name: tuple(pinned.get(ref, ref) for ref in refs if ref not in known)
        for name, refs in plan.references.items()
    }
    references = {name: refs for name, refs in asked.items() if refs}
    return prepared._replace(plan=plan._replace(order=order, references=references))
