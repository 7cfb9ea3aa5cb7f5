"""Rotations in `.env` files: the record is a file beside the one that has the value.

    .env.prod
    .env.prod.DB_PASSWORD.envkit-rotation       its record, and what is pending; 0600

Both are changed under the lock of the `.env` file, each in one step; the next writer removes
what a killed writer left behind. At rest the record has no value. A link in place of the
record is refused.
"""

from __future__ import annotations

import json
import os

from envkit._internal.atomic_write import write_own
from envkit._internal.file_lock import locked
from envkit._internal.files import read_own
from envkit._internal.replaceable import check_own
from envkit.errors import ConflictError
from envkit.profile.placeholder import Reference
from envkit.rotation_state.record import Phase
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import pack, unpack
from envkit.sources.dotenv import failure
from envkit.sources.dotenv_write import rehearse
from envkit.sources.model import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit._internal.clock import Deadline
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending
    from envkit.secret import Secret
    from envkit.sources.dotenv import DotenvSource

SUFFIX = ".envkit-rotation"
LIMIT_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 4096  # what a small file takes
# until the target has the new value: how many more records may have to be written than are
# there, the temporary file of one among them
_RECORDS_TO_COME = {Phase.CLAIMED: 3, Phase.STAGED: 1}


class DotenvRotationStore:
    """See the module's docstring, and `RotationStore`.

    Args:
        source: reads and writes the file.
        ref: the variable that is rotated.
        fields: variables of the same file, the value's first.
        deadline: when waiting for another process is over.
    """

    def __init__(
        self, source: DotenvSource, ref: Reference, fields: tuple[str, ...], deadline: Deadline
    ) -> None:
        source.check(ref)
        self.fields = fields
        self.location = self.identity = source.locate(ref)
        self._source = source
        self._ref = ref
        self._deadline = deadline

    def check(self) -> None:
        """Look whether the file and its record can be replaced."""
        for error in self._source.check_write([self._ref]).values():
            raise error
        _, beside = self._paths(self._source.file_with(self._ref))
        try:
            check_own(beside)
        except OSError as error:
            raise failure("write", os.path.basename(beside), error) from None

    def read(self) -> Snapshot:
        """Read the variables, then their record."""
        name = self._source.file_with(self._ref)
        refs = {field: Reference(self._ref.source, name, field) for field in self.fields}
        outcomes = self._source.fetch(refs.values())
        found: dict[str, Secret] = {}
        version = None
        for field, ref in refs.items():
            outcome = outcomes[ref]
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Reading):
                found[field] = outcome.value
            version = outcome.version
        current = None if version is None else found
        _, beside = self._paths(name)
        data, record_version = _load(beside, os.path.basename(beside))
        if data is None:
            return Snapshot(current, version, None, None, {})
        record, pending = unpack(data)
        return Snapshot(current, version, record, record_version, pending)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        return self.read().record_version

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the fields that readers have."""
        return self.publish(seen, seen.current or {})

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record's file, if it is still the one that was seen."""
        name = self._source.file_with(self._ref)
        path, beside = self._paths(name)
        data = json.dumps(pack(record, pending)).encode()
        shown = os.path.basename(beside)
        timeout_seconds = self._deadline.remaining_seconds()
        try:
            with locked(path, timeout_seconds=timeout_seconds, follow=False):
                if _load(beside, shown)[1] != seen.record_version:
                    raise ConflictError(f"the rotation record {shown} has been changed meanwhile")
                if record.phase in _RECORDS_TO_COME:
                    records = _RECORDS_TO_COME[record.phase]
                    self._rehearse(name, records * (len(data) + _BLOCK_BYTES))
                write_own(beside, data, owner=_state(path))
        except OSError as error:
            raise failure("write", shown, error) from None
        return self.read()

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Change the variables of the file in one step."""
        values = {name: fields.get(name) for name in self.fields}
        self._source.write_several(self._ref, values, expected=seen.version)
        return self.read()

    def _rehearse(self, name: str, more_bytes: int) -> None:
        """See that the file could be written, before the target has the new value."""
        try:
            rehearse(*self._source.places(name), more_bytes=more_bytes)
        except OSError as error:
            raise failure("write", name, error) from None

    def _paths(self, name: str) -> tuple[str, str]:
        """Return where the `.env` file is, and where its record."""
        path, _ = self._source.places(name)
        return path, f"{path}.{self.fields[0]}{SUFFIX}"


def _state(path: str) -> os.stat_result | None:
    """Return the state of a file, whose owner is to have the record, too."""
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _load(path: str, shown: str) -> tuple[object, str | None]:
    """Return what is in a record's file, and its version; None for both where it is not there."""
    try:
        data, state = read_own(path, LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        raise failure("read", shown, error) from None
    version = f"{state.st_mtime_ns:x}-{state.st_size:x}-{state.st_ino:x}"
    try:
        return json.loads(data), version
    except (ValueError, RecursionError):
        return {}, version
