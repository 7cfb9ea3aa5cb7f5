"""Advance one rotation as far as possible now: read, decide, do one step, repeat.

    outcome = advance(job, deadline=Deadline(300))

Safe to call at any time, from any number of hosts: a second run finds the saved state of the
first, and resumes the rotation or leaves it alone. The result is an outcome, never an exception,
so that a failing rotation does not affect others.

Each step is decided from the latest state of the store, from a read or from the response to our
own write. No step starts after the deadline, and the engine does not wait for one beyond it. An
outcome never has a value.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

from envkit._internal.clock import Deadline, pause_seconds
from envkit._internal.parallel import call_in_time
from envkit.errors import ConflictError, EnvkitError, RejectedError, RotationError, UnavailableError
from envkit.rotation.looking import Looks
from envkit.rotation.machine import PASSIVE, OtherValue, Request, StepKind, decide, observe
from envkit.rotation.outcome import Outcome, OutcomeStatus, attempt, conclude
from envkit.rotation.step_context import AnotherTargetError, Job, RunContext, StepContext
from envkit.rotation.steps import do
from envkit.rotation_state.record import Phase, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation.machine import Decision
    from envkit.rotation_state.store import RotationStore, Snapshot

__all__ = ["Job", "Outcome", "advance"]

MAX_STEPS = 200  # of one run; a rotation has about ten
MAX_CONFLICTS = 20
# requests that a person may make for a rotation in progress that has since been renamed
_ALLOWED_AFTER_RENAME = (Request.ABORT, Request.ROLLBACK, Request.RESUME)
STORE_SHARE = 0.2  # part of the time that is reserved for saving a failure
SPARE_SECONDS = 2.0  # for a step that is late
_OF_NEW_VALUES = (StepKind.CREATE, StepKind.SET, StepKind.TEST)
CLOCK_MARGIN_SECONDS = 30.0  # the clocks of hosts differ


def _ignore(_step: str, _reason: str) -> None:
    pass


def advance(
    job: Job,
    *,
    deadline: Deadline,
    requested: Request | None = None,
    clock: Callable[[], float] = time.time,
    progress: Callable[[str, str], None] = _ignore,
    stopping: Callable[[], bool] = lambda: False,
    me: str = "",
) -> Outcome:
    """Do all that one rotation needs now: nothing, some steps, or all up to its grace period.

    Args:
        job: the rotation.
        deadline: when the run must be over; its store should have the same deadline.
        requested: what a person requested; None to run only if it is due.
        clock: returns seconds since the epoch.
        progress: called before each step with its name and the reason.
        stopping: called between steps; if it returns true, the next run resumes the rotation.
        me: the owner of the run, shown to other processes; default: host and process.
    """
    steps_deadline = Deadline(deadline.remaining_seconds() * (1 - STORE_SHARE))
    run = _Run(
        RunContext(job, me or new_owner(), requested, clock, steps_deadline, deadline),
        deadline,
        progress,
    )
    outcome = attempt(job.name, lambda: run.until_concluded(stopping))
    return outcome._replace(
        step=run.step,
        record=run.seen.record if run.seen else None,
        changed=run.changed,
        promoted=run.promoted,
    )


def new_owner() -> str:
    """Return a name for this run that no other run has: host, process and a number."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"


