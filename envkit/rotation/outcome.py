"""The outcome of one run of a rotation; it has no value and can be shown, sent and counted.

An exception becomes an outcome here, and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.errors import EnvkitError, RotationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation_state.record import Record


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
