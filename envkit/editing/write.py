"""Write values by compare-and-set: one write for each secret, file or profile.

    for group in grouped([Write(slot, before, Secret("a new one"))]):
        version = group.run(deadline)

Guarantees: of one secret or file, either all values are written or none, in one new
version. If a value was changed since it was read, that is a conflict, and nothing is written. A
change of other values in the same secret or file is not a conflict. The write is then repeated
until the deadline, after a random pause, so that any number of writers succeed.
"""

from __future__ import annotations

from random import uniform
from time import sleep
from typing import NamedTuple

from envkit.editing.slots import ProfileSlot, StoreSlot, read_all
from envkit.errors import ConflictError, UnavailableError, UsageError
from envkit.sources.poke import poke
from envkit.sources.protocols import GroupWrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envkit._internal.clock import Deadline
    from envkit.editing.slots import CurrentValue, ValueSlot
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret

BASE_DELAY_SECONDS = 0.02
MAX_DELAY_SECONDS = 1.0


class Write(NamedTuple):
    """One value to write.

    Attributes:
        before: the content of the slot when it was read.
        value: the new value; None removes the value.
    """

    slot: ValueSlot
    before: CurrentValue
    value: Secret | None


class WriteGroup(NamedTuple):
    """The values of one secret, file or profile, which are written together.

    Attributes:
        writes: the writes of this group.
        indexes: their positions in the sequence that was grouped.
    """

    writes: tuple[Write, ...]
    indexes: tuple[int, ...]

    def run(self, deadline: Deadline) -> str | None:
        """Write all values in one step.

        Returns:
            the new version; None if the place has no versions.

        Raises:
            ConflictError: one of the values has been changed; nothing was written.
            EnvkitError: the values cannot be written; nothing was written.
        """
        first = self.writes[0].slot
        if isinstance(first, ProfileSlot):
            first.file.rewrite(self._changed_profile)
            return None
        befores: dict[StoreSlot, CurrentValue] = {}
        values: dict[Reference, Secret | None] = {}
        for slot, before, value in self.writes:
            assert isinstance(slot, StoreSlot)  # noqa: S101 - `grouped` ensures it
            befores[slot], values[slot.reference] = before, value
        source = next(iter(befores)).source

        def change(expected: str | None) -> str:
            if isinstance(source, GroupWrite):
                return source.write_group(values, expected=expected)
            [(reference, value)] = values.items()
            return source.write(reference, value, expected=expected)

        return _persist(change, befores, deadline)

    def _changed_profile(self, text: str) -> str:
        for slot, before, value in self.writes:
            assert isinstance(slot, ProfileSlot)  # noqa: S101 - `grouped` ensures it
            text = slot.changed(text, value, before=before)
        return text


def grouped(writes: Iterable[Write]) -> list[WriteGroup]:
    """Group writes by the secret or file that they change, in order of first appearance.

    Raises:
        UsageError: two different values would be written to the same place.
        EnvkitError: a store could not tell which file has a value.
    """
    groups: dict[object, dict[object, Write]] = {}
    indexes: dict[object, list[int]] = {}
    for index, write in enumerate(writes):
        group, place = _place(write.slot)
        first = groups.setdefault(group, {}).setdefault(place, write)
        if first.value != write.value:
            raise UsageError(
                f"{write.slot.where} would get two different values; nothing was written",
                hint="write one of them",
            )
        indexes.setdefault(group, []).append(index)
    return [
        WriteGroup(tuple(places.values()), tuple(indexes[group]))
        for group, places in groups.items()
    ]


def write_one(
    slot: ValueSlot, value: Secret | None, before: CurrentValue, deadline: Deadline
) -> str | None:
    """Write one value; see `WriteGroup.run`."""
    [group] = grouped([Write(slot, before, value)])
    return group.run(deadline)


def warnings_of(slots: Iterable[ValueSlot]) -> list[str]:
    """Return warnings for the user about the writes to slots; usually empty."""
    found: dict[str, None] = {}
    for slot in slots:
        written = slot.file if isinstance(slot, ProfileSlot) else getattr(slot, "source", None)
        found.update(dict.fromkeys(getattr(written, "write_warnings", ())))
    return list(found)


def restore(slot: StoreSlot, version: str, before: CurrentValue, deadline: Deadline) -> str:
    """Restore the value of an earlier version, by the rules of `write_one`.

    Returns:
        the version that is now current.

    Raises:
        UnchangeableError: the store has no versions.
        ConflictError: the value was changed in the meantime.
        EnvkitError: the store failed, or no longer has that version.
    """
    source = slot.versioned
    return _persist(
        lambda expected: source.restore(slot.reference, version, expected=expected),
        {slot: before},
        deadline,
    )


def _place(slot: ValueSlot) -> tuple[object, object]:
    """Return the keys of the group and of the value: equal keys mean the same place."""
    if isinstance(slot, ProfileSlot):
        return slot.file.path, slot.name
    assert isinstance(slot, StoreSlot)  # noqa: S101 - there is no other kind
    source, reference = slot.source, slot.reference
    place = source.locate(reference)
    if isinstance(source, GroupWrite):
        return (id(source), source.group(reference)), place
    return (id(source), place), place


def _persist(
    change: Callable[[str | None], str],
    befores: dict[StoreSlot, CurrentValue],
    deadline: Deadline,
) -> str:
    """Write; repeat as long as only other values of the same secret or file have changed."""
    for slot in befores:
        _ = slot.where  # cached here, while a value that is removed still has a place
    expected = next(iter(befores.values())).version
    ceiling = BASE_DELAY_SECONDS
    while True:
        try:
            version = change(expected)
        except ConflictError:
            pause = uniform(0, ceiling)  # noqa: S311 - spreads load, protects nothing
            if pause >= deadline.remaining_seconds():
                raise
            sleep(pause)
            now = read_all(befores)
            changed = any(now[slot].value != before.value for slot, before in befores.items())
            found = next(iter(now.values())).version
            if changed or found == expected:
                raise
            expected = found
            ceiling = min(MAX_DELAY_SECONDS, ceiling * 2)
        except UnavailableError:  # it may have written, without saying so
            poke()
            raise
        else:
            poke()
            return version
