"""Rotations in `.env` files: the record is a file beside the `.env` file.

    .env.prod
    .env.prod.DB_PASSWORD.envkit-rotation       its record and the pending values; 0600

If values of the file are encrypted, so are those of the record.

Both are changed under the lock of the `.env` file, each in one step. The names of temporary files
are known: if a writer is killed, the next one removes its files without listing the folder. At
rest the record has no value. A link in place of the record is refused.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from shlex import quote

from envkit._internal.file_lock import locked
from envkit._internal.files import read_own, read_real, version_of
from envkit._internal.paths import display_path
from envkit._internal.writing.atomic_write import write_own
from envkit._internal.writing.replaceable import check_own
from envkit.dotenv.file import LIMIT_BYTES as DOTENV_BYTES
from envkit.dotenv.parser import decode
from envkit.encryption.reading import written_in
from envkit.encryption.writing import Encrypter
from envkit.errors import ConflictError
from envkit.rotation_state.record import Phase
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.encrypted import opened, sealed
from envkit.rotation_state.stores.envelope import RecordPlace, checked_pack, parse, unpack
from envkit.rotation_state.stores.naming import FILE_SUFFIX, identity, record_name
from envkit.sources.dotenv_files.errors import failure
from envkit.sources.dotenv_files.write import change, rehearse, rewrite, unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.encryption.env_file import FileKey
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending
    from envkit.sources.dotenv import DotenvSource

LIMIT_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 4096  # the disk space of a small file
# by phase, how many records, temporary files included, may still be written in addition to the
# present ones before the target has the new value
_RECORDS_TO_COME = {Phase.CLAIMED: 3, Phase.STAGED: 1}


class DotenvRotationStore:
    """Stores a rotation beside a `.env` file; see the module's docstring and `RotationStore`.

    Args:
        source: reads and writes the file.
        ref: the rotated variable.
        fields: variables of the same file, the rotated one first.
        deadline: when to stop waiting for another process.
    """

    def __init__(
        self, source: DotenvSource, ref: Reference, fields: tuple[str, ...], deadline: Deadline
    ) -> None:
        source.check(ref)
        self.fields = fields
        self.location = source.locate(ref)
        self._source = source
        self._ref = ref
        self._deadline = deadline
        self._name: str | None = None  # of the file, after the first read

    @cached_property
    def identity(self) -> str:
        """The names of the variable's file and of the variable; see `RotationStore`."""
        return identity(os.path.basename(self._paths()[0]), self.fields[0])

    @property
    def beside(self) -> Fields:
        """Nothing: the other variables of a file are not fields of one secret."""
        return {}

    def check(self) -> None:
        """Check that the file and its record can be replaced."""
        for error in self._source.check_write([self._ref]).values():
            raise error
        beside = self._paths()[2]
        try:
            check_own(beside)
        except OSError as error:
            raise failure("write", os.path.basename(beside), error) from None

    def read(self) -> Snapshot:
        """Read the variables, then their record."""
        self._name, version, found = self._source.read_variables(self._ref, self.fields)
        current = None if version is None else found
        beside = self._paths()[2]
        data, record_version = _load(beside)
        if data is None:
            return Snapshot(current, version, None, None, {})
        packed = opened(parse(data), self._decrypt)
        record, pending = unpack(packed, self.fields[0], self._place(beside))
        return Snapshot(current, version, record, record_version, pending)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        return _load(self._paths()[2])[1]

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Replace the file with the same content."""
        if seen.version is None:
            raise ConflictError(f"{self.location} no longer exists")
        return seen._replace(version=self._rewrite(seen, unchanged))

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record's file if it is still the one of the snapshot."""
        path, previous, beside = self._paths()
        packed = checked_pack(record, pending, self.fields[0], self._place(beside))
        try:
            with locked(
                path,
                timeout_seconds=self._deadline.remaining_seconds(),
                follow=False,
                written=_names(path, previous, beside),
            ):
                if _load(beside)[1] != seen.record_version:
                    shown = os.path.basename(beside)
                    raise ConflictError(
                        f"the rotation record {shown} was changed by another process"
                    )
                if pending:
                    packed = sealed(packed, self._key(path))
                data = json.dumps(packed).encode()
                if record.phase in _RECORDS_TO_COME:
                    records = _RECORDS_TO_COME[record.phase]
                    more_bytes = records * (len(data) + _BLOCK_BYTES)
                    self._rehearse(path, previous, more_bytes)
                state = write_own(beside, data, owner=_state(path), alone=True)
        except OSError as error:
            raise failure("write", os.path.basename(beside), error) from None
        return seen._replace(record=record, record_version=version_of(state), pending=pending)

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Change the variables of the file in one step."""
        values = {name: fields.get(name) for name in self.fields}

        def edit(text: str) -> bytes:
            decrypter = self._source.decrypter
            return change(text, values, path=self._file(), decrypter=decrypter)[0]

        return seen._replace(current=fields, version=self._rewrite(seen, edit))

    def _key(self, path: str) -> FileKey | None:
        """Return the key to which the file's values are encrypted now; None if they are plain."""
        try:
            content = read_real(path, DOTENV_BYTES)[0]
        except FileNotFoundError:
            return None
        file = self._file()
        return Encrypter(self._source.decrypter(file)).key(decode(content, path=file))

    def _decrypt(self, text: str) -> str:
        """Return a value of the record."""
        beside = os.path.basename(self._paths()[2])
        decrypter = self._source.decrypter(self._file())
        return decrypter.value(written_in(beside, text), self._source.public_keys(self._ref))

    def _rehearse(self, path: str, previous: str, more_bytes: int) -> None:
        """Check that there is room for the file, before the target has the new value."""
        try:
            rehearse(path, previous, more_bytes=more_bytes, alone=True)
        except OSError as error:
            raise failure("write", self._file(), error) from None

    def _rewrite(self, seen: Snapshot, edit: Callable[[str], bytes]) -> str:
        path, previous, beside = self._paths()
        try:
            return rewrite(
                self._file(),
                path,
                previous,
                edit,
                expected=seen.version,
                timeout_seconds=self._deadline.remaining_seconds(),
                written=_names(path, previous, beside),
            )
        except OSError as error:
            raise failure("write", self._file(), error) from None

    def _file(self) -> str:
        """Return the name of the file that has the variable, as the profile spells it."""
        if self._name is None:
            self._name = self._source.file_with(self._ref)
        return self._name

    def _paths(self) -> tuple[str, str, str]:
        """Return the paths of the `.env` file, its copy and its record."""
        path, previous = self._source.places(self._file())
        return path, previous, record_name(path, self.fields[0]) + FILE_SUFFIX

    def _place(self, beside: str) -> RecordPlace:
        shown = display_path(beside)
        return RecordPlace(f"the rotation record {shown}", self.location, f"rm {quote(shown)}")


def _names(path: str, previous: str, beside: str) -> list[str]:
    """Return the names of all files that are written under the lock of a file."""
    return [os.path.basename(one) for one in (path, previous, beside)]


def _state(path: str) -> os.stat_result | None:
    """Return the state of a file, whose owner will own the record as well."""
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _load(path: str) -> tuple[bytes | None, str | None]:
    """Return the content and the version of a record's file; None for both if it is missing."""
    try:
        data, state = read_own(path, LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        raise failure("read", os.path.basename(path), error) from None
    return data, version_of(state)
