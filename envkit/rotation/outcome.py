"""The outcome of one run of a rotation; it has no value and can be shown, sent and counted.

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
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Snapshot


class OutcomeStatus(StrEnum):
    """How a run of a rotation ended."""

    ROTATED = "rotated"  # and the old credential is retired
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    NOT_DUE = "not-due"
    IN_GRACE = "in-grace"  # readers have the new value, the old one still works
    IN_USE = "in-use"  # the grace period is over, and the old one is kept while it is in use
    BLOCKED = "blocked"  # the same, and `grace_limit` is over; a person must act
    WAITING = "waiting"  # until readers have an announced value
    BUSY = "busy"  # another process is at work on it
    STOPPED = "stopped"  # on request; the next run resumes
    REFUSED = "refused"  # a person must act
    QUARANTINED = "quarantined"  # the target refuses every new value; a person must act
    FAILED = "failed"  # it is tried again


_ALARMS = (
    OutcomeStatus.REFUSED,
    OutcomeStatus.QUARANTINED,
    OutcomeStatus.FAILED,
    OutcomeStatus.BLOCKED,
)


class Outcome(NamedTuple):
    """What became of a rotation.

    Attributes:
        rotation: its full name, `prod/db-password`.
        status: how the run ended.
        reason: for people.
        until: when it is worth looking again, seconds since the epoch; 0 for never by itself.
        step: that was done last, or failed; empty for none.
        error: why it failed or was refused.
        record: where the rotation stands now; None where there never was one.
        changed: whether this run has done anything.
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
        """Whether no person has to act."""
        return self.status not in _ALARMS


def attempt(rotation: str, run: Callable[[], Outcome]) -> Outcome:
    """Call `run` and return its outcome; an exception becomes an outcome."""
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - of a plug-in, most likely
        return failed(rotation, error)


def failed(rotation: str, error: Exception) -> Outcome:
    """Return the outcome of a run that ended with an exception.

    Args:
        rotation: its full name.
        error: the exception; the text of one that is not envkit's may hold a value, and is
            not shown.
    """
    if not isinstance(error, EnvkitError):
        error = RotationError(f"the rotation failed: {type(error).__name__}")
    return Outcome(rotation, OutcomeStatus.FAILED, error.message, error=error)


_STATUSES = {
    StepKind.WAIT: OutcomeStatus.WAITING,
    StepKind.BUSY: OutcomeStatus.BUSY,
    StepKind.NOTHING: OutcomeStatus.NOT_DUE,
}


def conclude(name: str, location: str, seen: Snapshot | None, decision: Decision) -> Outcome:
    """Return the outcome when there is no step to do.

    Args:
        name: the full name of the rotation.
        location: of the secret, for people.
        seen: the state of the store; None if it was not read.
        decision: why there is no step.
    """
    reason, record = decision.reason, seen.record if seen else None
    if decision.step == StepKind.REFUSE:
        hint = None
        if record is None or not record.in_progress:
            hint = _hint_at_rest(seen)
        if decision.advice:
            option = "" if decision.advice == Request.ROTATE else f"--{decision.advice} "
            hint = f"run 'envkit rotate {option}{name}'"
        error = RotationError(f"{location}: {reason}", hint=hint)
        return Outcome(name, OutcomeStatus.REFUSED, reason, error=error)
    if record is not None and record.phase == Phase.QUARANTINED:
        error = RotationError(reason, hint=f"run 'envkit rotate {name}'")
        return Outcome(name, OutcomeStatus.QUARANTINED, reason, error=error)
    if decision.step == StepKind.PAUSE:
        error = RotationError(reason, hint=f"run 'envkit rotate {name}' to retry now")
        return Outcome(name, OutcomeStatus.FAILED, reason, decision.until, error=error)
    if decision.block is not None:
        if not decision.block.alarm:
            return Outcome(name, OutcomeStatus.IN_USE, reason, decision.until)
        error = RotationError(reason, hint=blocked_hint(name))
        return Outcome(name, OutcomeStatus.BLOCKED, reason, decision.until, error=error)
    status = _STATUSES[decision.step]
    if status == OutcomeStatus.WAITING and record is not None and record.after_promote:
        status = OutcomeStatus.IN_GRACE
    return Outcome(name, status, reason, decision.until)


def blocked_hint(name: str) -> str:
    """Return what to do about an old credential that stays in use."""
    return (
        "restart the programs that use it, or retire it although they fail then: run "
        f"'envkit rotate --retire {name}'"
    )


def _hint_at_rest(seen: Snapshot | None) -> str:
    if seen is not None and not seen.current:
        return "store a first value: a rotation starts from the current value"
    return "run 'envkit rotate status' to see its state"
