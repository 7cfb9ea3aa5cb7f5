"""Refuse several writes before the first is done, if one of them cannot succeed."""

from __future__ import annotations

from envkit.editing.slots import ProfileSlot, StoreSlot
from envkit.sources.protocols import WriteCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import ValueSlot


def refuse_unwritable_slots(slots: Iterable[ValueSlot]) -> None:
    """Refuse to change anything if a file of it cannot be replaced. Asks no server.

    Raises:
        EnvkitError: one of them cannot, and why.
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
