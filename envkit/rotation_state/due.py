"""When a rotation is due and overdue, from its policy, its record and the time. Pure."""

from __future__ import annotations

from envkit.rotation_state.schedule import Due, due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record


def next_due(policy: Policy, record: Record | None, now: float) -> Due:
    """Return the due time that counts now; its `overdue_at` is not the rotation's."""
    last = 0.0 if record is None else record.due_from
    return due(policy.timing, policy.full_name, last=last, now=now)


def overdue_at(policy: Policy, record: Record | None, now: float) -> float:
    """Return when a rotation becomes overdue; infinite for one that was never rotated."""
    last = 0.0
    if record is not None:
        last = record.promoted_at if record.after_promote else record.last_rotated_at
    return due(policy.timing, policy.full_name, last=last, now=now).overdue_at


def is_overdue(policy: Policy, record: Record | None, now: float) -> bool:
    """Return whether a rotation should have given the store a new value long since."""
    if record is None or record.after_promote:
        return False
    return overdue_at(policy, record, now) <= now
