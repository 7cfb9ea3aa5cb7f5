"""Do one step of a rotation: act, then save by compare-and-set. `machine` decides which.

What always holds: a step does what was decided and nothing else; it may be interrupted at any
instruction, and is then done again from its beginning.
"""

from __future__ import annotations

from uuid import uuid4

from envkit.errors import RotationError
from envkit.rotation.machine import OtherValue, StepKind
from envkit.rotation_state.record import PendingValue, Phase, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation.protocols import Created
    from envkit.rotation.step_context import StepContext
    from envkit.rotation_state.store import Fields, Pending, RotationStore


def do(step: StepContext) -> Record | None:
    """Do one step; it is one of those that `machine` does not call passive.

    Args:
        step: with the rotator opened, where NEEDS_TARGET has its kind.

    Returns:
        the record as it was saved; None where the step changes only the secret.

    Raises:
        ConflictError: somebody else has gone on with the rotation, or changed the secret.
        RejectedError: the target refuses this value for good.
        EnvkitError: the step failed, and may be done again.
    """
    return _ACTS[step.decision.step](step)


def _claim(step: StepContext) -> Record | None:
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
        Phase.CLAIMED,
        plan=job.plan,
        asked=bool(step.run.requested),
        started_at=step.run.clock(),
        last_rotated_at=last.last_rotated_at,
        given_up_at=last.given_up_at,
        facts=facts,
    )
    return step.save(record, {PendingValue.OLD: current})


def _take_over(step: StepContext) -> Record | None:
    taken = step.record._replace(owner=step.run.me, busy_until=step.busy_until)
    step.job.store.save(step.seen, taken, step.seen.pending)
    return taken


def _create(step: StepContext) -> Record | None:
    record, old = step.record, step.seen.old
    if not record.attempt:
        step.job.before()
    created = step.rotator.create(old, record.facts)
    staged = record._replace(
        phase=Phase.STAGED,
        attempt=record.attempt + 1,
        rejections=0,
        settle_seconds=float(created.settle_seconds),
        facts={**record.facts, **created.facts},
    )
    return step.save(staged, _values(step.job.store, old, created))


def _announce(step: StepContext) -> Record | None:
    step.job.store.publish(step.seen, step.seen.pending[PendingValue.ANNOUNCED])
    return None


def _set(step: StepContext) -> Record | None:
    seen, record = step.seen, step.record
    step.rotator.set(seen.old, seen.new, record.facts)
    settled = record._replace(
        phase=Phase.SET, settle_until=step.run.clock() + record.settle_seconds
    )
    return (step.release if record.settle_seconds else step.save)(settled, seen.pending)


def _test(step: StepContext) -> Record | None:
    step.rotator.test(step.seen.new, step.record.facts)
    return step.save(step.record._replace(phase=Phase.TESTED, rejections=0), step.seen.pending)


def _promote(step: StepContext) -> Record | None:
    # noted only once it has been read again
    step.job.store.publish(step.seen, step.seen.new)
    return None


def _note_promoted(step: StepContext) -> Record | None:
    now = step.run.clock()
    promoted = step.record._replace(
        phase=Phase.PROMOTED, promoted_at=now, retire_at=now + step.job.grace_seconds
    )
    return step.save(promoted, step.seen.pending)


def _finish(step: StepContext) -> Record | None:
    seen, record, grace = step.seen, step.record, step.job.grace_seconds
    step.rotator.finish(seen.old, seen.new, record.facts)
    step.job.after()
    # from now on, since whoever was told by `after` reads the new value now
    finished = record._replace(phase=Phase.GRACE, retire_at=step.run.clock() + grace)
    return (step.release if grace else step.save)(finished, seen.pending)


def _begin_retire(step: StepContext) -> Record | None:
    if not step.rotator.probe(step.keep, step.record.facts):
        raise RotationError(
            "the new credential does not log in any more; the old one is kept",
            hint=f"find out who changed it, or run 'envkit rotate --rollback {step.job.name}'",
        )
    return step.save(step.record._replace(phase=Phase.RETIRING), step.seen.pending)


