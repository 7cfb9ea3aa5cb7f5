"""A rotation store in memory, for envkit's tests and those of plug-ins.

    shelf = MemoryShelf({"password": "one"})
    store = MemoryRotationStore(shelf, ("password",))

Several stores can use one shelf, as several hosts use one server. The record is converted to
JSON and back, as in a real store. `at` is called before and after each operation with its name.
If it raises, the operation crashes there, as if the request or its response had been lost.
"""

from __future__ import annotations

import json
from threading import Lock
from typing import NamedTuple

from envkit.errors import ConflictError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import RecordPlace, checked_pack, parse, unpack
from envkit.rotation_state.stores.naming import identity
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending


class _Stored(NamedTuple):
    """A record and its pending values as JSON, and how often they were saved."""

    text: str
    version: int

    def __repr__(self) -> str:
        return f"_Stored(version {self.version})"


class MemoryShelf:
    """One secret and the records of its rotations.

    Attributes:
        fields: of the secret; None if it does not exist.
        version: of the secret, counted from 1.
        stored: the record of each rotated field.
    """

    def __init__(self, fields: Mapping[str, str] | None) -> None:
        self.lock = Lock()
        self.fields = None if fields is None else dict(fields)
        self.version = 1
        self.stored: dict[str, _Stored] = {}

    def __repr__(self) -> str:
        return f"MemoryShelf(version {self.version})"

    @property
    def envelope(self) -> str | None:
        """The only record with its pending values, as JSON; None before the first save."""
        return next((stored.text for stored in self.stored.values()), None)

    @envelope.setter
    def envelope(self, text: str | None) -> None:
        for field, stored in list(self.stored.items()):
            if text is None:
                del self.stored[field]
            else:
                self.stored[field] = stored._replace(text=text)

    @property
    def envelope_version(self) -> int:
        """How often the only record was saved."""
        return next((stored.version for stored in self.stored.values()), 0)

    def put(self, fields: Mapping[str, str] | None) -> None:
        """Change the secret as another process would."""
        with self.lock:
            self.fields = None if fields is None else dict(fields)
            self.version += 1


def _pass(_operation: str) -> None:
    pass


class MemoryRotationStore:
    """One host's view of a shelf; see `RotationStore`.

    Args:
        shelf: the shared shelf.
        fields: the rotated fields of the secret, the rotated value first.
        at: called with `read`, `save`, `rehearse` or `publish` before each operation, and
            with `read done`, ... once the operation has had its effect.
    """

    location = "memory:secret"

    def __init__(
        self,
        shelf: MemoryShelf,
        fields: tuple[str, ...],
        at: Callable[[str], None] = _pass,
    ) -> None:
        self.fields = fields
        self.identity = identity("secret", fields[0])
        self._place = RecordPlace(
            f"the rotation record of {self.location}", self.location, "del shelf.stored"
        )
        self._shelf = shelf
        self._at = at

    @property
    def beside(self) -> Fields:
        """The other fields of the shelf."""
        found = self._shelf.fields or {}
        return {name: Secret(text) for name, text in found.items() if name not in self.fields}

    def check(self) -> None:
        """Do nothing: every user of the shelf may write to it."""

    def read(self) -> Snapshot:
        """Read the secret, then the record."""
        shelf = self._shelf
        self._at("read")
        with shelf.lock:
            found, version = shelf.fields, str(shelf.version)
        self._at("read secret")
        with shelf.lock:
            stored = shelf.stored.get(self.fields[0])
        self._at("read done")
        current = None
        if found is not None:
            current = {name: Secret(found[name]) for name in self.fields if name in found}
        if stored is None:
            return Snapshot(current, version, None, None, {})
        record, pending = unpack(parse(stored.text), self.fields[0], self._place)
        return Snapshot(current, version, record, str(stored.version), pending)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        self._at("record version")
        with self._shelf.lock:
            stored = self._shelf.stored.get(self.fields[0])
        self._at("record version done")
        return None if stored is None else str(stored.version)

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the current fields again."""
        return self._write(seen, seen.current or {}, "rehearse")

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record and the pending values."""
        field, shelf = self.fields[0], self._shelf
        text = json.dumps(checked_pack(record, pending, field, self._place))
        self._at("save")
        with shelf.lock:
            count = shelf.stored[field].version if field in shelf.stored else 0
            if str(count) != (seen.record_version or "0"):
                raise ConflictError(
                    f"the rotation record of {self.location} was changed by another process"
                )
            shelf.stored[field] = _Stored(text, count + 1)
        self._at("save done")
        return seen._replace(record=record, record_version=str(count + 1), pending=pending)

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Give readers these fields."""
        return self._write(seen, fields, "publish")

    def _write(self, seen: Snapshot, fields: Fields, operation: str) -> Snapshot:
        shelf = self._shelf
        self._at(operation)
        with shelf.lock:
            secret = self._refuse_another(seen)
            others = {name: text for name, text in secret.items() if name not in self.fields}
            shelf.fields = {**others, **{name: value.reveal() for name, value in fields.items()}}
            shelf.version += 1
            version = str(shelf.version)
        self._at(f"{operation} done")
        return seen._replace(current=fields, version=version)

    def _refuse_another(self, seen: Snapshot) -> Mapping[str, str]:
        """Return the secret if it is still the one of the snapshot."""
        if str(self._shelf.version) != seen.version or self._shelf.fields is None:
            raise ConflictError(f"{self.location} was changed by another process")
        return self._shelf.fields
