"""The outcome of one run of a rotation. It has no value, and can be shown, sent and counted.

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

    ROTATED = "rotated"  # the old credential is retired as well
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    NOT_DUE = "not-due"
    IN_GRACE = "in-grace"  # readers have the new value, the old one still works
    WAITING = "waiting"  # until readers have an announced value
    BUSY = "busy"  # another process works on the rotation
    STOPPED = "stopped"  # on request; the next run resumes
    REFUSED = "refused"  # a person must act
    QUARANTINED = "quarantined"  # the target refuses every new value; a person must act
    FAILED = "failed"  # a later run retries


_ALARMS = (OutcomeStatus.REFUSED, OutcomeStatus.QUARANTINED, OutcomeStatus.FAILED)


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
