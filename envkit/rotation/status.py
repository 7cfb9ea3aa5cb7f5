"""The status of a rotation, from its record, its profile and the time. Pure.

`rotation.status_reading` reads the records.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import NamedTuple

from envkit.rotation.outcome import blocked_hint
from envkit.rotation_state.due import is_overdue, next_due, retirement_of
from envkit.rotation_state.evidence import Evidence
from envkit.rotation_state.record import Phase
from envkit.rotation_state.retirement import is_alarm, last_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.errors import EnvkitError
    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record


class RotationState(StrEnum):
    """The state of a rotation, the most serious first."""

    UNREADABLE = "unreadable"  # `error` has the reason
    QUARANTINED = "quarantined"
    OVERDUE = "overdue"
    FAILING = "failing"  # the last step has failed, or the next one cannot run
    BLOCKED = "blocked"  # the old value is in use, beyond `grace_limit`
    ORPHANED = "orphaned"  # it has a record, but no profile names it
    DUE = "due"
    IN_PROGRESS = "in-progress"
    GRACE_PERIOD = "grace"  # readers have the new value, the old one still works
    WAITING = "waiting"  # for its next due time


ALARMS = (
    RotationState.UNREADABLE,
    RotationState.QUARANTINED,
    RotationState.OVERDUE,
    RotationState.FAILING,
    RotationState.BLOCKED,
    RotationState.ORPHANED,
)


class RotationStatus(NamedTuple):
    """The status of one rotation. Times are seconds since the epoch; 0 means never.

    Attributes:
        rotation: its full name; the name of the profile if that cannot be read.
        location: of the secret, for people.
        state: the most serious state that applies.
        phase: of the record; empty if there never was one.
        last_rotated_at: when readers got the new value of the last finished rotation.
        started_at: when the rotation in progress was claimed.
        promoted_at: when readers got its new value.
        retire_at: when the old value may be removed.
        due_at: when the next rotation may begin.
        closes_at: the end of the window for it; infinite if there is none.
        overdue_at: when it becomes overdue; infinite if the secret was never rotated.
        error: why the last step failed, or why the status is unknown; never a value.
        hint: what to do about the error.
        stopped: whether the rotation is not retried until a person acts.
        tries: how often in a row the next step has failed.
        extra_passwords: how many passwords the user had at the target that envkit did not
            create, at the last look.
        retire_when: the rule for the old value; empty if not known.
        limit_at: the end of `grace_limit`; 0 while no old value is to be retired.
        blocked: why the old value was kept after the grace period; empty if it was not.
        evidence: who uses the old value.
    """

    rotation: str
    location: str = ""
    rotator: str = ""
    state: RotationState = RotationState.UNREADABLE
    phase: str = ""
    last_rotated_at: float = 0.0
    started_at: float = 0.0
    promoted_at: float = 0.0
    retire_at: float = 0.0
    due_at: float = 0.0
    closes_at: float = inf
    overdue_at: float = inf
    error: str = ""
    hint: str = ""
    stopped: bool = False
    tries: int = 0
    extra_passwords: int = 0
    retire_when: str = ""
    limit_at: float = 0.0
    blocked: str = ""
    evidence: Evidence = Evidence()

    @property
    def needs_attention(self) -> bool:
        """Whether a person must act."""
        return self.state in ALARMS


def broken(collected: Collected) -> list[RotationStatus]:
    """Return the status of the profiles and rotations that are invalid."""
    return [
        RotationStatus(name, error=error.message, hint=error.hint or "")
        for name, error in sorted(collected.broken.items())
    ]


def status_of(rotation: Rotation, record: Record | None, now: float) -> RotationStatus:
    """Return the status of a rotation, from its record. Pure."""
    policy, name = rotation.policy, rotation.full_name
    next_ = next_due(policy, record, now)
    found = RotationStatus(
        name,
        rotation.location,
        policy.rotator,
        _state(policy, record, next_.starts, now),
        due_at=next_.starts,
        closes_at=next_.closes,
        overdue_at=next_.overdue_at,
        retire_when=policy.retire_when,
    )
    if record is None:
        return found
    found = found._replace(
        phase=record.phase,
        last_rotated_at=record.last_rotated_at,
        error=record.error,
        tries=record.tries,
        extra_passwords=record.extra_passwords,
    )
    if record.phase == Phase.QUARANTINED:
        found = found._replace(hint=f"find out why, and run 'envkit rotate {name}'")
    elif found.state in (RotationState.OVERDUE, RotationState.FAILING):
        found = found._replace(hint=f"run: envkit rotate {name}")
    if not record.in_progress:
        return found
    found = found._replace(
        started_at=record.started_at,
        promoted_at=record.promoted_at,
        retire_at=record.retire_at,
        evidence=record.evidence,
    )
    retirement = retirement_of(policy)
    if record.retire_at:
        found = found._replace(limit_at=record.retire_at + retirement.extra_seconds)
    if (block := last_block(record, retirement)) is not None:
        found = found._replace(blocked=block.reason)
        if found.state in (RotationState.OVERDUE, RotationState.BLOCKED) and not found.error:
            found = found._replace(error=found.blocked, hint=blocked_hint(name, record))
    return found


def unknown_passwords(number: int) -> str:
    """Return the number of passwords that envkit did not create, for people."""
    return f"{number} password{'' if number == 1 else 's'} that envkit does not know"


def unreadable(rotation: Rotation, error: EnvkitError) -> RotationStatus:
    """Return the status of a rotation that could not be read."""
    return RotationStatus(
        rotation.full_name,
        rotation.location,
        rotation.policy.rotator,
        error=error.message,
        hint=error.hint or "",
    )


def _state(policy: Policy, record: Record | None, due_at: float, now: float) -> RotationState:
    if record is not None and record.phase == Phase.QUARANTINED:
        return RotationState.QUARANTINED
    if is_overdue(policy, record, now):
        return RotationState.OVERDUE
    if record is not None and record.error and record.tries:
        return RotationState.FAILING  # also at rest: the rotation could not even begin
    if record is not None and is_alarm(record, retirement_of(policy), now):
        return RotationState.BLOCKED
    if record is None or not record.in_progress:
        return RotationState.DUE if due_at <= now else RotationState.WAITING
    return RotationState.GRACE_PERIOD if record.after_promote else RotationState.IN_PROGRESS
