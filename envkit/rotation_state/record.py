"""The rotation record: where a rotation stands, without any value. Pure.

It lives beside the secret in the store, and is all that any scheduler knows. A
record of another version is refused, not guessed.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 1

IDLE = "idle"  # nothing is under way
CLAIMED = "claimed"  # ours; what exists already is known, the new value not yet
STAGED = "staged"  # the new value is durable as pending, nobody has it yet
SET = "set"  # the target takes the new value
TESTED = "tested"  # the new value has logged in
PROMOTED = "promoted"  # readers get the new value, and have not been told yet
GRACE = "grace"  # old and new both work until `retire_at`
RETIRING = "retiring"  # the old one may be gone: no way back
REVERTING = "reverting"  # going back: readers are to get the old value again
REVERTED = "reverted"  # nobody can be given the new value any more: it may be gone
QUARANTINED = "quarantined"  # given up until a person looks; the current value is untouched

PHASES = (
    *(IDLE, CLAIMED, STAGED, SET, TESTED, PROMOTED, GRACE, RETIRING),
    *(REVERTING, REVERTED, QUARANTINED),
)
AT_REST = (IDLE, QUARANTINED)

# the values that a rotation keeps while it is under way, and what the secret may hold of them
OLD, ANNOUNCED, NEW, FINAL = "old", "announced", "new", "final"
VALUES = (OLD, ANNOUNCED, NEW, FINAL)


class Record(NamedTuple):
    """Where a rotation stands. Times are seconds since the epoch, UTC.

    Attributes:
        rotation: `prod/db-password`, the profile and the rotation's name.
        id: of this rotation, or of the last one; a new one for each.
        phase: one of PHASES.
        plan: how it is rotated, so that nobody goes on in another way.
        asked: whether a person asked for it, so that it need not be due.
        attempt: how many new values were made for this rotation; a target that refuses
            one for good gets another.
        rejections: how often the target has refused the present one.
        tries: how often in a row the next step has failed.
        error: why it failed the last time: a step and a code; never a value.
        then: the phase that follows once the new value is undone: IDLE, QUARANTINED, or
            CLAIMED for another value.
        holder: who is at work on it: a host and a process; empty while nobody is.
        busy_until: when others may go on; without a holder, when it is tried again.
        started_at: when it was claimed.
        settle_seconds: how long readers take to know the announced value.
        settle_until: when all of them do.
        promoted_at: when readers got the new value; 0 before.
        retire_at: when the old credential may be removed; 0 before.
        last_rotated_at: when readers got the new value of the last rotation that
            succeeded; 0 for never.
        given_up_at: when a person last rolled a rotation back or aborted it.
        facts: what the rotator must know again after a crash; never a value.
        told: when somebody was last told of it, by the kind of event.
    """

    rotation: str
    id: str = ""
    phase: str = IDLE
    plan: str = ""
    asked: bool = False
    attempt: int = 0
    rejections: int = 0
    tries: int = 0
    error: str = ""
    then: str = ""
    holder: str = ""
    busy_until: float = 0.0
    started_at: float = 0.0
    settle_seconds: float = 0.0
    settle_until: float = 0.0
    promoted_at: float = 0.0
    retire_at: float = 0.0
    last_rotated_at: float = 0.0
    given_up_at: float = 0.0
    facts: Mapping[str, str] = {}
    told: Mapping[str, float] = {}

    @property
    def in_progress(self) -> bool:
        """Whether a rotation is under way."""
        return self.phase not in AT_REST

    @property
    def due_from(self) -> float:
        """From when the next due time counts; 0 for never.

        What a person has rolled back or aborted is not done again at once, but when its
        next time comes. It is overdue by `last_rotated_at` all the same.
        """
        return max(self.last_rotated_at, self.given_up_at)


def encode(record: Record) -> dict[str, object]:
    """Return a record as what JSON can hold."""
    tables = {"facts": dict(record.facts), "told": dict(record.told)}
    return {"version": VERSION, **record._asdict(), **tables}


def decode(data: object) -> Record:
    """Return the record that `encode` made.

    Raises:
        RotationError: it is none, or of another version.
    """
    if not isinstance(data, dict):
        raise _broken("is not one")
    if data.get("version") != VERSION:
        raise RotationError(
            f"the rotation record has version {data.get('version')!r}, this envkit knows {VERSION}",
            hint="use the envkit that wrote it, or a newer one",
        )
    values: dict[str, Any] = {}
    for name in Record._fields:
        default = Record._field_defaults.get(name, "")
        value = data.get(name)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(default):
            raise _broken(f"has no usable '{name}'")
        values[name] = value
    record = Record(**values)
    if not all(isinstance(item, str) for pair in record.facts.items() for item in pair):
        raise _broken("has no usable 'facts'")
    if not all(isinstance(at, int | float) for at in record.told.values()):
        raise _broken("has no usable 'told'")
    if record.phase not in PHASES:
        raise _broken(f"has the unknown phase {record.phase!r}")
    return record


def _broken(how: str) -> RotationError:
    return RotationError(
        f"the rotation record {how}", hint="restore it, or remove it if no rotation is under way"
    )
