"""The JSON object in which a store saves the record and the pending values.

    {"record": {"version": 3, ...}, "values": {"old": {"password": "..."}, "new": {...}}}

The record is read first; if its version is unknown, nothing else is read. A phase without the
values that it needs is refused, and so are values at rest. Unreadable data never crashes envkit:
the error names the record and how to repair it.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import RotationError
from envkit.profile.placeholder import Reference
from envkit.rotation_state.record import (
    AT_REST,
    PendingValue,
    Phase,
    Record,
    decode,
    encode,
)
from envkit.secret import Secret
from envkit.sources.model import pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.rotation_state.store import Fields, Pending

# marks an object with a duplicate key or with too much nesting: its content is ambiguous
_SPOILED = "\0spoiled"
_DEEPEST = 16
_GUARD = "guard"
_GUARD_VERSION = 2  # the lowest that an envkit refuses which knows only version 1
_LONGEST_NUMBER = 32
_OLD_ONLY = frozenset({PendingValue.OLD})
_OLD_AND_NEW = frozenset({PendingValue.OLD, PendingValue.NEW})
# all other phases are at rest and have no values
_NEEDED = {
    Phase.CLAIMED: _OLD_ONLY,
    Phase.REVERTING: _OLD_ONLY,
    Phase.REVERTED: _OLD_ONLY,
    Phase.STAGED: _OLD_AND_NEW,
    Phase.SET: _OLD_AND_NEW,
    Phase.TESTED: _OLD_AND_NEW,
    Phase.PROMOTED: _OLD_AND_NEW,
    Phase.GRACE: _OLD_AND_NEW,
    Phase.RETIRING: _OLD_AND_NEW,
}


class RecordPlace(NamedTuple):
    """The location of a record, for messages.

    Attributes:
        name: `the rotation record vault:secret/envkit-rotation/db.password`.
        secret: the location of the rotated secret.
        remove: the command that removes the record.
        also_removes: what else the command removes; empty if nothing.
    """

    name: str
    secret: str
    remove: str
    also_removes: str = ""


def pack(record: Record, pending: Pending) -> dict[str, object]:
    """Return the object to store; it contains values."""
    packed: dict[str, object] = {"record": encode(record)}
    if pending:
        packed["values"] = {
            str(name): {field: value.reveal() for field, value in fields.items()}
            for name, fields in pending.items()
        }
    return packed


def checked_pack(
    record: Record, pending: Pending, field: str, place: RecordPlace
) -> dict[str, object]:
    """Return the result of `pack`, after checking that `unpack` accepts it.

    Args:
        record: the record to save.
        pending: the pending values to save.
        field: the field of the rotated value.
        place: where the record is saved.

    Raises:
        RotationError: envkit could not read the object again.
    """
    packed = pack(record, pending)
    unpack(packed, field, place)
    return packed


def parse(text: str | bytes) -> object:
    """Return the content of a JSON text; None if it is not JSON.

    A duplicate key or too much nesting spoils only the object that contains it. A huge integer
    is parsed as infinity.
    """
    import json

    try:
        found: object = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
        return _pruned(found)
    except (ValueError, RecursionError):
        return None


def unpack(packed: object, field: str, place: RecordPlace) -> tuple[Record, Pending]:
    """Return the record and the values that `pack` was given.

    Args:
        packed: the object from the store.
        field: the field of the rotated value: the record must have its values.
        place: where the object was found.

    Raises:
        RotationError: the object is invalid, incomplete or of another version.
    """
    record = record_of(packed, place)
    values = packed.get("values", {}) if isinstance(packed, dict) else {}
    if not isinstance(values, dict) or not values.keys() <= set(PendingValue):
        raise _broken(place, "has no valid values")
    pending = {name: _fields(fields, place) for name, fields in values.items()}
    _check_values(record, pending, field, place)
    return record, pending


def record_of(packed: object, place: RecordPlace) -> Record:
    """Return the record alone, without checking its values.

    Raises:
        RotationError: like `unpack`.
    """
    found = packed if isinstance(packed, dict) else {}
    if _is_spoiled(found):
        raise _broken(place, "has a duplicate key or is nested too deeply")
    try:
        return decode(found.get("record"))
    except RotationError as error:
        how = error.message.removeprefix("the rotation record ")
        if how.startswith("has version"):
            raise RotationError(f"{place.name} {how}", hint=error.hint) from None
        raise _broken(place, how) from None


def guard(reason: str) -> dict[str, object]:
    """Return a record that an envkit that knows only version 1 refuses.

    Args:
        reason: for people who find the record.
    """
    return {"record": {"version": _GUARD_VERSION, _GUARD: reason}}


def is_guard(packed: object) -> bool:
    """Return whether an object is a guard; see `guard`."""
    record = packed.get("record") if isinstance(packed, dict) else None
    if not isinstance(record, dict) or _GUARD not in record:
        return False
    return record.get("version") == _GUARD_VERSION


def is_version_1(packed: object) -> bool:
    """Return whether an envkit that knows only version 1 wrote an object."""
    record = packed.get("record") if isinstance(packed, dict) else None
    return isinstance(record, dict) and record.get("version") == 1


def is_about(packed: object, field: str) -> bool:
    """Return whether a record of version 1 belongs to a field. Only its plan names fields.

    The plan is a text, `postgres (alternate) of password and username`: the first field is the
    rotated value's. A plan of another form may be for any field.
    """
    record = packed.get("record") if isinstance(packed, dict) else None
    plan = record.get("plan") if isinstance(record, dict) else None
    _, separator, fields = plan.partition(") of ") if isinstance(plan, str) else ("", "", "")
    named = field or "the secret"
    return not separator or fields == named or fields.startswith(f"{named} and ")


def texts(fields: Mapping[str, object], names: Iterable[str]) -> Fields:
    """Return the named fields that the secret has, as the texts that readers get."""
    found = {name: pick_field(Reference("", "", name), fields) for name in names}
    return {name: Secret(text) for name, text in found.items() if isinstance(text, str)}


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        found[_SPOILED] = True
    return found


def _integer(text: str) -> float | int:
    return int(text) if len(text) < _LONGEST_NUMBER else float("inf")


def _pruned(found: object, depth: int = 0) -> object:
    """Return parsed data with a mark in place of each part that is nested too deeply."""
    if not isinstance(found, (dict, list)):
        return found
    if depth > _DEEPEST:
        return {_SPOILED: True}
    if isinstance(found, list):
        return [_pruned(one, depth + 1) for one in found]
    return {key: _pruned(value, depth + 1) for key, value in found.items()}


def _is_spoiled(found: object, depth: int = 0) -> bool:
    if not isinstance(found, dict):
        return False
    if depth > _DEEPEST or _SPOILED in found:
        return True
    return any(_is_spoiled(value, depth + 1) for value in found.values())


def _fields(fields: object, place: RecordPlace) -> Fields:
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
        raise _broken(place, "has no valid values")
    texts_of: Mapping[str, str] = fields
    return {field: Secret(text) for field, text in texts_of.items()}


def _check_values(
    record: Record, pending: Mapping[str, Fields], field: str, place: RecordPlace
) -> None:
    phase = record.phase
    if phase in AT_REST:
        if pending:
            raise _broken(place, f"has values that phase {phase} does not use")
        return
    needed = {field, *pending.get(PendingValue.OLD, {})}
    for name in sorted(_NEEDED[phase] | pending.keys()):
        for one in sorted(needed - pending.get(name, {}).keys()):
            what = f"'{name}' of '{one}'" if one else f"'{name}'"
            raise _broken(place, f"is in phase {phase} and lacks a value: {what} is missing")
        # only the old value may be empty, and only if there is no target that could refuse it
        if (name != PendingValue.OLD or record.target_description) and not pending[name][
            field
        ].reveal():
            raise _broken(place, f"is in phase {phase} and lacks a value: '{name}' is empty")


def _broken(place: RecordPlace, how: str) -> RotationError:
    return RotationError(f"{place.name} {how}", hint=how_to_repair(place))


def how_to_repair(place: RecordPlace) -> str:
    """Return the hint for a record that cannot be used."""
    also_removes = f" (this also removes {place.also_removes})" if place.also_removes else ""
    return (
        f"check that the credential in {place.secret} works, then remove the record: run "
        f"'{place.remove}'{also_removes}"
    )
