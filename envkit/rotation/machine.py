"""Which step comes next? Pure: a function of the record, the store and the time.

Nothing here reads a clock, a store or a target. The runner observes, asks
`decide`, does the one step and begins again, so that a process that starts
after a crash, or a second one beside the first, decides the same.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.rotation.record import (
    CLAIMED,
    IDLE,
    PROMOTED,
    QUARANTINED,
    RETIRED,
    REVERTING,
    SET,
    STAGED,
    TESTED,
    Record,
)

# what the secret holds now, compared with the pending record
OLD, NEW, FOREIGN, MISSING = "old", "new", "foreign", "missing"

# steps
CLAIM = "claim"
CREATE = "create"
SET_NEW = "set"
TEST_NEW = "test"
PROMOTE = "promote"
NOTE_PROMOTED = "note-promoted"
RETIRE = "retire"
CLEAR = "clear"
UNDO = "undo"  # take the new credential off the target
RESTORE = "restore"  # promote the old value back
WAIT = "wait"
NOTHING = "nothing"
REFUSE = "refuse"

WISHES = ("rotate", "rollback", "abort")


class Observation(NamedTuple):
    """What the runner sees.

    Attributes:
        record: None where there never was one.
        holds: what the secret holds: OLD, NEW, FOREIGN or MISSING.
        now: seconds since the epoch.
    """

    record: Record | None
    holds: str
    now: float


class Decision(NamedTuple):
    """What to do.

    Attributes:
        step: the next step.
        reason: for people, why this one.
        until: for WAIT and NOTHING, when it is worth looking again; 0 for never by itself.
    """

    step: str
    reason: str = ""
    until: float = 0.0


def decide(seen: Observation, *, due_at: float, wish: str = "") -> Decision:
    """Return the next step of one rotation.

    Args:
        seen: the record, the secret and the time.
        due_at: when the next rotation is to start, seconds since the epoch.
        wish: what a person asked for: `rotate` now, `rollback`, `abort`, or nothing.
    """
    record = seen.record
    if record is None or record.phase in (IDLE, QUARANTINED):
        return _at_rest(record, seen, due_at, wish)
    if seen.holds == MISSING:
        return Decision(REFUSE, "the secret is gone")
    if seen.holds == FOREIGN and record.phase != RETIRED:
        return Decision(REFUSE, "somebody else has changed the secret since it was claimed")
    if wish in ("rollback", "abort") or record.phase == REVERTING:
        return _backward(record, seen, wish)
    return _forward(record, seen)


def _at_rest(record: Record | None, seen: Observation, due_at: float, wish: str) -> Decision:
    if wish in ("rollback", "abort"):
        return Decision(REFUSE, f"there is nothing to {wish.replace('rollback', 'roll back')}")
    if seen.holds == MISSING:
        return Decision(REFUSE, "the secret is not there")
    if wish == "rotate":
        return Decision(CLAIM, "asked for")
    if record is not None and record.phase == QUARANTINED:
        return Decision(NOTHING, f"quarantined: {record.error}")
    if seen.now < due_at:
        return Decision(NOTHING, "not due", due_at)
    return Decision(CLAIM, "due")


def _forward(record: Record, seen: Observation) -> Decision:
    if record.phase in (CLAIMED, STAGED, SET, TESTED) and seen.holds == NEW:
        # the promotion went through and its note did not
        return Decision(NOTE_PROMOTED, "the secret has the new value already")
    if record.phase == PROMOTED:
        if seen.now < record.retire_at:
            return Decision(WAIT, "the old credential is in its grace", record.retire_at)
        return Decision(RETIRE, "the grace is over")
    step = {
        CLAIMED: CREATE,
        STAGED: SET_NEW,
        SET: TEST_NEW,
        TESTED: PROMOTE,
        RETIRED: CLEAR,
    }[record.phase]
    return Decision(step, f"{record.phase} before")


def _backward(record: Record, seen: Observation, wish: str) -> Decision:
    if record.phase == RETIRED:
        return Decision(REFUSE, "the old credential is retired; rotate again instead")
    if seen.holds == NEW:
        if wish == "abort":
            return Decision(REFUSE, "the new value is live already; roll it back instead")
        return Decision(RESTORE, "readers have the new value")
    return Decision(UNDO, "readers have the old value")
