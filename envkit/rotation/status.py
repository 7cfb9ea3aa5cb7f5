"""Read the status of rotations from their stores. Nothing is changed.

    for status in read_statuses(collected.rotations, environ=os.environ, now=time(), ...):
        print(status.rotation, status.state)

No target is asked, and no value is returned.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.parallel import map_parallel
from envkit.errors import AbsentError, EnvkitError, ProtocolError, UnavailableError
from envkit.rotation.jobs import CONCURRENCY, open_job
from envkit.rotation.machine import StepKind, decide, observe
from envkit.rotation_state.due import is_overdue, next_due, overdue_at
from envkit.rotation_state.record import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit._internal.parallel import Result
    from envkit.rotation.catalog import Collected, Rotation
    from envkit.rotation_state.policy import Policy
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import RotationStore, Snapshot


class RotationState(StrEnum):
    """Where a rotation stands, the gravest first."""

    UNREADABLE = "unreadable"  # why is in `error`
    QUARANTINED = "quarantined"
    OVERDUE = "overdue"
    FAILING = "failing"  # the last step has failed, or the next one may not be done
    DUE = "due"
    IN_PROGRESS = "in-progress"
    GRACE_PERIOD = "grace"  # readers have the new value, the old one still works
    WAITING = "waiting"  # for its next time


ALARMS = (
    RotationState.UNREADABLE,
    RotationState.QUARANTINED,
    RotationState.OVERDUE,
    RotationState.FAILING,
)


class RotationStatus(NamedTuple):
    """Where one rotation stands. Times are seconds since the epoch; 0 for never.

    Attributes:
        rotation: its full name; of a profile that cannot be read, the profile's.
        location: where the secret is, for people.
        state: the gravest that applies.
        phase: of the record; empty where there never was one.
        last_rotated_at: when readers last got a new value by a rotation that is over.
        started_at: when the one that is under way was claimed.
        promoted_at: when readers got its new value.
        retire_at: when the old one may be removed.
        due_at: when the next one may begin.
        closes_at: the end of the window for that; infinite where there is none.
        overdue_at: from when on it is overdue; infinite where it was never rotated.
        error: why the last step failed, or nothing can be said; never a value.
        hint: what to do about it.
        stopped: whether it is not tried again, but waits for a person.
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

    @property
    def needs_attention(self) -> bool:
        """Whether somebody has to look."""
        return self.state in ALARMS


def read_statuses(
    rotations: Sequence[Rotation],
    *,
    environ: Mapping[str, str],
    now: float,
    deadline: Deadline,
    writable: bool = False,
) -> list[RotationStatus]:
    """Read where rotations stand, as `read_each` does; those that cannot be read say why."""
    found = read_each(rotations, environ=environ, now=now, deadline=deadline, writable=writable)
    return [
        one if isinstance(one, RotationStatus) else unreadable(rotation, one)
        for rotation, one in zip(rotations, found, strict=True)
    ]


def read_each(
    rotations: Sequence[Rotation],
    *,
    environ: Mapping[str, str],
    now: float,
    deadline: Deadline,
    writable: bool = False,
) -> list[RotationStatus | EnvkitError]:
    """Read where rotations stand, several at once, or why they cannot be read.

    Args:
        rotations: of `collect`.
        environ: the process environment.
        now: seconds since the epoch.
        deadline: when everything must be over.
        writable: whether to look, too, whether they could be written.
    """

    def read_one(rotation: Rotation) -> RotationStatus:
        store = open_job(rotation, environ=environ, deadline=deadline).store
        seen = store.read()
        found = status_of(rotation, seen.record, now)
        if found.started_at:
            return _stopped(found, store, seen, now)
        if not seen.current or store.fields[0] not in seen.current:
            raise AbsentError("the secret is not there", hint="store a first value, by hand")
        if writable:
            store.check()
        return found

    results = map_parallel(read_one, rotations, workers=CONCURRENCY, deadline=deadline)
    return [_status_or_error(result) for result in results]


def broken(collected: Collected) -> list[RotationStatus]:
    """Return the profiles and rotations that are not what they must be."""
    return [
        RotationStatus(name, error=error.message, hint=error.hint or "")
        for name, error in sorted(collected.broken.items())
    ]


def status_of(rotation: Rotation, record: Record | None, now: float) -> RotationStatus:
    """Return where a rotation stands, from its record. Pure."""
    policy, name = rotation.policy, rotation.full_name
    next_ = next_due(policy, record, now)
    found = RotationStatus(
        name,
        rotation.location,
        policy.rotator,
        _state(policy, record, next_.starts, now),
        due_at=next_.starts,
        closes_at=next_.closes,
        overdue_at=overdue_at(policy, record, now),
    )
    if record is None:
        return found
    found = found._replace(
        phase=record.phase, last_rotated_at=record.last_rotated_at, error=record.error
    )
    if record.phase == Phase.QUARANTINED:
        found = found._replace(hint=f"find out why, and run 'envkit rotate {name}'")
    elif found.state in (RotationState.OVERDUE, RotationState.FAILING):
        found = found._replace(hint=f"run 'envkit rotate {name}'")
    if not record.in_progress:
        return found
    return found._replace(
        started_at=record.started_at, promoted_at=record.promoted_at, retire_at=record.retire_at
    )


def unreadable(rotation: Rotation, error: EnvkitError) -> RotationStatus:
    """Return the status of a rotation of which nothing is known."""
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
    if record is None or not record.in_progress:
        return RotationState.DUE if due_at <= now else RotationState.WAITING
    if record.error and record.tries:
        return RotationState.FAILING
    return RotationState.GRACE_PERIOD if record.after_promote else RotationState.IN_PROGRESS


def _stopped(
    found: RotationStatus, store: RotationStore, seen: Snapshot, now: float
) -> RotationStatus:
    """Say so where what the secret holds keeps a rotation from going on."""
    decision = decide(observe(seen, now=now, due_at=found.due_at))
    if decision.step != StepKind.REFUSE:
        return found
    # the secret may have been read before a step of somebody's, and the record after it
    again = store.read()
    if again.record_version != seen.record_version:
        return found
    decision = decide(observe(again, now=now, due_at=found.due_at))
    if decision.step != StepKind.REFUSE:
        return found
    option = f"--{decision.advice} " if decision.advice else ""
    hint = f"run 'envkit rotate {option}{found.rotation}'"
    return found._replace(
        state=RotationState.FAILING, error=decision.reason, hint=hint, stopped=True
    )


def _status_or_error(result: Result[RotationStatus]) -> RotationStatus | EnvkitError:
    if result.late:
        return UnavailableError("no answer in time", hint="give it more time with --timeout")
    if isinstance(result.error, EnvkitError):
        return result.error
    if isinstance(result.error, Exception):  # its text may hold a value
        return ProtocolError(f"it cannot be read: {type(result.error).__name__}")
    return result.value
