"""Refuse several writes before the first one is executed, if one of them cannot succeed."""

from __future__ import annotations

from envkit.editing.slots import ProfileSlot, StoreSlot
from envkit.sources.protocols import WriteCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import ValueSlot


def refuse_unwritable_slots(slots: Iterable[ValueSlot]) -> None:
    """Refuse all changes if one of the files cannot be replaced. Contacts no server.

    Raises:
        EnvkitError: why one of the files cannot be replaced.
    """
    for slot in slots:
        if isinstance(slot, ProfileSlot):
            slot.check_writable()
        elif isinstance(slot, StoreSlot):
            _check_store(slot)


def _check_store(slot: StoreSlot) -> None:
    if isinstance(slot.source, WriteCheck) and not slot.source.remote:
        for error in slot.source.check_write([slot.reference]).values():
            raise error
