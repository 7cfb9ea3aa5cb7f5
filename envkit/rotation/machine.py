r"""Which step comes next? Pure: a function of the record, the store and the time.

Nothing here reads a clock, a store or a target. The runner observes, asks `decide`, does
the one step and begins again, so that a process that starts after a crash, or a second
one beside the first, decides the same.

    claimed -> staged -> set -> tested -> promoted -> grace -> retiring -> idle
         \________\_______\______\__________\________\
                                                      reverting -> reverted -> idle

Two turns cannot be taken back, and are saved before anything is done about them:
*retiring*, after which there is no way back to the old value, and *reverted*, after which
nobody can be given the new one. Each excludes the other by compare-and-set, whoever else
is still at work on an earlier decision.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.rotation_state.record import (
    ANNOUNCED,
    CLAIMED,
    FINAL,
    GRACE,
    IDLE,
    NEW,
    OLD,
    PROMOTED,
    QUARANTINED,
    RETIRING,
    REVERTED,
    REVERTING,
    SET,
    STAGED,
    TESTED,
    VALUES,
    Record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# what the secret may hold besides the four values of a rotation
FOREIGN, MISSING = "foreign", "missing"
_BEFORE = (OLD, ANNOUNCED)
_AFTER = (NEW, FINAL)
_NOT_OURS = (FOREIGN, MISSING)

# steps
CLAIM = "claim"
TAKE_OVER = "take-over"
CREATE = "create"
ANNOUNCE = "announce"
SET_NEW = "set"
TEST_NEW = "test"
PROMOTE = "promote"
NOTE_PROMOTED = "note-promoted"
FINISH = "finish"
BEGIN_RETIRE = "begin-retire"
PUBLISH_FINAL = "publish-final"
RETIRE = "retire"
BEGIN_REVERT = "begin-revert"
RESTORE = "restore"
NOTE_REVERTED = "note-reverted"
UNDO = "undo"
WAIT = "wait"  # time will do it
BUSY = "busy"  # somebody else is at it
PAUSE = "pause"  # it failed a moment ago
NOTHING = "nothing"
REFUSE = "refuse"  # a person must look

PASSIVE = (WAIT, BUSY, PAUSE, NOTHING, REFUSE)
# what nobody needs to hold the rotation for: they save no more than a phase
_TURNS = (CLAIM, BEGIN_RETIRE, BEGIN_REVERT)

ROTATE, ROLLBACK, ABORT, RESUME = "rotate", "rollback", "abort", "resume"
WISHES = (ROTATE, ROLLBACK, ABORT, RESUME)

MAX_REJECTIONS = 3  # of one value, until another is made
MAX_ATTEMPTS = 3  # values, until the rotation is quarantined


class Observation(NamedTuple):
    """What the runner sees.

    Attributes:
        record: None where there never was one.
        holds: what the secret holds: OLD, ANNOUNCED, NEW, FINAL, FOREIGN or MISSING.
        now: seconds since the epoch.
        due_at: when the next rotation is to start.
        pending: the names of the values that are pending.
        me: who asks, as in `Record.holder`.
        wish: what a person asked for: ROTATE now, ROLLBACK, ABORT, RESUME at once although
            somebody else seems to be at work, or nothing.
    """

    record: Record | None
    holds: str
    now: float
    due_at: float
    pending: frozenset[str] = frozenset()
    me: str = ""
    wish: str = ""


class Decision(NamedTuple):
    """What to do.

    Attributes:
        step: the next step.
        reason: for people, why this one.
        until: when it is worth looking again; 0 for never by itself.
        phase: for BEGIN_REVERT, the phase to save.
        then: for BEGIN_REVERT, the phase that follows once the new value is undone.
        advice: for REFUSE, the wish that would be granted; empty for none.
    """

    step: str
    reason: str = ""
    until: float = 0.0
    phase: str = ""
    then: str = ""
    advice: str = ""


def what_it_holds(
    current: Mapping[str, object] | None, pending: Mapping[str, Mapping[str, object]]
) -> str:
    """Return which of the pending values readers get: OLD, ..., FOREIGN or MISSING."""
    if not current:
        return MISSING
    return next((name for name in VALUES if pending.get(name) == current), FOREIGN)


def decide(seen: Observation) -> Decision:
    """Return the next step of one rotation."""
    record = seen.record
    if record is None or not record.in_progress:
        return _at_rest(record, seen)
    if record.phase in (REVERTING, REVERTED):
        decision = _backward(record, seen)
    elif seen.wish in (ROLLBACK, ABORT):
        decision = _turn_back(record, seen)
    elif seen.holds in _NOT_OURS and record.phase != RETIRING:
        decision = _not_ours(seen)
    else:
        decision = _FORWARD[record.phase](record, seen)
    return _unless_held(record, seen, decision)


def _at_rest(record: Record | None, seen: Observation) -> Decision:
    wish = seen.wish
    if wish in (ROLLBACK, ABORT, RESUME):
        reason = f"nothing is under way that could be {_PARTICIPLES[wish]}"
        if wish == ROLLBACK and record is not None and record.last_rotated_at > record.given_up_at:
            return Decision(REFUSE, f"{reason}: the old value works no longer", advice=ROTATE)
        return Decision(REFUSE, reason)
    if not wish and record is not None and record.phase == QUARANTINED:
        return Decision(NOTHING, f"quarantined: {record.error}")
    if not wish and seen.now < seen.due_at:
        return Decision(NOTHING, "not due", seen.due_at)
    if seen.holds == MISSING:
        return Decision(REFUSE, "the secret is not there")
    return Decision(CLAIM, "asked for" if wish else "due")


# ---------------------------------------------------------------- forward, phase by phase


def _claimed(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _refused(record, seen)
    if seen.now < seen.due_at and not record.asked and not record.attempt:
        return _revert(record, seen, "it is not due any more", IDLE)
    return Decision(CREATE, "claimed")


def _staged(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _refused(record, seen)
    if ANNOUNCED in seen.pending and seen.holds == OLD:
        return Decision(ANNOUNCE, "readers must know the new value before it is used")
    return Decision(SET_NEW, "the new value is pending")


def _set(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _refused(record, seen)
    if ANNOUNCED in seen.pending and seen.holds == OLD:
        return _taken_back()
    if seen.now < record.settle_until:
        return Decision(WAIT, "not all readers know the new value yet", record.settle_until)
    return Decision(TEST_NEW, "the target has the new value")


def _tested(record: Record, seen: Observation) -> Decision:  # noqa: ARG001 - one of _FORWARD
    if ANNOUNCED in seen.pending and seen.holds == OLD:
        return _taken_back()
    if seen.holds in _AFTER:
        return Decision(NOTE_PROMOTED, "readers have the new value")
    return Decision(PROMOTE, "the new value has logged in")


def _promoted(record: Record, seen: Observation) -> Decision:
    if seen.holds in _BEFORE:
        return Decision(REFUSE, "somebody has put the old value back", advice=ROLLBACK)
    if record.phase == PROMOTED:
        return Decision(FINISH, "readers have the new value")
    if seen.now < record.retire_at:
        return Decision(WAIT, "the old credential is in its grace", record.retire_at)
    return Decision(BEGIN_RETIRE, "the grace is over")


def _retiring(record: Record, seen: Observation) -> Decision:  # noqa: ARG001 - one of _FORWARD
    if seen.holds in _BEFORE:
        return Decision(PROMOTE, "readers have the old value, which is being retired")
    if seen.holds == NEW and FINAL in seen.pending:
        return Decision(PUBLISH_FINAL, "the grace is over")
    return Decision(RETIRE, "the grace is over")


def _refused(record: Record, seen: Observation) -> Decision:
    again = record.phase != CLAIMED and record.attempt < MAX_ATTEMPTS
    reason = f"the target has refused it {record.rejections} times"
    return _revert(record, seen, reason, CLAIMED if again else QUARANTINED)


_FORWARD = {
    CLAIMED: _claimed,
    STAGED: _staged,
    SET: _set,
    TESTED: _tested,
    PROMOTED: _promoted,
    GRACE: _promoted,
    RETIRING: _retiring,
}


# ---------------------------------------------------------------- backward


def _turn_back(record: Record, seen: Observation) -> Decision:
    if record.phase == RETIRING:
        return Decision(REFUSE, "the old credential is being retired", advice=ROTATE)
    if seen.holds in _NOT_OURS and seen.wish == ROLLBACK:
        return _not_ours(seen)
    if seen.holds in _AFTER and seen.wish == ABORT:
        return Decision(REFUSE, "readers have the new value already", advice=ROLLBACK)
    return _revert(record, seen, f"to be {_PARTICIPLES[seen.wish]}", IDLE)


def _revert(record: Record, seen: Observation, reason: str, then: str) -> Decision:
    """Turn back; at once where nobody can be about to give readers another value.

    That is so before anything was tested or announced, and where somebody else has written:
    whoever saw the secret before that can no longer write it.
    """
    untouched = (
        record.phase in (CLAIMED, STAGED, SET)
        and seen.holds == OLD
        and ANNOUNCED not in seen.pending
    )
    phase = REVERTED if untouched or seen.holds in _NOT_OURS else REVERTING
    return Decision(BEGIN_REVERT, reason, phase=phase, then=then)


def _backward(record: Record, seen: Observation) -> Decision:
    if record.phase == REVERTING and seen.holds in _NOT_OURS:
        return Decision(NOTE_REVERTED, "readers have a value that is not of this rotation")
    if record.phase == REVERTING or seen.holds in (ANNOUNCED, *_AFTER):
        return Decision(RESTORE, "readers are to get the old value")
    return Decision(UNDO, "nobody can be given the new value any more")


def _unless_held(record: Record, seen: Observation, decision: Decision) -> Decision:
    """Return the decision, unless somebody else is at work, or it failed a moment ago."""
    if decision.step in PASSIVE or (record.holder and record.holder == seen.me):
        return decision
    if seen.now < record.busy_until:
        if record.holder and seen.wish in ("", ROTATE):
            return Decision(BUSY, f"{record.holder} is at work on it", record.busy_until)
        if not record.holder and not seen.wish:
            return Decision(PAUSE, f"it failed: {record.error}", record.busy_until)
    return decision if decision.step in _TURNS else Decision(TAKE_OVER, decision.reason)


def _not_ours(seen: Observation) -> Decision:
    reason = "the secret is gone"
    if seen.holds == FOREIGN:
        reason = "somebody else has changed the secret; their value and both of ours are kept"
    return Decision(REFUSE, reason, advice=ABORT)


def _taken_back() -> Decision:
    return Decision(REFUSE, "somebody has taken the announced value back", advice=ABORT)


_PARTICIPLES = {ROLLBACK: "rolled back", ABORT: "aborted", RESUME: "resumed"}
