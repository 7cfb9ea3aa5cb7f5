"""The context of a step: its job, its run, and the snapshot that it was decided from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from envkit.errors import ConflictError
from envkit.rotation.machine import OtherValue, published_value
from envkit.rotation_state.record import PendingValue, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.rotation.machine import Decision, Request
    from envkit.rotation.protocols import Rotator
    from envkit.rotation_state.store import Fields, Pending, RotationStore, Snapshot


class RotatorOpener(Protocol):
    """Builds the rotator of a job, anew for each step."""

    def __call__(self, *, deadline: Deadline, confirm: Callable[[], None], id: str) -> Rotator:  # noqa: A002 - as in RotatorContext
        """Do no I/O; the arguments are those of `RotatorContext`."""
        ...


def _no_hook() -> None:
    pass


class Job(NamedTuple):
    """One rotation, ready to be run.

    Attributes:
        name: the profile's and the rotation's, `prod/db-password`.
        store: the secret's; it waits no longer than the run may take.
        open_rotator: builds the rotator.
        due: when the rotation is to start, from its record and the time.
        plan: how it is rotated; must not change while a rotation is under way.
        grace_seconds: how long old and new both work.
        overlap: whether they can; without it, the old one works no longer once the new
            one is set.
        before: called before anything is made, and again after a crash; raises to stop.
        after: called once readers get the new value, until it has succeeded.
    """

    name: str
    store: RotationStore
    open_rotator: RotatorOpener
    due: Callable[[Record | None, float], float]
    plan: str = ""
    grace_seconds: float = 0.0
    overlap: bool = True
    before: Callable[[], None] = _no_hook
    after: Callable[[], None] = _no_hook


class RunContext(NamedTuple):
    """What is the same for all steps of one run.

    Attributes:
        job: what is rotated.
        me: who is at work, as in `Record.owner`.
        requested: what a person asked for.
        clock: seconds since the epoch.
        deadline: when the last step must be over.
    """

    job: Job
    me: str
    requested: Request | None
    clock: Callable[[], float]
    deadline: Deadline


class StepContext(NamedTuple):
    """One step, and what it was decided from.

    Attributes:
        run: the run that it is part of.
        seen: the store.
        decision: what is to be done.
        busy_until: when others may take over from this run.
        opened: the rotator, for a step that needs its target.
    """

    run: RunContext
    seen: Snapshot
    decision: Decision
    busy_until: float
    opened: Rotator | None = None

    @property
    def job(self) -> Job:
        """What is rotated."""
        return self.run.job

    @property
    def record(self) -> Record:
        """The record of the rotation that is in progress."""
        record = self.seen.record
        assert record is not None  # noqa: S101 - only a claim is made without one
        return record

    @property
    def rotator(self) -> Rotator:
        """The rotator of this step."""
        assert self.opened is not None  # noqa: S101 - as NEEDS_TARGET says
        return self.opened

    @property
    def published(self) -> PendingValue | OtherValue:
        """Which value readers have now."""
        return published_value(self.seen.current, self.seen.pending)

    @property
    def keep(self) -> Fields:
        """What must work after the step: what readers have now."""
        return self.seen.current or self.seen.old

    def open_rotator(self) -> Rotator:
        """Build the rotator; it confirms by the record that this step was decided from."""
        record = self.seen.record
        return self.job.open_rotator(
            deadline=self.run.deadline,
            confirm=self.confirm,
            id=record.id if record and record.in_progress else "",
        )

    def confirm(self) -> None:
        """Raise `ConflictError` where another process has advanced the rotation meanwhile."""
        if self.job.store.read().record_version != self.seen.record_version:
            raise ConflictError(f"somebody else has gone on with {self.job.name}")

    def save(self, record: Record, pending: Pending, *, error: str = "") -> Record:
        """Save as the owner, and reset earlier failures."""
        saved = record._replace(owner=self.run.me, busy_until=self.busy_until, tries=0, error=error)
        self.job.store.save(self.seen, saved, pending)
        return saved

    def release(self, record: Record, pending: Pending, *, error: str = "") -> Record:
        """Save without an owner: the rotation waits, or is finished."""
        freed = record._replace(owner="", busy_until=0.0, tries=0, error=error)
        self.job.store.save(self.seen, freed, pending)
        return freed
