"""Advance one rotation as far as possible now: read, decide, do one step, repeat.

    outcome = advance(job, deadline=Deadline(300))

Safe to call at any time from any number of hosts: a second run finds what the first one has
saved, and resumes it or leaves it alone. The result is an outcome, never an exception, so
that a failing rotation does not affect others.

What always holds: each step is decided from what the store said last, by a read or by the
answer to our own write; no step begins or is waited for after the deadline; no value is in an
outcome.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

from envkit._internal.clock import Deadline, pause_seconds
from envkit._internal.parallel import call_in_time
from envkit.errors import ConflictError, EnvkitError, RejectedError, RotationError, UnavailableError
from envkit.rotation.machine import PASSIVE, OtherValue, Request, StepKind, decide, observe
from envkit.rotation.outcome import Outcome, OutcomeStatus, attempt
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
# what a person may ask of a rotation in progress that has another name by now
_BY_A_NEW_NAME = (Request.ABORT, Request.ROLLBACK, Request.RESUME)
STORE_SHARE = 0.2  # of the time, so that a failure can be saved in the end
SPARE_SECONDS = 2.0  # for a step that comes too late
_OF_NEW_VALUES = (StepKind.CREATE, StepKind.SET, StepKind.TEST)
CLOCK_MARGIN_SECONDS = 30.0  # clocks of hosts differ


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
        deadline: when the run must be over; its store should have the same one.
        requested: what a person asked for; None for what is due.
        clock: seconds since the epoch.
        progress: called before each step with its name and the reason.
        stopping: asked between steps; once it says yes, the rotation is left to the next run.
        me: who is at work, for others to see; host and process unless given.
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
    """Return a name for this run that no other has: host, process and a number."""
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
        self.conflicts = 0
        self.changed = self.promoted = False

    def until_concluded(self, stopping: Callable[[], bool]) -> Outcome:
        refused_at: object = self
        known: Snapshot | None = None
        for _ in range(MAX_STEPS):
            seen, known = known or self.read(), None
            decision = self.decide(seen)
            if decision.step == StepKind.REFUSE and refused_at != seen.record_version:
                # the secret may have been read before another process's step, and the record
                # after it: a refusal counts once it comes twice with the same record
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
        """Do a step; return the outcome if it was the last one, and what the store has then.

        Where that is not known, the store has to be read.
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
                    return None, None  # it failed with a value that is none any more
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
                context.requested == Request.ROTATE
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
        if found.renamed and record.in_progress and self.context.requested in _BY_A_NEW_NAME:
            found = self.job.mismatch(record._replace(rotation=self.job.name))
            if found is None:
                return
        if found.changed and self.may_abort(record):
            self.context = self.context._replace(without_target=True)
            return
        raise RotationError(found.reason, hint=found.hint)

    def may_abort(self, record: Record | None) -> bool:
        """Whether the rotation is to be dropped whatever the profile says of its target."""
        return (
            record is not None
            and self.context.requested == Request.ABORT
            and not record.promoted_at
        )

    def decide(self, seen: Snapshot) -> Decision:
        me, requested, now = self.context.me, self.context.requested, self.context.clock()
        return decide(
            observe(
                seen, now=now, due_at=self.job.due(seen.record, now), me=me, requested=requested
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
            return None  # what readers have since is compromised, and is rotated next
        if decision.step == StepKind.RETIRE:
            return self.outcome(OutcomeStatus.ROTATED)
        return self.undone(step)

    def within_time(self, step: StepContext) -> Snapshot:
        """Do a step in a thread, so that a driver that hangs hangs alone."""
        deadline = self.context.deadline
        spare_seconds = min(SPARE_SECONDS, STORE_SHARE * self.deadline.timeout_seconds)
        result = call_in_time(lambda: do(step), deadline, spare_seconds=spare_seconds)
        error = result.error
        if isinstance(error, Exception) and not isinstance(error, EnvkitError):
            # its text may hold a value
            raise RotationError(f"{step.decision.step} failed: {type(error).__name__}")
        if result.late:
            raise _TooLateError(
                f"{step.decision.step} did not finish in time",
                hint="increase 'timeout' in the rotation, or find out what its target is waiting "
                "for",
            )
        return result.value

    def is_stale(self, seen: Snapshot) -> bool:
        """Return whether the secret or its record is another one by now."""
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
                left = "the secret has a value from outside envkit; old and new no longer work"
            return self.outcome(OutcomeStatus.ABORTED, left)
        return self.outcome(OutcomeStatus.NOT_DUE, "it is no longer due")

    # ---------------------------------------------------------------- saving

    def save_failure(
        self, seen: Snapshot, decision: Decision, error: EnvkitError, *, rejected: bool
    ) -> None:
        """Save that a step failed, so that it is tried again later, or with another value."""
        record = seen.record
        if record is None or not record.in_progress:
            store = self.job.store
            if decision.step != StepKind.CLAIM or not seen.current or _refuses(store):
                return  # beside a secret without a value, a record could become its value
            record = record or Record(self.job.name, secret=store.identity, plan=self.job.plan)
        tries = record.tries + 1
        failed = record._replace(tries=tries, error=f"{decision.step}: {error.code}")
        if rejected:
            failed = failed._replace(rejections=record.rejections + 1)
        elif not record.in_progress or not isinstance(error, _TooLateError):
            # a step that came too late may still be at work
            failed = failed._replace(
                owner="", busy_until=self.context.clock() + pause_seconds(tries)
            )
        self.save(seen, failed)

    def release(self) -> None:
        """Let others resume the rotation at once; they would wait until this run's time is over."""
        seen = self.seen
        record = seen.record if seen else None
        if seen and record and record.in_progress and record.owner == self.context.me:
            self.save(seen, record._replace(owner="", busy_until=0.0))

    def save(self, seen: Snapshot, record: Record) -> None:
        # the store may be what failed; the outcome says what went wrong first
        with suppress(EnvkitError):
            self.seen = self.job.store.save(seen, record, seen.pending)

    # ---------------------------------------------------------------- concluding

    def conclude(self, decision: Decision) -> Outcome:
        """Return the outcome where there is no step to do."""
        reason = decision.reason
        record = self.seen.record if self.seen else None
        if decision.step == StepKind.REFUSE:
            self.release()
            hint = None
            if record is None or not record.in_progress:
                hint = _hint_at_rest(self.seen)
            if decision.advice:
                option = "" if decision.advice == Request.ROTATE else f"--{decision.advice} "
                hint = f"run 'envkit rotate {option}{self.job.name}'"
            error = RotationError(f"{self.job.store.location}: {reason}", hint=hint)
            return self.outcome(OutcomeStatus.REFUSED, reason, error=error)
        if record is not None and record.phase == Phase.QUARANTINED:
            error = RotationError(reason, hint=f"run 'envkit rotate {self.job.name}'")
            return self.outcome(OutcomeStatus.QUARANTINED, reason, error=error)
        if decision.step == StepKind.PAUSE:
            error = RotationError(
                reason,
                hint=f"run 'envkit rotate {self.job.name}' to retry now",
            )
            return self.outcome(OutcomeStatus.FAILED, reason, until=decision.until, error=error)
        status = _STATUSES[decision.step]
        if status == OutcomeStatus.WAITING and record is not None and record.after_promote:
            status = OutcomeStatus.IN_GRACE
        return self.outcome(status, reason, until=decision.until)

    def stop(self) -> Outcome:
        self.release()
        return self.outcome(OutcomeStatus.STOPPED, "stopped on request; the next run resumes")

    def outcome(
        self,
        status: OutcomeStatus,
        reason: str = "",
        *,
        until: float = 0.0,
        error: EnvkitError | None = None,
    ) -> Outcome:
        return Outcome(self.job.name, status, reason, until, error=error)


_STATUSES = {
    StepKind.WAIT: OutcomeStatus.WAITING,
    StepKind.BUSY: OutcomeStatus.BUSY,
    StepKind.NOTHING: OutcomeStatus.NOT_DUE,
}


def _refuses(store: RotationStore) -> bool:
    """Return whether a store takes no rotation of its secret, which then is not written to."""
    try:
        store.check()
    except EnvkitError:
        return True
    return False


def _hint_at_rest(seen: Snapshot | None) -> str:
    if seen is not None and not seen.current:
        return "store a first value: a rotation starts from the current value"
    return "run 'envkit rotate status' to see its state"


class _TooLateError(UnavailableError):
    """A step has not come back; it may still be at work."""
