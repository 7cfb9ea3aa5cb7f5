"""Carry one rotation on as far as it goes now: look, decide, do one step, and again.

    outcome = advance(job, deadline=Deadline(300))

Safe to call at any time from any number of hosts: whoever comes second finds what the
first has saved, and goes on from there or leaves it alone. What comes back is an outcome,
never an exception, so that one rotation that fails disturbs no other.

What always holds: after each step the store is read anew; no step begins or is waited for
after the deadline; no value is in an outcome.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

from envkit._internal.clock import Deadline
from envkit._internal.parallel import call_in_time
from envkit.errors import ConflictError, EnvkitError, RejectedError, RotationError, UnavailableError
from envkit.rotation import machine
from envkit.rotation.machine import Decision, Observation, decide, what_it_holds
from envkit.rotation.outcome import (
    ABORTED,
    BUSY,
    FAILED,
    NOT_DUE,
    QUARANTINED,
    REFUSED,
    ROLLED_BACK,
    ROTATED,
    STOPPED,
    WAITING,
    Outcome,
)
from envkit.rotation.steps import Job, Step, do
from envkit.rotation_state.record import CLAIMED
from envkit.rotation_state.record import QUARANTINED as GIVEN_UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Snapshot

__all__ = ["Job", "Outcome", "advance"]

MAX_STEPS = 200  # of one run; a rotation has about ten
MAX_CONFLICTS = 20
STORE_SHARE = 0.2  # of the time, so that what went wrong can be written down in the end
_OF_NEW_VALUES = (machine.CREATE, machine.SET_NEW, machine.TEST_NEW)
HOLD_MARGIN_SECONDS = 30.0  # clocks of hosts differ
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 15.0, 900.0


def _ignore(_step: str, _reason: str) -> None:
    pass


def advance(
    job: Job,
    *,
    deadline: Deadline,
    wish: str = "",
    clock: Callable[[], float] = time.time,
    progress: Callable[[str, str], None] = _ignore,
    stopping: Callable[[], bool] = lambda: False,
    me: str = "",
) -> Outcome:
    """Do all that one rotation needs now: nothing, some steps, or all but its grace.

    Args:
        job: the rotation.
        deadline: when the run must be over; its store should have the same one.
        wish: what a person asked for, one of `machine.WISHES`; empty for what is due.
        clock: seconds since the epoch.
        progress: called before each step with its name and the reason.
        stopping: asked between steps; once it says yes, the rotation is left to the next.
        me: who is at work, for others to see; host and process unless given.
    """
    run = _Run(job, deadline, wish, clock, progress, me or holder())
    try:
        return run.until_done(stopping)
    except EnvkitError as error:
        return run.outcome(FAILED, error.message, error=error)
    except Exception as bug:  # noqa: BLE001 - of a plug-in, most likely; it may hold a value
        failure = RotationError(f"the rotation failed: {type(bug).__name__}")
        return run.outcome(FAILED, failure.message, error=failure)


def holder() -> str:
    """Return a name for this run that no other has: host, process and a number."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"


