"""Decide what to restore. Pure.

    action = decide(place, overwrite=False)

A restore adds what a store lacks. A value that is not the backup's stays: it may be newer. Only
`overwrite` replaces it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit._internal.json_text import dumps, loads
from envkit.errors import UnchangeableError, VariableFailure
from envkit.secret import Secret
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from envkit.backup.format import SavedSecret
    from envkit.editing.slots import CurrentValue, StoreSlot
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference


class Action(StrEnum):
    """What a restore does with one place."""

    RESTORE = "restore"  # the store has no value
    REPLACE = "replace"  # the store has another value
    KEEP = "keep"  # the store has another value, which stays
    SAME = "same"  # the store has the value of the backup
    UNUSED = "unused"  # the profile no longer reads the place, which is neither read nor written
    FAILED = "failed"  # envkit cannot write the place, or not safely


class Wanted(NamedTuple):
    """A value of a backup, and the reference where it should be.

    Attributes:
        version: of the secret, when the backup was made.
        obstacle: why envkit cannot write it; None if it can.
        others: references that are looked up as well; the first one with a value is meant.
        encrypted: whether it was in an encrypted `.env` file, and must be again.
    """

    names: tuple[str, ...]
    reference: Reference
    where: str
    version: str | None
    value: Secret
    obstacle: EnvkitError | None = None
    others: tuple[Reference, ...] = ()
    encrypted: bool = False


class Place(NamedTuple):
    """A place in a store, and what it should have.

    Attributes:
        environment: the profile that names it.
        where: for people.
        slot: None if envkit cannot write there.
        current: what the store has; None if that is unknown.
        obstacle: why it cannot be restored; None if it can.
        rotation: the full name of the rotation that changes the value; empty if there is none.
        doubt: why this may be the wrong store, which lost everything or never had it.
        unused: whether the profile no longer reads the place. Only a profile decides where values
            go, never a backup, whose sender is unknown.
    """

    environment: str
    wanted: Wanted
    where: str
    slot: StoreSlot | None
    current: CurrentValue | None
    obstacle: EnvkitError | None = None
    rotation: str = ""
    doubt: str = ""
    unused: bool = False

    def __repr__(self) -> str:
        return f"Place({self.where!r})"


class PlannedPlace(NamedTuple):
    """A place, and what is done with it.

    Attributes:
        login: proves that a rotated credential works; None if the value is not rotated.
    """

    place: Place
    action: Action
    login: Callable[[], None] | None = None

    def failure(self, error: EnvkitError) -> VariableFailure:
        """Return why the place was not restored."""
        return VariableFailure(", ".join(self.place.wanted.names), self.place.where, error)


def decide(place: Place, *, overwrite: bool) -> Action:
    """Return what to do with one place.

    Args:
        place: the place.
        overwrite: whether to replace a value that is not the backup's.
    """
    current = place.current
    if place.unused:
        return Action.UNUSED
    if current is not None and current.value == place.wanted.value:
        return Action.SAME
    if current is not None and current.value is not None and not overwrite:
        return Action.KEEP
    if current is None or place.obstacle is not None or place.slot is None:
        return Action.FAILED
    return Action.RESTORE if current.value is None else Action.REPLACE


def wanted(saved: Iterable[SavedSecret]) -> list[Wanted]:
    """Return what to write for the secrets of one environment: one value for each field.

    A whole secret becomes its fields. A reference without a field means the one field of a secret,
    and is left out if the whole secret is known: a store that lost it no longer knows the name.

    Args:
        saved: the secrets; those without a value are ignored.
    """
    there = [one for one in saved if one.value is not None]
    whole = {one.reference[:2] for one in there if one.reference.field == WHOLE and not one.pinned}
    found: dict[Reference, Wanted] = {}
    for one in sorted(there, key=lambda one: one.reference.field == WHOLE):
        if one.reference.field is None and one.reference[:2] in whole:
            continue
        for each in _fields(one) if one.reference.field == WHOLE else [_single(one)]:
            found.setdefault(each.reference, each)
    return list(found.values())


def _single(saved: SavedSecret) -> Wanted:
    obstacle = None
    if saved.pinned:
        obstacle = UnchangeableError(
            f"is pinned to one version: {saved.reference}",
            hint=f"restore {saved.reference._replace(version=None, stage=None)} yourself, and "
            "change the profile",
        )
    assert saved.value is not None  # noqa: S101 - `wanted` has looked
    return Wanted(
        saved.names,
        saved.reference,
        saved.where,
        saved.version,
        saved.value,
        obstacle,
        encrypted=saved.encrypted,
    )


def _fields(saved: SavedSecret) -> Iterator[Wanted]:
    single = _single(saved)
    try:
        fields = loads(single.value.reveal())
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):  # a secret without fields
        yield single._replace(reference=saved.reference._replace(field=None))
        return
    for field, value in fields.items():
        text = value if isinstance(value, str) else dumps(value)
        obstacle = single.obstacle
        if not isinstance(value, str) and obstacle is None:
            obstacle = UnchangeableError(
                f"the field '{field}' is not a text, and envkit writes only texts",
                hint="read the backup with 'age -d', and write the field with the store's own tool",
            )
        yield single._replace(
            reference=saved.reference._replace(field=field),
            where=f"{saved.where.removesuffix('#' + WHOLE)}#{field}",
            value=Secret(text),
            obstacle=obstacle,
        )