class _Run:
    """One call of `advance`."""

    def __init__(
        self, context: RunContext, deadline: Deadline, progress: Callable[[str, str], None]
    ) -> None:
        self.context = context
        self.job = context.job
        self.deadline = deadline
        self.progress = progress
        self.first_id: str | None = None
        self.seen: Snapshot | None = None
        self.step = ""
        self.looks = Looks(self.job.retirement)
        self.conflicts = 0
        self.changed = self.promoted = False

    def until_concluded(self, stopping: Callable[[], bool]) -> Outcome:
        refused_at: object = self
        known: Snapshot | None = None
        for _ in range(MAX_STEPS):
            seen, known = known or self.read(), None
            try:
                seen = self.seen = self.looks.taken(self.context, seen)
            except ConflictError:
                self.conflicts += 1
                if self.conflicts == MAX_CONFLICTS:
                    raise
                continue
            decision = self.decide(seen)
            if decision.step == StepKind.REFUSE and refused_at != seen.record_version:
                # the secret may have been read before another process's step, and the record
                # after it: a refusal counts only if it repeats with the same record
                refused_at = seen.record_version
                continue
            if decision.step in PASSIVE:
                return self.conclude(decision)
            if stopping():
                return self.stop()
            done, known = self.try_step(seen, decision)
            if done is not None:
                return done
        raise RotationError(f"gave up after {MAX_STEPS} steps")

    def try_step(
        self, seen: Snapshot, decision: Decision
    ) -> tuple[Outcome | None, Snapshot | None]:
        """Do a step; return the outcome if it was the last one, and the new state of the store.

        If the new state is None, the store must be read.
        """
        try:
            return self.do(seen, decision), self.seen
        except ConflictError:
            self.conflicts += 1
            if self.conflicts == MAX_CONFLICTS:
                raise
        except EnvkitError as error:
            if isinstance(error, AnotherTargetError) and self.may_abort(seen.record):
                self.context = self.context._replace(without_target=True)
                return None, None
            if decision.step == StepKind.CLAIM and self.is_stale(seen):
                self.conflicts += 1
                if self.conflicts < MAX_CONFLICTS:
                    return None, None  # the step failed with a value that is out of date
            rejected = isinstance(error, RejectedError) and decision.step in _OF_NEW_VALUES
            self.save_failure(seen, decision, error, rejected=rejected)
            if not rejected:
                raise
        return None, None

    # ---------------------------------------------------------------- reading

    def read(self) -> Snapshot:
        seen = self.seen = self.job.store.read()
        record, context = seen.record, self.context
        if self.first_id is None:
            self.first_id = record.id if record else ""
        elif (
            record is not None
            and record.id != self.first_id
            and record.owner != context.me
            and (
                context.requested in (Request.ROTATE, Request.RETIRE)
                or (context.requested == Request.COMPROMISED and record.compromised)
            )
        ):
            self.context = context._replace(requested=None)  # another process did it
        if record is None:
            return seen
        self.check(record)
        if record.in_progress and record.rotation != self.job.name:
            record = record._replace(rotation=self.job.name)
            seen = self.job.store.save(seen, record, seen.pending)
        fields = (self.job.store.fields[0], *sorted(seen.old.keys() - {self.job.store.fields[0]}))
        if (
            self.context.without_target
            and self.job.reopen_store is not None
            and set(fields) != set(self.job.store.fields)
        ):
            self.job = self.job._replace(store=self.job.reopen_store(fields), reopen_store=None)
            return self.read()
        return seen

    def check(self, record: Record) -> None:
        found = self.job.mismatch(record)
        if found is None:
            return
        by_name = self.context.requested in (Request.ROTATE, Request.COMPROMISED)
        if found.renamed and by_name and not record.in_progress:
            return
        if found.renamed and record.in_progress and self.context.requested in _ALLOWED_AFTER_RENAME:
            found = self.job.mismatch(record._replace(rotation=self.job.name))
            if found is None:
                return
        if found.changed and self.may_abort(record):
            self.context = self.context._replace(without_target=True)
            return
        raise RotationError(found.reason, hint=found.hint)

    def may_abort(self, record: Record | None) -> bool:
        """Whether the rotation may be dropped even if the profile names another target now."""
        return (
            record is not None
            and self.context.requested == Request.ABORT
            and not record.promoted_at
        )

    def decide(self, seen: Snapshot) -> Decision:
        me, requested, now = self.context.me, self.context.requested, self.context.clock()
        return decide(
            observe(
                seen,
                now=now,
                due_at=self.job.due(seen.record, now),
                me=me,
                requested=requested,
                retirement=self.looks.retirement,
            )
        )

    # ---------------------------------------------------------------- doing

    def do(self, seen: Snapshot, decision: Decision) -> Outcome | None:
        """Do one step; return the outcome if it was the last one."""
        self.step = decision.step
        self.progress(decision.step, decision.reason)
        clock = self.context.clock
        busy_until = clock() + self.deadline.remaining_seconds() + CLOCK_MARGIN_SECONDS
        step = StepContext(self.context, seen, decision, busy_until)
        self.seen = self.within_time(step)
        if decision.step != StepKind.TAKE_OVER:
            self.changed = True
        if decision.step == StepKind.NOTE_PROMOTED:
            self.promoted = True
        if decision.step not in (StepKind.RETIRE, StepKind.UNDO):
            return None
        if self.context.requested == Request.COMPROMISED and not step.record.compromised:
            return None  # the value published since then is compromised and is rotated next
        if decision.step == StepKind.RETIRE:
            return self.outcome(OutcomeStatus.ROTATED)
        return self.undone(step)

    def within_time(self, step: StepContext) -> Snapshot:
        """Do a step in a thread, so that a driver that hangs does not block the run."""
        deadline = self.context.deadline
        spare_seconds = min(SPARE_SECONDS, STORE_SHARE * self.deadline.timeout_seconds)
        result = call_in_time(lambda: do(step), deadline, spare_seconds=spare_seconds)
        error = result.error
        if isinstance(error, Exception) and not isinstance(error, EnvkitError):
            # the text of the exception may contain a value
            raise RotationError(f"{step.decision.step} failed: {type(error).__name__}")
        if result.late:
            raise _TooLateError(
                f"{step.decision.step} did not finish in time",
                hint="increase 'timeout' in the rotation, or find out what its target is waiting "
                "for",
            )
        return result.value

    def is_stale(self, seen: Snapshot) -> bool:
        """Return whether the secret or its record has changed since the snapshot."""
        try:
            now = self.job.store.read()
        except EnvkitError:
            return False
        return (now.version, now.record_version) != (seen.version, seen.record_version)

    def undone(self, step: StepContext) -> Outcome | None:
        record = step.record
        if record.then == Phase.CLAIMED:
            return None
        if record.then == Phase.QUARANTINED:
            error = RotationError(
                f"the target has refused {record.attempt} new values; the current one is untouched",
                hint=f"find out why, and run 'envkit rotate {self.job.name}'",
            )
            return self.outcome(OutcomeStatus.QUARANTINED, error.message, error=error)
        foreign = step.published == OtherValue.FOREIGN
        if record.promoted_at and not foreign:
            return self.outcome(OutcomeStatus.ROLLED_BACK)
        if record.given_up_at >= record.started_at:
            left = ""
            if step.run.without_target and step.seen.new:
                at = record.target_description or "the target that the profile named before"
                left = f"at {at} the new value may still work and the old one may not: check there"
            elif record.promoted_at:
                left = (
                    "the secret was changed outside envkit; the old and the new value no longer "
                    "work"
                )
            return self.outcome(OutcomeStatus.ABORTED, left)
        return self.outcome(OutcomeStatus.NOT_DUE, "it is no longer due")

    # ---------------------------------------------------------------- saving

    def save_failure(
        self, seen: Snapshot, decision: Decision, error: EnvkitError, *, rejected: bool
    ) -> None:
        """Save that a step failed, so that a later run retries it, or tries another value."""
        record = seen.record
        if record is None or not record.in_progress:
            store = self.job.store
            if decision.step != StepKind.CLAIM or not seen.current or _refuses(store):
                return  # if the secret has no value, the record could become its value
            record = record or Record(self.job.name, secret=store.identity, plan=self.job.plan)
        tries = record.tries + 1
        failed = record._replace(tries=tries, error=f"{decision.step}: {error.code}")
        if rejected:
            failed = failed._replace(rejections=record.rejections + 1)
        elif not record.in_progress or not isinstance(error, _TooLateError):
            # a late step may still be running
            failed = failed._replace(
                owner="", busy_until=self.context.clock() + pause_seconds(tries)
            )
        self.save(seen, failed)

    def release(self) -> None:
        """Let others resume the rotation at once instead of after the end of this run's time."""
        seen = self.seen
        record = seen.record if seen else None
        if seen and record and record.in_progress and record.owner == self.context.me:
            self.save(seen, record._replace(owner="", busy_until=0.0))

    def save(self, seen: Snapshot, record: Record) -> None:
        # the store itself may have failed; the outcome reports the first error
        with suppress(EnvkitError):
            self.seen = self.job.store.save(seen, record, seen.pending)

    # ---------------------------------------------------------------- concluding

    def conclude(self, decision: Decision) -> Outcome:
        """Return the outcome when there is no step to do."""
        if decision.step == StepKind.REFUSE:
            self.release()
        return conclude(self.job, self.seen, decision)

    def stop(self) -> Outcome:
        self.release()
        return self.outcome(OutcomeStatus.STOPPED, "stopped on request; the next run resumes")

    def outcome(
        self,
        status: OutcomeStatus,
        reason: str = "",
        *,
        error: EnvkitError | None = None,
    ) -> Outcome:
        return Outcome(self.job.name, status, reason, error=error)


def _refuses(store: RotationStore) -> bool:
    """Return whether a store refuses to rotate its secret; nothing is written to it then."""
    try:
        store.check()
    except EnvkitError:
        return True
    return False


class _TooLateError(UnavailableError):
    """A step did not return in time; it may still be running."""