class _Run:
    """One call of `advance`."""

    def __init__(
        self,
        job: Job,
        deadline: Deadline,
        wish: str,
        clock: Callable[[], float],
        progress: Callable[[str, str], None],
        me: str,
    ) -> None:
        self.job = job
        self.wish = wish
        self.clock = clock
        self.progress = progress
        self.me = me
        left = deadline.remaining_seconds()
        self.steps_deadline = Deadline(left * (1 - STORE_SHARE))
        self.deadline = deadline
        self.first_id: str | None = None
        self.seen: Snapshot | None = None
        self.step = ""
        self.changed = self.promoted = False

    def until_done(self, stopping: Callable[[], bool]) -> Outcome:
        conflicts = 0
        refused_at: object = self
        for _ in range(MAX_STEPS):
            seen = self.look()
            decision = self.decide(seen)
            if decision.step == machine.REFUSE and refused_at != seen.record_version:
                # the secret may have been read before a step of somebody else's, and the
                # record after it: what is refused is refused twice with one record
                refused_at = seen.record_version
                continue
            if decision.step in machine.PASSIVE:
                return self.passive(decision)
            if stopping():
                return self.stop()
            try:
                done = self.do(seen, decision)
            except ConflictError:
                conflicts += 1
                if conflicts == MAX_CONFLICTS:
                    raise
                continue
            except EnvkitError as error:
                rejected = isinstance(error, RejectedError) and decision.step in _OF_NEW_VALUES
                self.note_failure(seen, decision, error, rejected=rejected)
                if not rejected:
                    raise
                continue
            if done is not None:
                return done
        raise RotationError("the rotation does not come to an end")

    # ---------------------------------------------------------------- looking

    def look(self) -> Snapshot:
        seen = self.seen = self.job.store.read()
        record = seen.record
        if self.first_id is None:
            self.first_id = record.id if record else ""
        elif record is not None and record.id != self.first_id and record.holder != self.me:
            self.wish = "" if self.wish == machine.ROTATE else self.wish  # another one did it
        if record is not None:
            self.check(record)
        return seen

    def check(self, record: Record) -> None:
        name, plan = self.job.name, self.job.plan
        renamed = self.wish == machine.ROTATE and not record.in_progress
        if record.rotation != name and not renamed:
            raise RotationError(
                f"{self.job.store.location} is rotated as {record.rotation}, and not as {name}",
                hint="name one rotation for one secret, in one profile or in one that both extend; "
                f"if it has another name now, run 'envkit rotate {name}' when none is under way",
            )
        if record.in_progress and record.plan != plan:
            raise RotationError(
                f"the rotation that is under way was begun as '{record.plan}', and now the "
                f"profile says '{plan}'",
                hint="put the profile back until the rotation is over, or aborted",
            )

    def decide(self, seen: Snapshot) -> Decision:
        now = self.clock()
        return decide(
            Observation(
                seen.record,
                what_it_holds(seen.current, seen.pending),
                now,
                self.job.due(seen.record, now),
                frozenset(seen.pending),
                self.me,
                self.wish,
            )
        )

    # ---------------------------------------------------------------- doing

    def do(self, seen: Snapshot, decision: Decision) -> Outcome | None:
        """Do one step; return the outcome if it was the last one."""
        self.step = decision.step
        self.progress(decision.step, decision.reason)
        record = seen.record
        rotator = self.job.open_rotator(
            deadline=self.steps_deadline,
            confirm=lambda: self.confirm(seen),
            id=record.id if record and record.in_progress else "",
        )
        busy_until = self.clock() + self.deadline.remaining_seconds() + HOLD_MARGIN_SECONDS
        step = Step(self.job, seen, decision, rotator, self.clock, self.me, busy_until, self.wish)
        saved = self.within_time(step)
        if saved is not None:
            self.seen = seen._replace(record=saved)
        if decision.step != machine.TAKE_OVER:
            self.changed = True
        if decision.step == machine.NOTE_PROMOTED:
            self.promoted = True
        if decision.step == machine.RETIRE:
            return self.outcome(ROTATED)
        if decision.step == machine.UNDO:
            return self.undone(step.record)
        return None

    def within_time(self, step: Step) -> Record | None:
        """Do a step in a thread, so that a driver that hangs hangs alone."""
        result = call_in_time(lambda: do(step), self.steps_deadline)
        error = result.error
        if isinstance(error, Exception) and not isinstance(error, EnvkitError):
            # its text may hold a value
            raise RotationError(f"{step.decision.step} failed: {type(error).__name__}")
        if result.late:
            raise _TooLateError(
                f"{step.decision.step} was not over in time",
                hint="give the rotation a longer 'timeout', or find out what its target waits for",
            )
        return result.value

    def confirm(self, seen: Snapshot) -> None:
        if self.job.store.read().record_version != seen.record_version:
            raise ConflictError(f"somebody else has gone on with {self.job.name}")

    def undone(self, record: Record) -> Outcome | None:
        if record.then == CLAIMED:
            return None
        if record.then == GIVEN_UP:
            error = RotationError(
                f"the target has refused {record.attempt} new values; the current one is untouched",
                hint=f"find out why, and run 'envkit rotate {self.job.name}'",
            )
            return self.outcome(QUARANTINED, error.message, error=error)
        if record.promoted_at:
            return self.outcome(ROLLED_BACK)
        if record.given_up_at >= record.started_at:
            return self.outcome(ABORTED)
        return self.outcome(NOT_DUE, "it is not due any more")

    def note_failure(
        self, seen: Snapshot, decision: Decision, error: EnvkitError, *, rejected: bool
    ) -> None:
        """Write down that a step failed, so that it is tried again later, or with another value."""
        record = seen.record
        if record is None or not record.in_progress:
            return
        tries = record.tries + 1
        noted = record._replace(tries=tries, error=f"{decision.step}: {error.code}")
        if rejected:
            noted = noted._replace(rejections=record.rejections + 1)
        elif not isinstance(error, _TooLateError):  # of which we do not know that it has ended
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 10), LAST_PAUSE_SECONDS)
            noted = noted._replace(holder="", busy_until=self.clock() + pause)
        with suppress(EnvkitError):  # the store may be what failed; the failure itself is told
            self.job.store.save(seen, noted, seen.pending)
            self.seen = seen._replace(record=noted)

    # ---------------------------------------------------------------- telling

    def passive(self, decision: Decision) -> Outcome:
        reason = decision.reason
        record = self.seen.record if self.seen else None
        if decision.step == machine.REFUSE:
            self.let_go()
            hint = None
            if record is None or not record.in_progress:
                hint = _hint_at_rest(self.seen)
            if decision.advice:
                option = "" if decision.advice == machine.ROTATE else f"--{decision.advice} "
                hint = f"run 'envkit rotate {option}{self.job.name}'"
            error = RotationError(f"{self.job.store.location}: {reason}", hint=hint)
            return self.outcome(REFUSED, reason, error=error)
        if record is not None and record.phase == GIVEN_UP:
            error = RotationError(reason, hint=f"run 'envkit rotate {self.job.name}'")
            return self.outcome(QUARANTINED, reason, error=error)
        if decision.step == machine.PAUSE:
            error = RotationError(
                reason, hint=f"it is tried again; 'envkit rotate {self.job.name}' does so at once"
            )
            return self.outcome(FAILED, reason, until=decision.until, error=error)
        status = {machine.WAIT: WAITING, machine.BUSY: BUSY, machine.NOTHING: NOT_DUE}
        return self.outcome(status[decision.step], reason, until=decision.until)

    def stop(self) -> Outcome:
        self.let_go()
        return self.outcome(STOPPED, "asked to stop; whoever comes next goes on")

    def let_go(self) -> None:
        """Let others go on at once, or tell of it; else they wait until our time is over."""
        seen = self.seen
        record = seen.record if seen else None
        if seen and record and record.in_progress and record.holder == self.me:
            freed = record._replace(holder="", busy_until=0.0)
            with suppress(EnvkitError):
                self.job.store.save(seen, freed, seen.pending)
                self.seen = seen._replace(record=freed)

    def outcome(
        self, status: str, reason: str = "", *, until: float = 0.0, error: EnvkitError | None = None
    ) -> Outcome:
        return Outcome(
            self.job.name,
            status,
            reason,
            until,
            self.step,
            error,
            self.seen.record if self.seen else None,
            self.changed,
            self.promoted,
        )


def _hint_at_rest(seen: Snapshot | None) -> str:
    if seen is not None and not seen.current:
        return "store a first value: rotating begins with what readers have"
    return "run 'envkit rotate status' to see where it stands"


class _TooLateError(UnavailableError):
    """A step has not come back; it may still be at work."""
