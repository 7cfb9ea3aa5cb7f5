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

VERSION = 1

IDLE = "idle"  # nothing is under way; `last_rotated_at` says when it last was
CLAIMED = "claimed"  # ours; what exists already is known, the new value not yet
STAGED = "staged"  # the new value is durable as pending, nobody has it yet
SET = "set"  # the target takes the new value
TESTED = "tested"  # the new value has logged in
PROMOTED = "promoted"  # readers get the new value; the old one works until `retire_at`
RETIRED = "retired"  # the old one works no longer
REVERTING = "reverting"  # going back to the old value
QUARANTINED = "quarantined"  # given up until a person looks; the current value is untouched

PHASES = (
    IDLE,
    CLAIMED,
    STAGED,
    SET,
    TESTED,
    PROMOTED,
    RETIRED,
    REVERTING,
    QUARANTINED,
)


class Record(NamedTuple):
    """Where a rotation stands. Times are seconds since the epoch, UTC.

    Attributes:
        rotation: `prod/db-password`, the profile and the rotation's name.
        id: of this rotation; a new one for each.
        phase: one of PHASES.
        attempt: how many new values were made for this rotation; a target that refuses
            one for good gets another.
        failures: rotations in a row that came to nothing.
        started_at: when it was claimed.
        promoted_at: when readers got the new value; 0 before.
        retire_at: when the old credential may be removed; 0 before promotion.
        last_rotated_at: when a rotation of this secret last succeeded; 0 for never.
        base_version: of the secret when it was claimed.
        facts: what the rotator must know again after a crash; never a value.
        error: why the last step failed: a code and a step; never a value.
    """

    rotation: str
    id: str = ""
    phase: str = IDLE
    attempt: int = 0
    failures: int = 0
    started_at: float = 0.0
    promoted_at: float = 0.0
    retire_at: float = 0.0
    last_rotated_at: float = 0.0
    base_version: str = ""
    facts: Mapping[str, str] = {}
    error: str = ""

    @property
    def in_progress(self) -> bool:
        """Whether a rotation is under way."""
        return self.phase not in (IDLE, QUARANTINED)


def encode(record: Record) -> dict[str, object]:
    """Return a record as what JSON can hold."""
    return {"version": VERSION, **record._asdict(), "facts": dict(record.facts)}


def decode(data: object) -> Record:
    """Return the record that `encode` made.

    Raises:
        RotationError: it is none, or of another version.
    """
    if not isinstance(data, dict):
        raise RotationError("the rotation record is not one", hint="see the runbook: restore")
    if data.get("version") != VERSION:
        raise RotationError(
            f"the rotation record has version {data.get('version')!r}, this envkit knows {VERSION}",
            hint="use the envkit that wrote it, or a newer one",
        )
    fields = {name: data[name] for name in Record._fields if name in data}
    record = Record(**fields)
    if record.phase not in PHASES:
        raise RotationError(f"the rotation record has an unknown phase '{record.phase}'")
    return record
