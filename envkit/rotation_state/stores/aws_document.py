"""The document under the label of a secret's rotations: the records of all its fields. Pure.

    {"record": {"version": 2, "guard": "..."},
     "records": {"password": {"record": {...}, "values": {...}, "saved": "..."}}}

One label has all records, since a secret can have at most 20 labels, including those of AWS.
`saved` is the version of the secret that first had this record of the field. It serves as the
version of the record: it stays the same when the record of another field is saved.

An envkit that knows only version 1 writes one record without `records`, and the guard makes it
refuse this document. The record that it wrote belongs to the field that its plan names. It stays
unchanged, as `earlier`, until the record of that field is saved again.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import RotationError
from envkit.rotation_state.stores.envelope import (
    RecordPlace,
    guard,
    how_to_repair,
    is_about,
    is_guard,
    is_version_1,
    parse,
    record_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_RECORDS, _EARLIER, _SAVED = "records", "earlier", "saved"
WHOLE = ""  # the field of a secret that is one value and not a JSON object


class Part(NamedTuple):
    """The record of one field, as it is stored.

    Attributes:
        packed: see `envelope`; None if there is no record.
        version: of the record; None if there is no record.
    """

    packed: object
    version: str | None

    def __repr__(self) -> str:
        return f"Part(version {self.version})"


NOTHING = Part(None, None)


class Document(NamedTuple):
    """All records of one secret.

    Attributes:
        version: the one that has the label; None if no version has it.
        records: by field.
        earlier: the record of an envkit that knows only version 1.
    """

    version: str | None
    records: Mapping[str, object]
    earlier: Mapping[str, object] | None

    def __repr__(self) -> str:
        return f"Document(version {self.version})"


EMPTY = Document(None, {}, None)


def read_document(text: str | None, version: str, place: RecordPlace) -> Document:
    """Return the records that a version contains.

    Raises:
        RotationError: the version has no such document, or a newer envkit wrote it.
    """
    found = parse(text or "")
    packed = found if isinstance(found, dict) else {}
    if is_version_1(packed):
        return Document(version, {}, {**packed, _SAVED: version})
    records, earlier = packed.get(_RECORDS), packed.get(_EARLIER)
    if not is_guard(packed) or not isinstance(records, dict):
        record_of(packed, place)  # raises an error that says more, if it can
        raise RotationError(f"{place.name} names no fields", hint=how_to_repair(place))
    return Document(version, records, earlier if isinstance(earlier, dict) else None)


def part_of(document: Document, field: str) -> Part:
    """Return the record of one field."""
    if field in document.records:
        return _part(document.records[field])
    earlier = document.earlier
    if earlier is not None and is_about(earlier, field):
        return _part(earlier)
    return NOTHING


def with_part(
    document: Document, field: str, packed: Mapping[str, object], version: str
) -> dict[str, object]:
    """Return the document with a new record for one field; all others stay as they are.

    Args:
        document: the document so far.
        field: the field whose record is saved.
        packed: the record and its values.
        version: the version under which the document will be stored.
    """
    records = {**document.records, field: {**packed, _SAVED: version}}
    content: dict[str, object] = {
        **guard(
            "each field has its own record; an earlier version of envkit must not overwrite them"
        ),
        _RECORDS: records,
    }
    earlier = document.earlier
    if earlier is not None and not is_about(earlier, field):
        content[_EARLIER] = earlier
    return content


def _part(stored: object) -> Part:
    saved = stored.get(_SAVED) if isinstance(stored, dict) else None
    return Part(stored, saved if isinstance(saved, str) else "")
