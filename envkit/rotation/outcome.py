"""What became of one rotation in one run; value-free, fit to be shown, sent and counted."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.errors import EnvkitError
    from envkit.rotation_state.record import Record

ROTATED = "rotated"  # and the old credential is retired
ROLLED_BACK = "rolled-back"
ABORTED = "aborted"
NOT_DUE = "not-due"
WAITING = "waiting"  # for the grace, or for readers to know an announced value
BUSY = "busy"  # somebody else is at work on it
STOPPED = "stopped"  # we were asked to; whoever comes next goes on
REFUSED = "refused"  # a person must look
QUARANTINED = "quarantined"  # the target refuses every new value; a person must look
FAILED = "failed"  # it is tried again

STATUSES = (
    *(ROTATED, ROLLED_BACK, ABORTED, NOT_DUE, WAITING, BUSY, STOPPED),
    *(REFUSED, QUARANTINED, FAILED),
)


class Outcome(NamedTuple):
    """What became of a rotation.

    Attributes:
        rotation: its full name, `prod/db-password`.
        status: one of STATUSES.
        reason: for people.
        until: when it is worth looking again, seconds since the epoch; 0 for never by itself.
        step: that was done last, or failed; empty for none.
        error: why it failed or was refused.
        record: where the rotation stands now; None where there never was one.
        changed: whether this run has done anything.
        promoted: whether this run gave readers the new value.
    """

    rotation: str
    status: str
    reason: str = ""
    until: float = 0.0
    step: str = ""
    error: EnvkitError | None = None
    record: Record | None = None
    changed: bool = False
    promoted: bool = False

    @property
    def ok(self) -> bool:
        """Whether nobody has to look."""
        return self.status not in (REFUSED, QUARANTINED, FAILED)
