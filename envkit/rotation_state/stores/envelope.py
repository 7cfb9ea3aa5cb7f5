"""The JSON object in which a store saves the record and the pending values.

    {"record": {"version": 1, ...}, "values": {"old": {"password": "..."}, "new": {...}}}

The record is read first: if its version is not known, nothing else is read.
"""

from __future__ import annotations

from envkit.errors import RotationError
from envkit.profile.placeholder import Reference
from envkit.rotation_state.record import PendingValue, Record, decode, encode
from envkit.secret import Secret
from envkit.sources.model import pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.rotation_state.store import Fields, Pending


def pack(record: Record, pending: Pending) -> dict[str, object]:
    """Return the object; it holds values."""
    packed: dict[str, object] = {"record": encode(record)}
    if pending:
        packed["values"] = {
            name: {field: value.reveal() for field, value in fields.items()}
            for name, fields in pending.items()
        }
    return packed


def unpack(packed: object) -> tuple[Record, Pending]:
    """Return what `pack` was given.

    Raises:
        RotationError: it is no such object, or of another version.
    """
    found = packed if isinstance(packed, dict) else {}
    record = decode(found.get("record"))
    values = found.get("values", {})
    if not isinstance(values, dict) or not values.keys() <= set(PendingValue):
        raise _broken()
    return record, {name: _fields(fields) for name, fields in values.items()}


def texts(fields: Mapping[str, object], names: Iterable[str]) -> Fields:
    """Return those of a secret's fields that are there, as the texts that readers get."""
    found = {name: pick_field(Reference("", "", name), fields) for name in names}
    return {name: Secret(text) for name, text in found.items() if isinstance(text, str)}


def _fields(fields: object) -> Fields:
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        raise _broken()
    texts_of: Mapping[str, str] = fields
    return {field: Secret(text) for field, text in texts_of.items()}


def _broken() -> RotationError:
    return RotationError(
        "the rotation record has no usable values",
        hint="restore it, or remove it if no rotation is under way",
    )
