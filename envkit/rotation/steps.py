"""What is done in each step: act, then save by compare-and-set. Deciding is `machine`'s.

What always holds: a step does what was decided and nothing else; it may be cut off at any
instruction, and is done again from its beginning then.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import uuid4

from envkit.errors import RotationError
from envkit.rotation import machine
from envkit.rotation.machine import FOREIGN, what_it_holds
from envkit.rotation_state.record import (
    ANNOUNCED,
    CLAIMED,
    FINAL,
    GRACE,
    IDLE,
    NEW,
    OLD,
    PROMOTED,
    RETIRING,
    REVERTED,
    REVERTING,
    SET,
    STAGED,
    TESTED,
    Record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.rotation.machine import Decision
    from envkit.rotation.protocols import Created, Rotator
    from envkit.rotation_state.store import Fields, Pending, RotationStore, Snapshot


class RotatorOpener(Protocol):
    """Builds the rotator of a job, anew for each step."""

    def __call__(self, *, deadline: Deadline, confirm: Callable[[], None], id: str) -> Rotator:  # noqa: A002 - as in RotatorContext
        """Do no I/O; the arguments are those of `RotatorContext`."""
        ...


def _no_hook() -> None:
    pass


class Job(NamedTuple):
    """One rotation, ready to be run.

    Attributes:
        name: the profile's and the rotation's, `prod/db-password`.
        store: the secret's; it waits no longer than the run may take.
        open_rotator: builds the rotator.
        due: when the rotation is to start, from its record and the time.
        plan: how it is rotated; must not change while a rotation is under way.
        grace_seconds: how long old and new both work.
        overlap: whether they can; without it, the old one works no longer once the new
            one is set.
        before: called before anything is made, and again after a crash; raises to stop.
        after: called once readers get the new value, until it has succeeded.
    """

    name: str
    store: RotationStore
    open_rotator: RotatorOpener
    due: Callable[[Record | None, float], float]
    plan: str = ""
    grace_seconds: float = 0.0
    overlap: bool = True
    before: Callable[[], None] = _no_hook
    after: Callable[[], None] = _no_hook


class Step(NamedTuple):
    """One step of a job, and what it was decided from.

    Attributes:
        job: what is rotated.
        seen: the store.
        decision: what is to be done.
        rotator: for this step.
        clock: seconds since the epoch.
        me: who does it.
        busy_until: when others may take over from us.
        wish: what a person asked for.
    """

    job: Job
    seen: Snapshot
    decision: Decision
    rotator: Rotator
    clock: Callable[[], float]
    me: str
    busy_until: float
    wish: str

    @property
    def record(self) -> Record:
        """The record of the rotation that is under way."""
        record = self.seen.record
        assert record is not None  # noqa: S101 - only a claim is made without one
        return record

    @property
    def holds(self) -> str:
        """Which value readers have now."""
        return what_it_holds(self.seen.current, self.seen.pending)

    @property
    def keep(self) -> Fields:
        """What must work after the step: what readers have now."""
        return self.seen.current or self.seen.old

    def save(self, record: Record, pending: Pending, *, error: str = "") -> Record:
        """Save as the holder, with what went wrong before forgotten."""
        held = record._replace(holder=self.me, busy_until=self.busy_until, tries=0, error=error)
        self.job.store.save(self.seen, held, pending)
        return held

    def free(self, record: Record, pending: Pending, *, error: str = "") -> Record:
        """Save and hold it no longer: time has to pass, or all is done."""
        freed = record._replace(holder="", busy_until=0.0, tries=0, error=error)
        self.job.store.save(self.seen, freed, pending)
        return freed


def do(step: Step) -> Record | None:
    """Do one step; it is one of those that `machine` does not call passive.

    Returns:
        the record as it was saved; None where the step changes only the secret.

    Raises:
        ConflictError: somebody else has gone on with the rotation, or changed the secret.
        RejectedError: the target refuses this value for good.
        EnvkitError: the step failed, and may be done again.
    """
    return _ACTS[step.decision.step](step)


def _claim(step: Step) -> Record | None:
    job, seen = step.job, step.seen
    current = seen.current or {}
    if job.store.fields[0] not in current:
        raise RotationError(f"{job.store.location} has no value that could be rotated")
    job.store.check()
    facts = step.rotator.prepare(current)
    last = seen.record or Record(job.name)
    record = Record(
        job.name,
        uuid4().hex,
        CLAIMED,
        plan=job.plan,
        asked=bool(step.wish),
        started_at=step.clock(),
        last_rotated_at=last.last_rotated_at,
        given_up_at=last.given_up_at,
        facts=facts,
    )
    return step.save(record, {OLD: current})


def _take_over(step: Step) -> Record | None:
    taken = step.record._replace(holder=step.me, busy_until=step.busy_until)
    step.job.store.save(step.seen, taken, step.seen.pending)
    return taken


def _create(step: Step) -> Record | None:
    record, old = step.record, step.seen.old
    if not record.attempt:
        step.job.before()
    created = step.rotator.create(old, record.facts)
    staged = record._replace(
        phase=STAGED,
        attempt=record.attempt + 1,
        rejections=0,
        settle_seconds=float(created.settle_seconds),
        facts={**record.facts, **created.facts},
    )
    return step.save(staged, _values(step.job.store, old, created))


def _announce(step: Step) -> Record | None:
    step.job.store.publish(step.seen, step.seen.pending[ANNOUNCED])
    return None


def _set(step: Step) -> Record | None:
    seen, record = step.seen, step.record
    step.rotator.set(seen.old, seen.new, record.facts)
    settled = record._replace(phase=SET, settle_until=step.clock() + record.settle_seconds)
    return (step.free if record.settle_seconds else step.save)(settled, seen.pending)


def _test(step: Step) -> Record | None:
    step.rotator.test(step.seen.new, step.record.facts)
    return step.save(step.record._replace(phase=TESTED, rejections=0), step.seen.pending)


def _promote(step: Step) -> Record | None:
    # noted only once it has been read again
    step.job.store.publish(step.seen, step.seen.new)
    return None


def _note_promoted(step: Step) -> Record | None:
    now = step.clock()
    promoted = step.record._replace(
        phase=PROMOTED, promoted_at=now, retire_at=now + step.job.grace_seconds
    )
    return step.save(promoted, step.seen.pending)


def _finish(step: Step) -> Record | None:
    seen, record, grace = step.seen, step.record, step.job.grace_seconds
    step.rotator.finish(seen.old, seen.new, record.facts)
    step.job.after()
    # from now on, since whoever was told by `after` reads the new value now
    finished = record._replace(phase=GRACE, retire_at=step.clock() + grace)
    return (step.free if grace else step.save)(finished, seen.pending)


def _begin_retire(step: Step) -> Record | None:
    if not step.rotator.probe(step.keep, step.record.facts):
        raise RotationError(
            "the new credential does not log in any more; the old one is kept",
            hint=f"find out who changed it, or run 'envkit rotate --rollback {step.job.name}'",
        )
    return step.save(step.record._replace(phase=RETIRING), step.seen.pending)


def _publish_final(step: Step) -> Record | None:
    step.job.store.publish(step.seen, step.seen.pending[FINAL])
    return None


def _retire(step: Step) -> Record | None:
    record = step.record
    step.rotator.retire(step.seen.old, step.seen.current or step.seen.new, record.facts)
    rotated = Record(
        record.rotation,
        record.id,
        plan=record.plan,
        attempt=record.attempt,
        started_at=record.started_at,
        promoted_at=record.promoted_at,
        last_rotated_at=record.promoted_at,
        given_up_at=record.given_up_at,
    )
    return step.free(rotated, {})


def _begin_revert(step: Step) -> Record | None:
    seen, record, decision = step.seen, step.record, step.decision
    live = decision.phase == REVERTING and step.holds in (NEW, FINAL)
    if live and step.job.overlap and not step.rotator.probe(seen.old, record.facts):
        raise RotationError(
            "the previous credential does not log in any more",
            hint=f"rotate again: run 'envkit rotate {step.job.name}' after the grace",
        )
    by_a_person = bool(step.wish) and decision.then == IDLE
    reverting = record._replace(
        phase=decision.phase,
        then=decision.then,
        given_up_at=step.clock() if by_a_person else record.given_up_at,
    )
    return step.save(
        reverting, seen.pending, error="" if decision.then == IDLE else decision.reason
    )


def _restore(step: Step) -> Record | None:
    # written even if it is there already: whoever was about to give readers another
    # value has seen an older version of the secret, and can no longer do so
    step.job.store.publish(step.seen, step.seen.old)
    return _note_reverted(step)


def _note_reverted(step: Step) -> Record | None:
    record = step.record._replace(phase=REVERTED)
    return step.save(record, step.seen.pending, error=record.error)


def _undo(step: Step) -> Record | None:
    seen, record = step.seen, step.record
    step.rotator.retire(seen.new, step.keep, record.facts)
    if step.holds == FOREIGN and record.promoted_at:  # readers have neither of ours
        step.rotator.retire(seen.old, step.keep, record.facts)
    if record.then == CLAIMED:
        again = record._replace(phase=CLAIMED, then="", rejections=0)
        return step.save(again, {OLD: seen.old})
    return step.free(_at_rest(record, record.then), {}, error=record.error)


def _at_rest(record: Record, phase: str) -> Record:
    return record._replace(phase=phase, then="", facts={}, rejections=0, retire_at=0.0)


def _values(store: RotationStore, old: Fields, created: Created) -> Pending:
    """Return the values that are to be kept until the rotation is over."""
    pending: dict[str, Fields] = {OLD: old, NEW: {**old, **created.new}}
    for name, fields in ((ANNOUNCED, created.announced), (FINAL, created.final)):
        if fields is not None and {**old, **fields} not in pending.values():
            pending[name] = {**old, **fields}
    if pending[NEW] == old:
        raise RotationError("the rotator made the value that there is already")
    strange = {field for fields in pending.values() for field in fields} - set(store.fields)
    if strange:
        raise RotationError(f"the rotator made the unknown field '{min(strange)}'")
    return pending


_ACTS = {
    machine.CLAIM: _claim,
    machine.TAKE_OVER: _take_over,
    machine.CREATE: _create,
    machine.ANNOUNCE: _announce,
    machine.SET_NEW: _set,
    machine.TEST_NEW: _test,
    machine.PROMOTE: _promote,
    machine.NOTE_PROMOTED: _note_promoted,
    machine.FINISH: _finish,
    machine.BEGIN_RETIRE: _begin_retire,
    machine.PUBLISH_FINAL: _publish_final,
    machine.RETIRE: _retire,
    machine.BEGIN_REVERT: _begin_revert,
    machine.RESTORE: _restore,
    machine.NOTE_REVERTED: _note_reverted,
    machine.UNDO: _undo,
}
