"""Do one step of a rotation: act, then save by compare-and-set. `machine` decides which.

A step does only what was decided. If it is interrupted, at any instruction, it runs again from its
beginning.
"""

from __future__ import annotations

from uuid import uuid4

from envkit.errors import ConflictError, EnvkitError, RotationError, UnavailableError
from envkit.rotation.machine import NEW_VALUES, OLD_VALUES, OtherValue, Request, StepKind
from envkit.rotation_state.evidence import Evidence
from envkit.rotation_state.record import PendingValue, Phase, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import Created
    from envkit.rotation.step_context import StepContext
    from envkit.rotation_state.store import Fields, Pending, RotationStore, Snapshot
    from envkit.secret import Secret

MAX_ISSUED = 16  # passwords whose hash the record remembers


def do(step: StepContext) -> Snapshot:
    """Do one step, which must not be one of the passive ones of `machine`.

    Returns:
        The new state of the store. A step that costs nothing to repeat saves nothing: the
        next one saves its phase.

    Raises:
        ConflictError: another process has advanced the rotation, or changed the secret.
        RejectedError: the target will never accept this value.
        EnvkitError: the step failed, and may be repeated.
    """
    return _ACTS[step.decision.step](step)


def _claim(step: StepContext) -> Snapshot:
    job, seen = step.job, step.seen
    current, last = seen.current or {}, seen.record or Record(step.job.name)
    if job.store.fields[0] not in current:
        raise RotationError(f"{job.store.location} has no value to rotate")
    job.store.check()
    job.check()
    rotator = step.rotator
    beside = {name: job.store.beside.get(name) for name in getattr(rotator, "looks_beside", ())}
    facts = dict(rotator.prepare({**_present(beside), **current}))
    extra_passwords = int(facts.pop("extra_passwords", "0"))
    description = rotator.describe_target()
    same_target = (last.target, last.target_description) == (job.target, description)
    record = Record(
        job.name,
        uuid4().hex,
        Phase.CLAIMED,
        secret=job.store.identity,
        plan=job.plan,
        target=job.target,
        target_description=description,
        asked=bool(step.run.requested) or (last.in_progress and last.asked),
        compromised=step.without_grace,
        started_at=step.run.clock(),
        last_rotated_at=last.last_rotated_at,
        given_up_at=last.given_up_at,
        retired_at=last.retired_at,
        issued=last.issued if same_target else (),
        extra_passwords=extra_passwords,
        facts=facts,
        notified=last.notified,
    )
    return step.save(record, {PendingValue.OLD: current})


