"""The context of a step: its job, its run, and the snapshot that it was decided from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from envkit.errors import ConflictError, RotationError
from envkit.rotation.identity import mismatch
from envkit.rotation.machine import OtherValue, Request, published_value
from envkit.rotation_state.record import Record
from envkit.rotation_state.retirement import Retirement
from envkit.sources.poke import poke

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.rotation.identity import Mismatch
    from envkit.rotation.machine import Decision
    from envkit.rotation.protocols import Rotator
    from envkit.rotation_state.evidence import Sightings
    from envkit.rotation_state.record import PendingValue
    from envkit.rotation_state.store import Fields, Pending, RotationStore, Snapshot

SETTLE_SECONDS = 10.0


class AnotherTargetError(RotationError):
    """The target of the profile differs from the one where the rotation started."""


class RotatorOpener(Protocol):
    """Builds the rotator of a job, once for each step that needs it."""

    def __call__(
        self,
        *,
        deadline: Deadline,
        confirm: Callable[[], None],
        settle: Callable[[Fields, Callable[[], None]], None],
        id: str,  # noqa: A002 - as in RotatorContext
        issued: tuple[str, ...],
        end_sessions: bool,
        changed_at: float,
    ) -> Rotator:
        """Resolve the target's placeholders and build; arguments as in `RotatorContext`."""
        ...


def _no_hook() -> None:
    pass


class Job(NamedTuple):
    """One rotation, ready to run.

    Attributes:
        name: the names of the profile and the rotation, `prod/db-password`.
        store: the store of the secret; it waits no longer than the run may take.
        open_rotator: builds the rotator.
        due: returns when the rotation should start, from its record and the time.
        plan: how the secret is rotated. `target` is a digest of the target as the profile has
            it. Neither may change while a rotation is in progress.
        grace_seconds: how long the old and the new value both work.
        retirement: when the old one may be retired after that.
        overlap: whether both can work at the same time; otherwise the old one stops working
            once the new one is set.
        check: called before the claim; raises if the rotation lacks something that it needs.
        before: called before the new value is created, and again after a crash; raises to stop.
        after: called once readers get the new value, until it succeeds; None if there is no
            hook.
        sightings: what this process has seen of old credentials in use; None for one run.
        reopen_store: builds the store for other fields, those of a rotation that started
            before the profile was changed.
        secret: its reference, for hints.
    """

    name: str
    store: RotationStore
    open_rotator: RotatorOpener
    due: Callable[[Record | None, float], float]
    plan: str = ""
    target: str = ""
    grace_seconds: float = 0.0
    retirement: Retirement = Retirement()
    overlap: bool = True
    check: Callable[[], None] = _no_hook
    before: Callable[[], None] = _no_hook
    after: Callable[[], None] | None = None
    sightings: Sightings | None = None
    reopen_store: Callable[[tuple[str, ...]], RotationStore] | None = None
    secret: str = ""

    def mismatch(self, record: Record) -> Mismatch | None:
        """Return why a record does not belong to this rotation; None if it does."""
        return mismatch(
            record, name=self.name, secret=self.store.identity, plan=self.plan, target=self.target
        )


class RunContext(NamedTuple):
    """The context that all steps of one run share.

    Attributes:
        job: the rotation.
        me: the owner of the run, as in `Record.owner`.
        requested: what a person requested.
        clock: returns seconds since the epoch.
        deadline: when the last step must be over.
        store_deadline: when the last request to the store must be over.
        without_target: whether the profile has changed its target or plan since the rotation
            started, so that nothing can be done at the target.
    """

    job: Job
    me: str
    requested: Request | None
    clock: Callable[[], float]
    deadline: Deadline
    store_deadline: Deadline
    without_target: bool = False