def _publish_final(step: StepContext) -> Record | None:
    step.job.store.publish(step.seen, step.seen.pending[PendingValue.FINAL])
    return None


def _retire(step: StepContext) -> Record | None:
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
    return step.release(rotated, {})


def _begin_revert(step: StepContext) -> Record | None:
    seen, record, decision = step.seen, step.record, step.decision
    live = decision.phase == Phase.REVERTING and step.published in (
        PendingValue.NEW,
        PendingValue.FINAL,
    )
    if live and step.job.overlap and not step.rotator.probe(seen.old, record.facts):
        raise RotationError(
            "the previous credential does not log in any more",
            hint=f"rotate again: run 'envkit rotate {step.job.name}' after the grace",
        )
    by_a_person = bool(step.run.requested) and decision.then == Phase.IDLE
    reverting = record._replace(
        phase=decision.phase,
        then=decision.then,
        given_up_at=step.run.clock() if by_a_person else record.given_up_at,
    )
    return step.save(
        reverting, seen.pending, error="" if decision.then == Phase.IDLE else decision.reason
    )


def _restore(step: StepContext) -> Record | None:
    # written even if it is there already: whoever was about to give readers another
    # value has seen an older version of the secret, and can no longer do so
    step.job.store.publish(step.seen, step.seen.old)
    return _note_reverted(step)


def _note_reverted(step: StepContext) -> Record | None:
    record = step.record._replace(phase=Phase.REVERTED)
    return step.save(record, step.seen.pending, error=record.error)


def _undo(step: StepContext) -> Record | None:
    seen, record = step.seen, step.record
    step.rotator.retire(seen.new, step.keep, record.facts)
    if step.published == OtherValue.FOREIGN and record.promoted_at:  # readers have neither of ours
        step.rotator.retire(seen.old, step.keep, record.facts)
    if record.then == Phase.CLAIMED:
        again = record._replace(phase=Phase.CLAIMED, then="", rejections=0)
        return step.save(again, {PendingValue.OLD: seen.old})
    at_rest = record._replace(
        phase=Phase(record.then), then="", facts={}, rejections=0, retire_at=0.0
    )
    return step.release(at_rest, {}, error=record.error)


def _values(store: RotationStore, old: Fields, created: Created) -> Pending:
    """Return the values that are to be kept until the rotation is over."""
    pending: dict[str, Fields] = {PendingValue.OLD: old, PendingValue.NEW: {**old, **created.new}}
    for name, fields in (
        (PendingValue.ANNOUNCED, created.announced),
        (PendingValue.FINAL, created.final),
    ):
        if fields is not None and {**old, **fields} not in pending.values():
            pending[name] = {**old, **fields}
    if pending[PendingValue.NEW] == old:
        raise RotationError("the rotator made the value that there is already")
    strange = {field for fields in pending.values() for field in fields} - set(store.fields)
    if strange:
        raise RotationError(f"the rotator made the unknown field '{min(strange)}'")
    return pending


_AT_THE_TARGET = {
    StepKind.CLAIM: _claim,
    StepKind.CREATE: _create,
    StepKind.SET: _set,
    StepKind.TEST: _test,
    StepKind.FINISH: _finish,
    StepKind.BEGIN_RETIRE: _begin_retire,
    StepKind.RETIRE: _retire,
    StepKind.BEGIN_REVERT: _begin_revert,
    StepKind.UNDO: _undo,
}
_ACTS = {
    **_AT_THE_TARGET,
    StepKind.TAKE_OVER: _take_over,
    StepKind.ANNOUNCE: _announce,
    StepKind.PROMOTE: _promote,
    StepKind.NOTE_PROMOTED: _note_promoted,
    StepKind.PUBLISH_FINAL: _publish_final,
    StepKind.RESTORE: _restore,
    StepKind.NOTE_REVERTED: _note_reverted,
}
# for the others no rotator is opened, and no placeholder of its target is resolved
NEEDS_TARGET = frozenset(_AT_THE_TARGET)
