"""A rotation store in memory, for envkit's tests and those of plug-ins.

    shelf = MemoryShelf({"password": "one"})
    store = MemoryRotationStore(shelf, ("password",))

Any number of stores use one shelf, as any number of hosts use one server. The
record goes through JSON, as in a real store. `at` is called before and after each
operation, with its name: what it raises is a crash there, as when a request was lost, or
its answer.
"""

from __future__ import annotations

import json
from threading import Lock

from envkit.errors import ConflictError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import pack, unpack
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending


class MemoryShelf:
    """One secret and the record of its rotation.

    Attributes:
        fields: of the secret; None where it is not there.
        version: of the secret, counted from 1.
        envelope: the record and the pending values, as JSON; None before the first.
        envelope_version: counted from 1; 0 before the first.
    """

    def __init__(self, fields: Mapping[str, str] | None) -> None:
        self.lock = Lock()
        self.fields = None if fields is None else dict(fields)
        self.version = 1
        self.envelope: str | None = None
        self.envelope_version = 0

    def __repr__(self) -> str:
        return f"MemoryShelf(version {self.version})"

    def put(self, fields: Mapping[str, str] | None) -> None:
        """Change the secret as somebody else would."""
        with self.lock:
            self.fields = None if fields is None else dict(fields)
            self.version += 1


def _pass(_operation: str) -> None:
    pass


class MemoryRotationStore:
    """One host's view of a shelf; see `RotationStore`.

    Args:
        shelf: what is shared.
        fields: which fields of the secret are rotated, the value first.
        at: called with `read`, `save`, `rehearse` or `publish` before each operation, and
            with `read done`, ... once it has its effect.
    """

    location = identity = "memory:secret"

    def __init__(
        self,
        shelf: MemoryShelf,
        fields: tuple[str, ...],
        at: Callable[[str], None] = _pass,
    ) -> None:
        self.fields = fields
        self._shelf = shelf
        self._at = at

    def check(self) -> None:
        """Do nothing: whoever has the shelf may write it."""

    def read(self) -> Snapshot:
        """Read the secret, then the record."""
        shelf = self._shelf
        self._at("read")
        with shelf.lock:
            found, version = shelf.fields, str(shelf.version)
        self._at("read secret")
        with shelf.lock:
            envelope, envelope_version = shelf.envelope, shelf.envelope_version
        self._at("read done")
        current = None
        if found is not None:
            current = {name: Secret(found[name]) for name in self.fields if name in found}
        if envelope is None:
            return Snapshot(current, version, None, None, {})
        record, pending = unpack(json.loads(envelope))
        return Snapshot(current, version, record, str(envelope_version), pending)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        self._at("record version")
        with self._shelf.lock:
            version = self._shelf.envelope_version
        self._at("record version done")
        return str(version) if version else None

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the fields that readers have."""
        return self._write(seen, seen.current or {}, "rehearse")

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record and the pending values."""
        shelf = self._shelf
        self._at("save")
        with shelf.lock:
            if str(shelf.envelope_version) != (seen.record_version or "0"):
                raise ConflictError(f"the rotation record of {self.location} has changed")
            shelf.envelope = json.dumps(pack(record, pending))
            shelf.envelope_version += 1
            version = str(shelf.envelope_version)
        self._at("save done")
        return seen._replace(record=record, record_version=version, pending=pending)

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Give readers these fields."""
        return self._write(seen, fields, "publish")

    def _write(self, seen: Snapshot, fields: Fields, operation: str) -> Snapshot:
        shelf = self._shelf
        self._at(operation)
        with shelf.lock:
            if str(shelf.version) != seen.version or shelf.fields is None:
                raise ConflictError(f"{self.location} has changed")
            others = {name: text for name, text in shelf.fields.items() if name not in self.fields}
            shelf.fields = {**others, **{name: value.reveal() for name, value in fields.items()}}
            shelf.version += 1
            version = str(shelf.version)
        self._at(f"{operation} done")
        return seen._replace(current=fields, version=version)
