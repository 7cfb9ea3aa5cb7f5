"""Decide whether a rotated value may be changed, and what a change would restore.

A rotation in progress would stop if it found a value that it has not written. A value that a
rotation has replaced is retired: its target rejects it, or soon will.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from envkit.editing.slots import StoreSlot
from envkit.errors import EnvkitError, RetiredError, RotationInProgressError
from envkit.rotation_state.record import Phase, Record
from envkit.rotation_state.rotated import RotatedValue, read_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit._internal.clock import Deadline
    from envkit.editing.find import EditableVariable
    from envkit.editing.history import Recorded
    from envkit.rotation_state.rotated import FindRotation
    from envkit.secret import Secret

_READERS_ARE_THE_TARGET = ("random", "keyring")
_MOST_SKEW_SECONDS = 3600.0
_WITH_ROLLBACK = (Phase.PROMOTED, Phase.GRACE)
_WITH_ABORT = (Phase.CLAIMED, Phase.STAGED, Phase.SET, Phase.TESTED)


class Rotated(NamedTuple):
    """A variable whose value is rotated, and the state of its rotation.

    Attributes:
        name: the variable.
        value: the rotation.
        record: the rotation record; None if there is none or it cannot be read.
        error: why the record cannot be read.
    """

    name: str
    value: RotatedValue
    record: Record | None
    error: EnvkitError | None = None

    def refuse_in_progress(self) -> None:
        """Refuse a change while a rotation is in progress.

        Raises:
            RotationInProgressError: the error names the rotation and how to proceed.
        """
        record, rotation = self.record, self.value.full_name
        if record is None or not record.in_progress:
            return
        hint = f"wait until it finishes: run 'envkit rotate status {rotation}'"
        if record.phase in _WITH_ABORT:
            hint = f"wait until it finishes, or run 'envkit rotate --abort {rotation}'"
        elif record.phase in _WITH_ROLLBACK:
            until = f" until {moment(record.retire_at)}" if record.retire_at else ""
            hint = (
                f"to restore the previous value, run 'envkit rotate --rollback {rotation}'; to set "
                f"another one, wait{until}"
            )
        raise RotationInProgressError(
            f"{self.name} is being rotated by {rotation} (phase {record.phase}, started "
            f"{moment(record.started_at)})",
            hint=hint,
        )

    def refuse_retired(self, version: str, value: Secret, recorded: Sequence[Recorded]) -> None:
        """Refuse an earlier value unless it is certain that no rotation has retired it.

        Args:
            version: the version that has the value.
            value: the earlier value.
            recorded: all known versions.

        Raises:
            RotationInProgressError: see `refuse_in_progress`.
            RetiredError: the value is retired, or may be.
        """
        rotation = self.value.full_name
        force = f"run 'envkit rotate {rotation}' for a new value, or add --force if the target "
        force += "accepts the earlier one"
        if self.record is None:
            why = "it has no record" if self.error is None else self.error.message
            force = "add --force if the target accepts the earlier value"
            if self.error is None:
                force = f"run 'envkit rotate {rotation}' for a new value, or {force}"
            elif self.error.hint:
                force = f"{self.error.hint}; or {force}"
            raise RetiredError(
                f"{self.name} is rotated by {rotation}, and envkit cannot tell whether version "
                f"{version} is retired: {why}",
                hint=force,
            )
        self.refuse_in_progress()
        if Lifetimes(self.record, recorded).is_retired(value):
            at, replaced_at = self.record.retired_at, _replaced_at(self.record)
            when = f"was retired {moment(at)}" if at >= replaced_at else "is retired"
            raise RetiredError(
                f"version {version} of {self.name} {when}: {rotation} replaced it "
                f"{moment(replaced_at)}",
                hint=force,
            )

    @property
    def warning(self) -> str:
        """The warning for a user who changes the value."""
        text = f"{self.name} is rotated by {self.value.full_name}"
        if self.record is not None and self.record.in_progress:
            then = "start again from" if self.record.only_claimed else "stop at"
            return f"{text}, which is in progress and will {then} the new value"
        if self.error is not None:
            return f"{text}, which may be in progress: {self.error.message}"
        if self.value.policy.rotator not in _READERS_ARE_THE_TARGET:
            return f"{text}: set the new value at its target as well"
        return f"{text}: the next rotation starts from the new value"


class Lifetimes:
    """Which values a rotation has made or retired, by the time of their first version. Pure.

    A value older than the last promotion is retired, whether a rotation made it or not. The
    clocks of store and scheduler may differ, and a rotation may have written the old value a
    second time. So the first version with a value counts, not the last.

    Args:
        record: the record of a rotation that is not in progress.
        recorded: all known versions.
    """

    def __init__(self, record: Record, recorded: Sequence[Recorded]) -> None:
        self._recorded = recorded
        self._began = float(int(record.started_at))  # some stores record whole seconds
        self._reverted = record.promoted_at > record.last_rotated_at
        self._promoted = _replaced_at(record)
        if self._reverted:
            self._promoted = max(self._promoted, record.given_up_at)
        elif self._promoted:
            self._promoted = max(self._promoted, record.retired_at)
        seen = [self._first(one.value) for one in recorded if one.value is not None]
        self._last = max((at for at in seen if at <= self._promoted), default=0.0)
        # no clock is so far ahead that the promoted value would appear later than this
        soon = self._promoted + _MOST_SKEW_SECONDS
        self._none_since = not any(self._promoted < at <= soon for at in seen)

    def is_rotated(self, value: Secret) -> bool:
        """Return whether a value is the one that the last rotation made, and so is not retired."""
        first = self._first(value)
        if self._reverted or first != self._last or not first:
            return False
        # a value from before the rotation cannot be the one that the rotation made
        return self._none_since or self._began <= first

    def is_retired(self, value: Secret) -> bool:
        """Return whether a rotation has replaced a value, permanently as far as is known."""
        if not self._promoted or self._first(value) > self._promoted or self.is_rotated(value):
            return False
        return not (self._reverted and self._restored(value))

    def _first(self, value: Secret) -> float:
        return min(one.version.created or 0.0 for one in self._recorded if one.value == value)

    def _restored(self, value: Secret) -> bool:
        """Return whether a reverted rotation restored a value for readers."""
        return (
            any(
                (one.version.created or 0.0) > self._promoted
                for one in self._recorded
                if one.value == value
            )
            and self._first(value) < self._began
        )


def look(
    variable: EditableVariable, find_rotation: FindRotation, deadline: Deadline
) -> Rotated | None:
    """Return the rotation of a variable's value and its state; None if there is no rotation.

    Raises:
        EnvkitError: the rotations of the profile cannot be determined.
    """
    slot = variable.slot
    if not isinstance(slot, StoreSlot):
        return None
    value = find_rotation(slot.source, slot.reference)
    if value is None:
        return None
    try:
        record = read_record(value, slot.source, slot.reference, deadline)
    except EnvkitError as error:
        return Rotated(variable.name, value, None, error)
    return Rotated(variable.name, value, record)


def moment(seconds: float) -> str:
    """Return a time for people: `2026-11-29T10:47:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _replaced_at(record: Record) -> float:
    return max(record.promoted_at, record.last_rotated_at)
