"""The outcome of a run that has no step to do, from the decision and the state of the store."""

from __future__ import annotations

from envkit.errors import RotationError
from envkit.rotation.machine import Request, StepKind
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation_state.record import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation.machine import Decision
    from envkit.rotation_state.store import Snapshot

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
