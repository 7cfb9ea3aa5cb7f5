r"""Decide the next step of a rotation. Pure: a function of the record, the store and the time.

Nothing here reads a clock, a store or a target. The engine observes, calls `decide`, does the
step and repeats. A process that starts after a crash decides the same, and so does a second one
that runs at the same time.

    claimed -> staged -> set -> tested -> promoted -> grace -> retiring -> idle
         \________\_______\______\__________\________\
                                                      reverting -> reverted -> idle

Two phases are final, and are saved before envkit acts on them. After *retiring*, there is no
rollback to the old value. After *reverted*, readers can no longer get the new one. Each excludes
the other by compare-and-set, even if another process still acts on an earlier decision.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.rotation_state.record import PendingValue, Phase, Record
from envkit.rotation_state.retirement import Block, Retirement, block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation_state.store import Snapshot


class OtherValue(StrEnum):
    """The state of a secret that has none of the values of a rotation."""

    FOREIGN = "foreign"  # changed outside envkit
    MISSING = "missing"


# the values that readers have before a rotation gives them its new value
OLD_VALUES = (PendingValue.OLD, PendingValue.ANNOUNCED)
NEW_VALUES = (PendingValue.NEW, PendingValue.FINAL)
_OTHER_VALUES = tuple(OtherValue)


class StepKind(StrEnum):
    """The next step."""

    CLAIM = "claim"
    TAKE_OVER = "take-over"
    CREATE = "create"
    ANNOUNCE = "announce"
    SET = "set"
    TEST = "test"
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
    WAIT = "wait"  # for a known time
    BUSY = "busy"  # another process works on the rotation
    PAUSE = "pause"  # a step has failed; its backoff is in effect
    NOTHING = "nothing"
    REFUSE = "refuse"  # a person must act


# these end the run: there is nothing to do now
PASSIVE = (StepKind.WAIT, StepKind.BUSY, StepKind.PAUSE, StepKind.NOTHING, StepKind.REFUSE)
# steps that do not take the rotation over: they only save a phase
_WITHOUT_TAKE_OVER = (StepKind.CLAIM, StepKind.BEGIN_RETIRE, StepKind.BEGIN_REVERT)


class Request(StrEnum):
    """A request from a person, whether the rotation is due or not."""

    ROTATE = "rotate"
    ROLLBACK = "rollback"
    ABORT = "abort"
    RESUME = "resume"  # at once, even if another process seems to work on the rotation
    COMPROMISED = "compromised"  # rotate, and end the old credential without a grace period
    RETIRE = "retire"  # end the old credential now, although it may be in use


MAX_REJECTIONS = 3  # of one value, before another is created
MAX_ATTEMPTS = 3  # values, before the rotation is quarantined


class Observation(NamedTuple):
    """The observed state of a rotation.

    Attributes:
        record: None if there never was one.
        published: which value the secret has.
        now: seconds since the epoch.
        due_at: when the next rotation should start.
        pending: the names of the pending values.
        me: the process that decides, as in `Record.owner`.
        requested: what a person requested; None to run only if it is due.
        retirement: when the old credential may be retired.
    """

    record: Record | None
    published: PendingValue | OtherValue
    now: float
    due_at: float
    pending: frozenset[str] = frozenset()
    me: str = ""
    requested: Request | None = None
    retirement: Retirement = Retirement()


class Decision(NamedTuple):
    """The decision about the next step.

    Attributes:
        step: the next step.
        reason: why this step, for people.
        until: when to look again; 0 if nothing changes by itself.
        phase: for BEGIN_REVERT, the phase to save.
        then: for BEGIN_REVERT, the phase that follows the revert.
        advice: for REFUSE, a request that would be granted; None if there is none.
        block: for WAIT, why the old credential is kept after the grace period.
    """

    step: StepKind
    reason: str = ""
    until: float = 0.0
    phase: Phase = Phase.REVERTING
    then: Phase = Phase.IDLE
    advice: Request | None = None
    block: Block | None = None


def published_value(
    current: Mapping[str, object] | None, pending: Mapping[str, Mapping[str, object]]
) -> PendingValue | OtherValue:
    """Return which of the pending values readers get, or the state without any of them."""
    if not current:
        return OtherValue.MISSING
    return next((name for name in PendingValue if pending.get(name) == current), OtherValue.FOREIGN)


def observe(
    seen: Snapshot,
    *,
    now: float,
    due_at: float,
    me: str = "",
    requested: Request | None = None,
    retirement: Retirement = Retirement(),  # noqa: B008 - it cannot be changed
) -> Observation:
    """Return the observation for a snapshot of the store."""
    published, pending = published_value(seen.current, seen.pending), frozenset(seen.pending)
    return Observation(seen.record, published, now, due_at, pending, me, requested, retirement)


def decide(seen: Observation) -> Decision:
    """Return the next step of one rotation."""
    record = seen.record
    if record is None or not record.in_progress:
        return _at_rest(record, seen)
    if seen.requested == Request.RETIRE and not record.after_promote:
        return _nothing_to_retire(record)
    if record.reverting:
        decision = _backward(record, seen)
    elif seen.requested in (Request.ROLLBACK, Request.ABORT):
        decision = _roll_back_or_abort(record, seen, seen.requested)
    elif seen.published == OtherValue.FOREIGN and record.only_claimed:
        decision = Decision(StepKind.CLAIM, "the secret was changed after the claim")
    elif seen.published in _OTHER_VALUES and record.phase != Phase.RETIRING:
        decision = _refuse_other_value(seen)
    else:
        decision = _FORWARD[record.phase](record, seen)
    return _unless_busy(record, seen, decision)


def _at_rest(record: Record | None, seen: Observation) -> Decision:
    requested = seen.requested
    if requested == Request.RETIRE:
        return Decision(
            StepKind.REFUSE, "there is no old credential to retire: no rotation is in progress"
        )
    if requested in (Request.ROLLBACK, Request.ABORT, Request.RESUME):
        return _nothing_in_progress(record, requested)
    if not requested and (decision := _not_now(record, seen)) is not None:
        return decision
    if seen.published == OtherValue.MISSING:
        return Decision(StepKind.REFUSE, "the secret is missing")
    return Decision(StepKind.CLAIM, "requested" if requested else "due")


def _nothing_in_progress(record: Record | None, requested: Request) -> Decision:
    reason = f"there is no unfinished rotation to {_VERBS[requested]}"
    if (
        requested == Request.ROLLBACK
        and record is not None
        and record.last_rotated_at > record.given_up_at
    ):
        return Decision(
            StepKind.REFUSE, f"{reason}: the old value no longer works", advice=Request.ROTATE
        )
    return Decision(StepKind.REFUSE, reason)


def _nothing_to_retire(record: Record) -> Decision:
    why = "the store does not have the new value yet"
    if record.reverting:
        why = "the rotation is being rolled back"
    return Decision(
        StepKind.REFUSE, f"there is no old credential to retire: {why}", advice=Request.RESUME
    )


def _not_now(record: Record | None, seen: Observation) -> Decision | None:
    """Return why no rotation starts now; None if one is due."""
    if record is not None and record.phase == Phase.QUARANTINED:
        return Decision(StepKind.NOTHING, f"quarantined: {record.error}")
    if seen.now < seen.due_at:
        return Decision(StepKind.NOTHING, "not due", seen.due_at)
    if record is not None and record.error and seen.now < record.busy_until:
        return Decision(
            StepKind.PAUSE, f"retry backoff in effect: {record.error}", record.busy_until
        )
    return None


# ---------------------------------------------------------------- forward, phase by phase


def _claimed(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _after_rejections(record, seen)
    if seen.now < seen.due_at and not record.asked and not record.attempt:
        return _revert(record, seen, "it is no longer due", Phase.IDLE)
    return Decision(StepKind.CREATE, "claimed")


def _staged(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _after_rejections(record, seen)
    if PendingValue.ANNOUNCED in seen.pending and seen.published == PendingValue.OLD:
        return Decision(
            StepKind.ANNOUNCE, "the store must announce the new value before it is used"
        )
    return Decision(StepKind.SET, "the new value is pending")


def _set(record: Record, seen: Observation) -> Decision:
    if record.rejections >= MAX_REJECTIONS:
        return _after_rejections(record, seen)
    if PendingValue.ANNOUNCED in seen.pending and seen.published == PendingValue.OLD:
        return _refuse_reverted_announcement()
    if seen.now < record.settle_until:
        return Decision(
            StepKind.WAIT,
            "waiting until every application has read the new value",
            record.settle_until,
        )
    return Decision(StepKind.TEST, "the target has the new value")


def _tested(record: Record, seen: Observation) -> Decision:  # noqa: ARG001 - one of _FORWARD
    if PendingValue.ANNOUNCED in seen.pending and seen.published == PendingValue.OLD:
        return _refuse_reverted_announcement()
    if seen.published in NEW_VALUES:
        return Decision(StepKind.NOTE_PROMOTED, "the store has the new value")
    return Decision(StepKind.PROMOTE, "the login with the new value succeeded")


def _promoted(record: Record, seen: Observation) -> Decision:
    if seen.published in OLD_VALUES:
        return Decision(
            StepKind.REFUSE, "the old value was restored outside envkit", advice=Request.ROLLBACK
        )
    if record.phase == Phase.PROMOTED:
        return Decision(StepKind.FINISH, "the store has the new value")
    if record.compromised or seen.requested in (Request.COMPROMISED, Request.RETIRE):
        return Decision(StepKind.BEGIN_RETIRE, "requested")
    look_at = seen.now + seen.retirement.look_seconds
    if seen.now < record.retire_at:
        until = min(look_at, record.retire_at) if seen.retirement.waits else record.retire_at
        return Decision(StepKind.WAIT, "the grace period is not over", until)
    if (found := block(record, seen.retirement, seen.now)) is not None:
        return Decision(StepKind.WAIT, found.reason, look_at, block=found)
    return Decision(StepKind.BEGIN_RETIRE, "the grace period is over")


def _retiring(record: Record, seen: Observation) -> Decision:  # noqa: ARG001 - one of _FORWARD
    if seen.published in OLD_VALUES:
        return Decision(StepKind.PROMOTE, "the store has the old value, which is being retired")
    if seen.published == PendingValue.NEW and PendingValue.FINAL in seen.pending:
        return Decision(StepKind.PUBLISH_FINAL, "the grace period is over")
    return Decision(StepKind.RETIRE, "the grace period is over")


def _after_rejections(record: Record, seen: Observation) -> Decision:
    again = record.phase != Phase.CLAIMED and record.attempt < MAX_ATTEMPTS
    reason = f"the target refused the new value {record.rejections} times"
    return _revert(record, seen, reason, Phase.CLAIMED if again else Phase.QUARANTINED)


_FORWARD = {
    Phase.CLAIMED: _claimed,
    Phase.STAGED: _staged,
    Phase.SET: _set,
    Phase.TESTED: _tested,
    Phase.PROMOTED: _promoted,
    Phase.GRACE: _promoted,
    Phase.RETIRING: _retiring,
}


# ---------------------------------------------------------------- backward


def _roll_back_or_abort(record: Record, seen: Observation, requested: Request) -> Decision:
    if record.phase == Phase.RETIRING:
        return Decision(
            StepKind.REFUSE, "the old credential is being retired", advice=Request.ROTATE
        )
    if seen.published in _OTHER_VALUES and requested == Request.ROLLBACK:
        return _refuse_other_value(seen)
    if seen.published in NEW_VALUES and requested == Request.ABORT:
        return Decision(
            StepKind.REFUSE, "the store already has the new value", advice=Request.ROLLBACK
        )
    return _revert(record, seen, _REASONS[requested], Phase.IDLE)


def _revert(record: Record, seen: Observation, reason: str, then: Phase) -> Decision:
    """Revert. Skip REVERTING if no process can be about to publish another value.

    That is the case before a value was tested or announced, and after another process has
    written: a process that read the secret before that write can no longer write it.
    """
    untouched = (
        record.phase in (Phase.CLAIMED, Phase.STAGED, Phase.SET)
        and seen.published == PendingValue.OLD
        and PendingValue.ANNOUNCED not in seen.pending
    )
    phase = Phase.REVERTED if untouched or seen.published in _OTHER_VALUES else Phase.REVERTING
    return Decision(StepKind.BEGIN_REVERT, reason, phase=phase, then=then)


def _backward(record: Record, seen: Observation) -> Decision:
    if record.phase == Phase.REVERTING and seen.published in _OTHER_VALUES:
        return Decision(
            StepKind.NOTE_REVERTED, "the store has a value that this rotation did not write"
        )
    if record.phase == Phase.REVERTING or seen.published in (PendingValue.ANNOUNCED, *NEW_VALUES):
        return Decision(StepKind.RESTORE, "restoring the old value")
    return Decision(StepKind.UNDO, "the new value is no longer available to applications")


def _unless_busy(record: Record, seen: Observation, decision: Decision) -> Decision:
    """Return the decision, unless another process runs it or its retry backoff is in effect."""
    if decision.step in PASSIVE or (record.owner and record.owner == seen.me):
        return decision
    if seen.now < record.busy_until:
        if record.owner and seen.requested in (None, "", Request.ROTATE, Request.RETIRE):
            return Decision(StepKind.BUSY, f"{record.owner} is running it", record.busy_until)
        if not record.owner and not seen.requested:
            return Decision(
                StepKind.PAUSE, f"retry backoff in effect: {record.error}", record.busy_until
            )
    return (
        decision
        if decision.step in _WITHOUT_TAKE_OVER
        else Decision(StepKind.TAKE_OVER, decision.reason)
    )


def _refuse_other_value(seen: Observation) -> Decision:
    reason = "the secret is missing"
    if seen.published == OtherValue.FOREIGN:
        reason = "the secret was changed outside envkit; all three values were kept"
    return Decision(StepKind.REFUSE, reason, advice=Request.ABORT)


def _refuse_reverted_announcement() -> Decision:
    return Decision(
        StepKind.REFUSE, "the announced value was removed outside envkit", advice=Request.ABORT
    )


_VERBS = {
    Request.ROLLBACK: "roll back",
    Request.ABORT: "abort",
    Request.RESUME: "resume",
}
_REASONS = {Request.ROLLBACK: "rollback requested", Request.ABORT: "abort requested"}