class StepContext(NamedTuple):
    """One step, and the state that it was decided from.

    Attributes:
        run: the run of the step.
        seen: the snapshot of the store.
        decision: the step and the reason for it.
        busy_until: when other processes may take over from this run.
    """

    run: RunContext
    seen: Snapshot
    decision: Decision
    busy_until: float

    @property
    def job(self) -> Job:
        """The rotation."""
        return self.run.job

    @property
    def record(self) -> Record:
        """The record of the rotation in progress."""
        record = self.seen.record
        assert record is not None  # noqa: S101 - only a claim starts without a record
        return record

    @property
    def rotator(self) -> Rotator:
        """The rotator, built on each access: a step that does not use it needs no target.

        Raises:
            RotationError: the target differs from the one where the rotation started.
        """
        record = self.seen.record
        in_progress = record is not None and record.in_progress
        foreign = in_progress and self.published == OtherValue.FOREIGN
        opened = self.job.open_rotator(
            deadline=self.run.deadline,
            confirm=self.confirm,
            settle=self.settle,
            id=record.id if record is not None and in_progress else "",
            # if the secret was changed outside envkit, a person must judge our values
            issued=() if record is None or foreign else record.issued,
            end_sessions=self.without_grace,
            changed_at=record.promoted_at if record is not None and in_progress else 0.0,
        )
        if in_progress and record is not None:
            _refuse_another_target(record, opened.describe_target())
        return opened

    @property
    def without_grace(self) -> bool:
        """Whether the old credential ends at once, together with its sessions."""
        record = self.seen.record
        compromised = record is not None and record.in_progress and record.compromised
        return compromised or self.run.requested == Request.COMPROMISED

    @property
    def published(self) -> PendingValue | OtherValue:
        """The value that readers have now."""
        return published_value(self.seen.current, self.seen.pending)

    @property
    def keep(self) -> Fields:
        """The fields that must work after the step: those that readers have now."""
        return self.seen.current or self.seen.old

    def confirm(self) -> None:
        """Raise `ConflictError` if the rotation or the value has changed since the snapshot."""
        now = self.job.store.read()
        if now.record_version != self.seen.record_version or now.current != self.seen.current:
            raise ConflictError(f"another process has advanced {self.job.name}")

    def settle(self, fields: Fields, take_back: Callable[[], None]) -> None:
        """Raise `ConflictError` like `confirm`, after undoing a change that came too late.

        Args:
            fields: the fields that the change made valid.
            take_back: undoes the change; called if the store no longer needs these fields.
        """
        for deadline in (self.run.deadline, self.run.store_deadline):
            deadline.leave_at_least(SETTLE_SECONDS)  # this process may have been stopped for long
        store = self.job.store
        if store.record_version() == self.seen.record_version:
            return
        now = store.read()
        value = store.fields[0]
        needed = [now.current or {}, now.old]
        if now.record is not None and not now.record.reverting:
            needed += now.pending.values()
        if all(one.get(value) != fields.get(value) for one in needed):
            take_back()
        raise ConflictError(f"another process has advanced {self.job.name}")

    def save(self, record: Record, pending: Pending, *, error: str = "") -> Snapshot:
        """Save as the owner, and reset the count of failures."""
        saved = record._replace(owner=self.run.me, busy_until=self.busy_until, tries=0, error=error)
        return self.job.store.save(self.seen, saved, pending)

    def release(self, record: Record, pending: Pending, *, error: str = "") -> Snapshot:
        """Save without an owner: the rotation waits, or is finished."""
        freed = record._replace(owner="", busy_until=0.0, tries=0, error=error)
        return self.job.store.save(self.seen, freed, pending)

    def publish(self, fields: Fields) -> Snapshot:
        """Give readers these fields."""
        try:
            return self.job.store.publish(self.seen, fields)
        finally:  # it may have written, without saying so
            poke()


def _refuse_another_target(record: Record, description: str) -> None:
    if record.target_description and record.target_description != description:
        raise AnotherTargetError(
            f"the rotation in progress started at {record.target_description}, but the profile now "
            f"names {description or 'no target'}",
            hint="restore the target until the rotation finishes or is aborted",
        )
