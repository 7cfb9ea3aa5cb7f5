"""Evidence of who still uses the old credential of a rotation. Pure; it has no value.

A rotator looks at its target and returns a `Usage`. The rotation record stores the evidence of
all looks of one grace period, because one look misses connections that are short:

    evidence = after_look(record.evidence, usage, now)
    if worth_saving(record.evidence, evidence, promoted_at, retire_at, pace_seconds=60):
        ...
    describe(evidence)      # "3 sessions of app_a from 10.0.0.5 'gunicorn'"

A look that failed is no evidence that the credential is unused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MAX_READERS = 10  # in a record; the others are counted
MAX_TEXT = 64  # characters of a name that a client chose itself
MAX_MESSAGE = 256  # characters of a message
MAX_REMEMBERED = 10_000  # rotations of one process
MAX_SESSIONS = 1_000_000_000  # a record with more would be invalid
_SHOWN = 3
_MAX_TIME = 1e11
_CUT_BYTES = 60  # a target may have cut a name that is longer: PostgreSQL does after 63
_LEAST_PART = 4  # characters of a value at the end of such a name


class Reader(NamedTuple):
    """One program that uses a credential. The names are those that the target reports.

    Attributes:
        user: the user that it logged in as.
        address: the address of the client, without a port; empty if not visible.
        application: the name that the client gave itself; empty if it gave none.
        sessions: the number of open sessions; 0 if the target has no sessions.
        since: when the oldest session began, seconds since the epoch; 0 if not visible.
        seen_at: when it was last seen, seconds since the epoch; 0 means by this look.
    """

    user: str
    address: str = ""
    application: str = ""
    sessions: int = 1
    since: float = 0.0
    seen_at: float = 0.0


class Usage(NamedTuple):
    """The result of one look at a target.

    Attributes:
        readers: the programs that use the old credential.
        not_visible: what the target does not show and why, for people; empty for nothing.
    """

    readers: tuple[Reader, ...] = ()
    not_visible: str = ""


class Evidence(NamedTuple):
    """The result of all looks since the grace period began. Times are seconds since the epoch.

    Attributes:
        seen_at: when the old credential was last seen in use; 0 for never.
        looked_at: when a look last succeeded; 0 for never.
        tried_at: when a look was last tried.
        error: why the last look failed; empty if it succeeded. Never a value.
        not_visible: as in `Usage`, of the last look that succeeded.
        readers: the programs that were seen, the latest first.
        unlisted: the number of programs that were seen and that `readers` has no room for.
    """

    seen_at: float = 0.0
    looked_at: float = 0.0
    tried_at: float = 0.0
    error: str = ""
    not_visible: str = ""
    readers: tuple[Reader, ...] = ()
    unlisted: int = 0

    @property
    def in_use(self) -> bool:
        """Whether the last look that succeeded has seen a program."""
        return 0 < self.looked_at <= self.seen_at

    @property
    def sessions(self) -> int:
        """The number of sessions that the last successful look has seen."""
        return sum(one.sessions for one in self.readers if one.seen_at >= self.looked_at)

    @property
    def present(self) -> tuple[Reader, ...]:
        """The programs that were seen when the credential was last seen in use."""
        return tuple(one for one in self.readers if one.seen_at >= self.seen_at)


def after_look(
    evidence: Evidence, usage: Usage, now: float, hidden: Sequence[str] = ()
) -> Evidence:
    """Return the evidence after a look that succeeded.

    Args:
        evidence: before it.
        usage: the result of the look.
        now: seconds since the epoch.
        hidden: values that must not appear in a record.
    """
    found = {_key(one): one for one in evidence.readers}
    this_look: set[Reader] = set()
    for one in usage.readers:
        reader = one._replace(
            user=_text(one.user, hidden),
            address=_text(one.address, hidden),
            application=_text(one.application, hidden),
            sessions=_number(one.sessions),
            since=_time(one.since),
            seen_at=min(_time(one.seen_at) or now, now),
        )
        known = found.get(_key(reader))
        if known is not None and known in this_look:  # on several servers
            reader = reader._replace(sessions=_number(reader.sessions + known.sessions))
        if known is None or reader.seen_at >= known.seen_at:
            found[_key(reader)] = reader
            this_look.add(reader)
    ordered = sorted(found.values(), key=lambda one: (-one.seen_at, -one.sessions, one))
    return Evidence(
        seen_at=max((one.seen_at for one in ordered), default=0.0),
        looked_at=now,
        tried_at=now,
        not_visible=_text(usage.not_visible, hidden, longest=MAX_MESSAGE),
        readers=tuple(ordered[:MAX_READERS]),
        unlisted=max(0, len(found) - MAX_READERS),
    )


def as_of(evidence: Evidence, now: float) -> Evidence:
    """Return evidence without times in the future, which a clock that was ahead has saved."""
    readers = (one._replace(seen_at=min(one.seen_at, now)) for one in evidence.readers)
    return evidence._replace(
        seen_at=min(evidence.seen_at, now),
        looked_at=min(evidence.looked_at, now),
        tried_at=min(evidence.tried_at, now),
        readers=tuple(readers),
    )


def after_failure(
    evidence: Evidence, error: str, now: float, hidden: Sequence[str] = ()
) -> Evidence:
    """Return the evidence after a look that failed; what was seen before stays."""
    return evidence._replace(tried_at=now, error=_text(error, hidden, longest=MAX_MESSAGE))


def worth_saving(
    saved: Evidence, found: Evidence, promoted_at: float, retire_at: float, *, pace_seconds: float
) -> bool:
    """Return whether evidence must be saved now; so the number of writes stays bounded.

    Saved are the first look after the end of the grace period, each new program while the record
    has room for it, a failure of the first look, and else one look and one sighting per
    `pace_seconds`. A saved time that is far in the future is replaced.
    """
    if saved.tried_at < retire_at <= found.tried_at or (found.error and not saved.tried_at):
        return True
    new = {_key(one) for one in found.readers} - {_key(one) for one in saved.readers}
    if new and len(saved.readers) < MAX_READERS:
        return True
    if saved.seen_at and found.seen_at - saved.seen_at >= pace_seconds:
        return True
    return abs(found.tried_at - (saved.tried_at or promoted_at)) >= pace_seconds


def describe(evidence: Evidence) -> str:
    """Return who was last seen, for people: `3 sessions of app_a from 10.0.0.5 'gunicorn'`."""
    readers = evidence.present
    shown = [_described(one) for one in readers[:_SHOWN]]
    more = len(readers) - len(shown) + evidence.unlisted
    return ", ".join(shown + ([f"and {more} more"] if more > 0 else []))


def encode(evidence: Evidence) -> dict[str, object]:
    """Return evidence as what JSON can hold."""
    return {**evidence._asdict(), "readers": [one._asdict() for one in evidence.readers]}


def decode(data: object) -> Evidence | None:
    """Return the evidence that `encode` was given; None if it is not valid."""
    readers: list[Reader] = []
    if not _is_like(data, Evidence()) or not isinstance(data, dict):
        return None
    for one in data["readers"]:
        if not _is_like(one, Reader("")):
            return None
        readers.append(Reader(**{name: one[name] for name in Reader._fields}))
    fields = {name: data[name] for name in Evidence._fields}
    return Evidence(**{**fields, "readers": tuple(readers)})


def _is_like(data: object, example: Evidence | Reader) -> bool:
    """Return whether an object has each field of a tuple, with its type."""
    if not isinstance(data, dict):
        return False
    return all(_has_type(data.get(name), value) for name, value in example._asdict().items())


def _has_type(found: Any, example: object) -> bool:
    if isinstance(example, str):
        return isinstance(found, str)
    if isinstance(example, tuple):
        return isinstance(found, list)
    types = (int,) if isinstance(example, int) else (int, float)
    return type(found) in types and 0 <= found <= _MAX_TIME


def _key(reader: Reader) -> tuple[str, str, str]:
    return reader.user, reader.address, reader.application


def _number(sessions: int) -> int:
    return int(min(max(sessions, 0), MAX_SESSIONS))


def _time(seconds: float) -> float:
    return float(seconds) if 0 <= seconds <= _MAX_TIME else 0.0  # also 0 for NaN


def _text(text: str, hidden: Iterable[str], *, longest: int = MAX_TEXT) -> str:
    """Return a text in one line, without a value."""
    if any(value and _shows(text, value) for value in hidden):
        return "(hidden)"
    return "".join(char if char.isprintable() else " " for char in text)[:longest].strip()


def _shows(text: str, value: str) -> bool:
    """Return whether a text has a value, or ends with the beginning of one because it was cut."""
    if value in text:
        return True
    if len(text.encode("utf-8", "replace")) < _CUT_BYTES:
        return False
    return any(
        text.endswith(value[:size]) for size in range(_LEAST_PART, min(len(value), len(text)) + 1)
    )


def _described(reader: Reader) -> str:
    where = f" from {reader.address}" if reader.address else ""
    name = f" '{reader.application}'" if reader.application else ""
    user = reader.user or "a program"
    if not reader.sessions:
        return f"{user}{where}" + (f" with{name}" if name else "")
    if not name and where:
        name = " (no application name, perhaps a pooler)"
    number = f"{reader.sessions} session{'' if reader.sessions == 1 else 's'}"
    return f"{number} of {user}{where}{name}"


def merged(first: Evidence, second: Evidence) -> Evidence:
    """Return the evidence of two processes that looked at the same target."""
    older, newer = sorted((first, second), key=lambda one: one.tried_at)
    usage = Usage(newer.readers, newer.not_visible or older.not_visible)
    both = after_look(older, usage, max(older.looked_at, newer.looked_at))
    return both._replace(tried_at=newer.tried_at, error=newer.error)


class Sightings:
    """What the runs of one process have seen, which is more than the records have.

    Records are saved at a bounded pace. A scheduler passes the same object to all its runs, so
    that no sighting between two writes is lost.
    """

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Evidence] = OrderedDict()

    def of(self, rotation_id: str, saved: Evidence) -> Evidence:
        """Return the saved evidence of a rotation, with what this process has seen since."""
        seen = self._latest.get(rotation_id, Evidence())
        return merged(saved, seen) if seen.tried_at else saved

    def note(self, rotation_id: str, evidence: Evidence) -> None:
        """Remember the evidence after a look; the oldest is dropped if there are many."""
        self._latest[rotation_id] = evidence
        self._latest.move_to_end(rotation_id)
        if len(self._latest) > MAX_REMEMBERED:
            self._latest.popitem(last=False)