def _present(fields: Mapping[str, Secret | None]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _take_over(step: StepContext) -> Snapshot:
    _recheck(step)
    record = step.record
    begins = not record.after_promote and not record.reverting
    taken = record._replace(
        owner=step.run.me,
        busy_until=step.busy_until,
        compromised=record.compromised or (begins and step.run.requested == Request.COMPROMISED),
    )
    return step.job.store.save(step.seen, taken, step.seen.pending)


def _recheck(step: StepContext) -> None:
    """Check that the results of an earlier run still hold; the phase does not change.

    Raises:
        RotationError: the new credential, which is about to be published or to become the
            only one, does not log in.
    """
    record, published = step.record, step.published
    if record.phase == Phase.TESTED and published in OLD_VALUES:
        step.rotator.test(step.seen.new, record.facts)
    if record.phase == Phase.RETIRING and isinstance(published, PendingValue):
        before = published in OLD_VALUES
        new = step.seen.new if before else step.keep
        if not step.rotator.probe(new, record.facts):
            raise RotationError(
                "the new credential no longer logs in; the old one was not retired",
                hint="make it work at the target again, or store one that works with "
                "'envkit set --force'; then run "
                f"'envkit rotate {step.job.name}'",
            )


def _create(step: StepContext) -> Snapshot:
    record, old = step.record, step.seen.old
    rotator = step.rotator
    if not record.attempt:
        step.job.before()
        if record.target_description:
            # this also notices a change of the secret after the claim
            step = step._replace(seen=step.job.store.rehearse(step.seen))
    created = rotator.create(old, record.facts)
    staged = record._replace(
        phase=Phase.STAGED,
        attempt=record.attempt + 1,
        rejections=0,
        settle_seconds=0.0 if record.compromised else float(created.settle_seconds),
        issued=(*record.issued, *created.issued)[-MAX_ISSUED:],
        facts={**record.facts, **created.facts},
    )
    return step.save(staged, _values(step.job.store, old, created))


def _announce(step: StepContext) -> Snapshot:
    return step.publish(step.seen.pending[PendingValue.ANNOUNCED])


def _set(step: StepContext) -> Snapshot:
    seen, record = step.seen, step.record
    step.rotator.set(seen.old, seen.new, record.facts)
    settled = record._replace(
        phase=Phase.SET, settle_until=step.run.clock() + record.settle_seconds
    )
    if record.settle_seconds:
        return step.release(settled, seen.pending)
    return seen._replace(record=settled)


def _test(step: StepContext) -> Snapshot:
    step.rotator.test(step.seen.new, step.record.facts)
    return step.save(step.record._replace(phase=Phase.TESTED, rejections=0), step.seen.pending)


def _promote(step: StepContext) -> Snapshot:
    return step.publish(step.seen.new)


def _note_promoted(step: StepContext) -> Snapshot:
    now = step.run.clock()
    promoted = step.record._replace(
        phase=Phase.PROMOTED, promoted_at=now, retire_at=now + step.job.grace_seconds
    )
    if step.job.after is None:
        return step.seen._replace(record=promoted)
    return step.save(promoted, step.seen.pending)


def _finish(step: StepContext) -> Snapshot:
    seen, record = step.seen, step.record
    grace = 0.0 if record.compromised else step.job.grace_seconds
    step.rotator.finish(seen.old, seen.new, record.facts)
    if step.job.after is not None:
        step.job.after()
    # the grace period starts now, since the applications that `after` notified have restarted
    finished = record._replace(phase=Phase.GRACE, retire_at=step.run.clock() + grace)
    if grace or step.job.retirement.waits:
        return step.release(finished, seen.pending)
    return seen._replace(record=finished)


def _begin_retire(step: StepContext) -> Snapshot:
    if not step.rotator.probe(step.keep, step.record.facts):
        raise RotationError(
            "the new credential no longer logs in; the old one was not retired",
            hint=f"find out who changed it, or run 'envkit rotate --rollback {step.job.name}'",
        )
    return step.save(step.record._replace(phase=Phase.RETIRING), step.seen.pending)


def _publish_final(step: StepContext) -> Snapshot:
    final = step.seen.pending[PendingValue.FINAL]
    if not step.rotator.probe(final, step.record.facts):
        raise RotationError(
            "the final value does not log in",
            hint="find out who changed it, at the target or in the rotation record",
        )
    return step.publish(final)


def _retire(step: StepContext) -> Snapshot:
    record, seen = step.record, step.seen
    _end(step, seen.old, seen.current or seen.new)
    rotated = Record(
        record.rotation,
        record.id,
        secret=record.secret,
        plan=record.plan,
        target=record.target,
        target_description=record.target_description,
        compromised=record.compromised,
        attempt=record.attempt,
        started_at=record.started_at,
        promoted_at=record.promoted_at,
        last_rotated_at=record.promoted_at,
        given_up_at=record.given_up_at,
        retired_at=step.run.clock(),
        issued=record.issued,
        extra_passwords=record.extra_passwords,
    )
    return step.release(rotated, {})


def _begin_revert(step: StepContext) -> Snapshot:
    seen, record, decision = step.seen, step.record, step.decision
    live = decision.phase == Phase.REVERTING and step.published in NEW_VALUES
    if live and step.job.overlap and not step.rotator.probe(seen.old, record.facts):
        raise RotationError(
            "the previous credential no longer logs in",
            hint=f"run 'envkit rotate {step.job.name}' after the grace period",
        )
    _refuse_to_end_both(step)
    by_a_person = bool(step.run.requested) and decision.then == Phase.IDLE
    reverting = record._replace(
        phase=decision.phase,
        then=decision.then,
        given_up_at=step.run.clock() if by_a_person else record.given_up_at,
    )
    return step.save(
        reverting, seen.pending, error="" if decision.then == Phase.IDLE else decision.reason
    )


def _restore(step: StepContext) -> Snapshot:
    # written even if it is there already: a process that was about to publish another value
    # has read an older version of the secret, and can no longer write it
    try:
        seen = step.publish(step.seen.old)
    except (ConflictError, UnavailableError):
        raise
    except EnvkitError:
        if step.published != PendingValue.OLD:
            raise
        seen = step.seen  # readers never got another value, and the store refuses the write
    return _note_reverted(step._replace(seen=seen))


def _note_reverted(step: StepContext) -> Snapshot:
    record = step.record._replace(phase=Phase.REVERTED)
    return step.save(record, step.seen.pending, error=record.error)


def _undo(step: StepContext) -> Snapshot:
    seen, record = step.seen, step.record
    if not step.run.without_target:
        _refuse_to_end_both(step)
        _end(step, seen.new, step.keep)
        if step.published == OtherValue.FOREIGN and record.promoted_at:
            _end(step, seen.old, step.keep)  # readers have neither of our values
    if record.then == Phase.CLAIMED:
        again = record._replace(phase=Phase.CLAIMED, then="", rejections=0)
        return step.save(again, {PendingValue.OLD: seen.old})
    at_rest = record._replace(
        rotation=step.job.name,
        phase=Phase(record.then),
        then="",
        facts={},
        rejections=0,
        retire_at=0.0,
        evidence=Evidence(),
    )
    return step.release(at_rest, {}, error=record.error)


def _refuse_to_end_both(step: StepContext) -> None:
    """Check that a value from outside envkit logs in, if ours are both about to be removed.

    Raises:
        RotationError: it does not log in; our values stay.
    """
    record, foreign = step.record, step.published == OtherValue.FOREIGN
    if not foreign or not record.promoted_at or step.run.without_target:
        return
    if not step.rotator.probe(step.keep, record.facts):
        raise RotationError(
            "the secret was changed outside envkit to a value that does not log in; all three "
            "values were kept",
            hint="store a value that logs in, with 'envkit set --force' or 'envkit rollback "
            "--force'",
        )


def _end(step: StepContext, fields: Fields, keep: Fields) -> None:
    """Remove a credential, and check that the target refuses it.

    Raises:
        RotationError: the credential still works.
    """
    rotator, facts = step.rotator, step.record.facts
    rotator.retire(fields, keep, facts)
    if fields and fields != keep and not rotator.is_dead(fields, keep, facts):
        raise RotationError(
            "the credential that was retired still works",
            hint="find out what still accepts it, and remove it at the target; the next run checks "
            "again",
        )


def _values(store: RotationStore, old: Fields, created: Created) -> Pending:
    """Return the pending values to store until the rotation is over."""
    pending: dict[str, Fields] = {PendingValue.OLD: old, PendingValue.NEW: {**old, **created.new}}
    for name, fields in (
        (PendingValue.ANNOUNCED, created.announced),
        (PendingValue.FINAL, created.final),
    ):
        if fields is not None and {**old, **fields} not in pending.values():
            pending[name] = {**old, **fields}
    if pending[PendingValue.NEW] == old:
        raise RotationError("the rotator returned the value that the secret already has")
    strange = {field for fields in pending.values() for field in fields} - set(store.fields)
    if strange:
        raise RotationError(f"the rotator returned the unknown field '{min(strange)}'")
    return pending


_ACTS = {
    StepKind.CLAIM: _claim,
    StepKind.TAKE_OVER: _take_over,
    StepKind.CREATE: _create,
    StepKind.ANNOUNCE: _announce,
    StepKind.SET: _set,
    StepKind.TEST: _test,
    StepKind.PROMOTE: _promote,
    StepKind.NOTE_PROMOTED: _note_promoted,
    StepKind.FINISH: _finish,
    StepKind.BEGIN_RETIRE: _begin_retire,
    StepKind.PUBLISH_FINAL: _publish_final,
    StepKind.RETIRE: _retire,
    StepKind.BEGIN_REVERT: _begin_revert,
    StepKind.RESTORE: _restore,
    StepKind.NOTE_REVERTED: _note_reverted,
    StepKind.UNDO: _undo,
}
