"""When a rotation is due, overdue, and retires its old value, from its policy. Pure."""

from __future__ import annotations

from envkit.rotation_state.retirement import (
    LOOK_SECONDS,
    MAX_QUIET_SECONDS,
    MIN_LOOK_SECONDS,
    Retirement,
    last_block,
)
from envkit.rotation_state.schedule import Due, due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record


def next_due(policy: Policy, record: Record | None, now: float) -> Due:
    """Return the current due time, and when the rotation is overdue.

    A rotation that a person rolled back or aborted waits for its next due time. Whether it is
    overdue still depends on the last rotation that succeeded.
    """
    timing, name = policy.timing, policy.full_name
    last = 0.0 if record is None else record.due_from
    found = due(timing, name, last=last, now=now)
    rotated = 0.0
    if record is not None:
        rotated = record.promoted_at if record.after_promote else record.last_rotated_at
    if rotated == last:
        return found
    return found._replace(overdue_at=due(timing, name, last=rotated, now=now).overdue_at)


def is_overdue(policy: Policy, record: Record | None, now: float) -> bool:
    """Return whether the rotation has missed a due time for good.

    A rotation whose old value is still in use waits, but it can become overdue.
    """
    if record is None:
        return False
    if record.after_promote and last_block(record, retirement_of(policy)) is None:
        return False
    return next_due(policy, record, now).overdue_at <= now


def retirement_of(policy: Policy, look_seconds: float = LOOK_SECONDS) -> Retirement:
    """Return how a rotation retires its old credential.

    Args:
        policy: of the rotation.
        look_seconds: the time between two looks that suits the target.
    """
    grace = policy.timing.grace_seconds
    return Retirement(
        policy.retire_when,
        min(MAX_QUIET_SECONDS, grace),
        policy.grace_limit_seconds - grace,
        max(MIN_LOOK_SECONDS, min(look_seconds, grace / 4)),
    )
