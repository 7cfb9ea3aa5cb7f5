"""The outcome of one run of a rotation. It has no value, and can be shown, sent and counted.

An exception becomes an outcome here, and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.errors import EnvkitError, RotationError
from envkit.rotation.machine import Request, StepKind
from envkit.rotation_state.record import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation.machine import Decision
    from envkit.rotation.step_context import Job
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Snapshot


class OutcomeStatus(StrEnum):
    """How a run of a rotation ended."""

    ROTATED = "rotated"  # the old credential is retired as well
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    NOT_DUE = "not-due"
    IN_GRACE = "in-grace"  # readers have the new value, the old one still works
    IN_USE = "in-use"  # the grace period is over, and the old one is kept while it is in use
    BLOCKED = "blocked"  # the same, and `grace_limit` is over; a person must act
    WAITING = "waiting"  # until readers have an announced value
    BUSY = "busy"  # another process works on the rotation
    STOPPED = "stopped"  # on request; the next run resumes
    REFUSED = "refused"  # a person must act
    QUARANTINED = "quarantined"  # the target refuses every new value; a person must act
    FAILED = "failed"  # a later run retries


_ALARMS = (
    OutcomeStatus.REFUSED,
    OutcomeStatus.QUARANTINED,
    OutcomeStatus.FAILED,
    OutcomeStatus.BLOCKED,
)


def how_to_begin(rotation: str, secret: str) -> str:
    """Return the hint for a missing secret: a rotation starts from a current value.

    Args:
        rotation: its full name, `prod/db-password`.
        secret: the reference, `vault:db#password`.
    """
    return f"store a first value: envkit set --ref '{secret}' --env {rotation.partition('/')[0]}"


class Outcome(NamedTuple):
    """The outcome of one run of a rotation.

    Attributes:
        rotation: its full name, `prod/db-password`.
        status: how the run ended.
        reason: for people.
        until: when to look again, in seconds since the epoch; 0 if nothing changes by itself.
        step: the last step, which may have failed; empty if there was none.
        error: why it failed or was refused.
        record: the record after the run; None if there never was one.
        changed: whether this run has changed anything.
        promoted: whether this run gave readers the new value.
    """

    rotation: str
    status: OutcomeStatus
    reason: str = ""
    until: float = 0.0
    step: str = ""
    error: EnvkitError | None = None
    record: Record | None = None
    changed: bool = False
    promoted: bool = False

    @property
    def ok(self) -> bool:
        """Whether no action by a person is needed."""
        return self.status not in _ALARMS


def attempt(rotation: str, run: Callable[[], Outcome]) -> Outcome:
    """Call `run` and return its outcome; an exception becomes an outcome."""
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - most likely from a plug-in
        return failed(rotation, error)


def failed(rotation: str, error: Exception) -> Outcome:
    """Return the outcome of a run that ended with an exception.

    Args:
        rotation: its full name.
        error: the exception. The text of one that is not envkit's may contain a value, and
            is not shown.
    """
    if not isinstance(error, EnvkitError):
        error = RotationError(f"the rotation failed: {type(error).__name__}")
    return Outcome(rotation, OutcomeStatus.FAILED, error.message, error=error)


_STATUSES = {
    StepKind.WAIT: OutcomeStatus.WAITING,
    StepKind.BUSY: OutcomeStatus.BUSY,
    StepKind.NOTHING: OutcomeStatus.NOT_DUE,
}


def conclude(job: Job, seen: Snapshot | None, decision: Decision) -> Outcome:
    """Return the outcome when there is no step to do.

    Args:
        job: the rotation.
        seen: the state of the store; None if it was not read.
        decision: why there is no step.
    """
    name, reason, record = job.name, decision.reason, seen.record if seen else None
    if decision.step == StepKind.REFUSE:
        hint = None
        if record is None or not record.in_progress:
            hint = _hint_at_rest(seen, job)
        if decision.advice:
            option = "" if decision.advice == Request.ROTATE else f"--{decision.advice} "
            hint = f"run: envkit rotate {option}{name}"
        error = RotationError(f"{job.store.location}: {reason}", hint=hint)
        return Outcome(name, OutcomeStatus.REFUSED, reason, error=error)
    if record is not None and record.phase == Phase.QUARANTINED:
        error = RotationError(reason, hint=f"run: envkit rotate {name}")
        return Outcome(name, OutcomeStatus.QUARANTINED, reason, error=error)
    if decision.step == StepKind.PAUSE:
        error = RotationError(reason, hint=f"run 'envkit rotate {name}' to retry now")
        return Outcome(name, OutcomeStatus.FAILED, reason, decision.until, error=error)
    if decision.block is not None:
        if not decision.block.alarm:
            return Outcome(name, OutcomeStatus.IN_USE, reason, decision.until)
        error = RotationError(reason, hint=blocked_hint(name, record))
        return Outcome(name, OutcomeStatus.BLOCKED, reason, decision.until, error=error)
    status = _STATUSES[decision.step]
    if status == OutcomeStatus.WAITING and record is not None and record.after_promote:
        status = OutcomeStatus.IN_GRACE
    return Outcome(name, status, reason, decision.until)


def blocked_hint(name: str, record: Record | None) -> str:
    """Return what to do about an old credential that is kept after the grace period."""
    what = "restart the programs that use it, or retire it although they fail then"
    if record is not None and (record.evidence.error or not record.evidence.looked_at):
        what = "fix the reason, or retire it although programs may use it"
    return f"{what}: run 'envkit rotate --retire {name}'"


def _hint_at_rest(seen: Snapshot | None, job: Job) -> str:
    if seen is not None and not seen.current:
        return how_to_begin(job.name, job.secret)
    return "run 'envkit rotate status' to see its state"
