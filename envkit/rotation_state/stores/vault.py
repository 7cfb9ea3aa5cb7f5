"""Rotations in Vault or OpenBao, key-value engine version 2.

    secret/myapp/db                                 the secret
    secret/envkit-rotation/myapp/db.password        its record and the pending values

The record is a separate secret. A new version of the secret itself would be live at once, and
metadata may be readable by others, so neither is a place for pending values. The record has only
one version, so that no pending value is left after the rotation. Every write is a compare-and-set
by version. The store remembers the other fields of the secret from the last read, so that a write
is one request. A secret that was deleted since then, and not written, still has that version.

The token needs `create`, `read` and `update` on `MOUNT/data/envkit-rotation/PATH.FIELD`,
`create` and `update` on `MOUNT/metadata/envkit-rotation/PATH.FIELD`, and `read` and `update`
on the secret. In FIELD, all but letters, digits, `_`, `-` and `~` is escaped, a dot as `%2E`.

An envkit that knows only record version 1 looks for the records of such fields under the name
that is not escaped. This store writes a guard there, which the earlier envkit refuses.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

from functools import cached_property
from shlex import quote
from typing import NamedTuple

from envkit.errors import ConflictError, RotationError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import (
    RecordPlace,
    checked_pack,
    guard,
    is_about,
    is_guard,
    is_version_1,
    record_of,
    texts,
    unpack,
)
from envkit.rotation_state.stores.naming import FOLDER, identity, record_name
from envkit.sources.model import Absent
from envkit.sources.vault import kv as vault_kv
from envkit.sources.vault.kv import SecretVersion, denied
from envkit.sources.vault.write import refuse_unwritable, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target
    from envkit.sources.vault.source import VaultSource

    R = TypeVar("R")


class VaultRotationStore:
    """Stores a rotation in Vault or OpenBao; see the module's docstring and `RotationStore`.

    Args:
        source: reads and writes no later than its deadline.
        ref: the rotated value.
        fields: of the secret, the rotated value first.
    """

    def __init__(self, source: VaultSource, ref: Reference, fields: tuple[str, ...]) -> None:
        source.check(ref)
        source.share_connection()
        self.fields = fields
        self.location = source.locate(ref)
        self._source = source
        self._ref = ref
        self._secret: SecretVersion | Absent | None = None  # as of the last read or write

    @cached_property
    def identity(self) -> str:
        """The mount and path of the secret, and the field; see `RotationStore`.

        Until the server has listed its mounts, the usual ones are assumed.
        """
        engine, path = self._source.guess_engine(self._ref)
        return self._identity(vault_kv.target(engine, path, None, self._source.name))

    @property
    def beside(self) -> Fields:
        """The other text fields of the secret."""
        found = self._secret
        if found is None or isinstance(found, Absent):
            return {}
        return texts(found.fields, found.fields.keys() - set(self.fields))

    def check(self) -> None:
        """Check the type of the engine, and what the token may do to the secret.

        Whether the token may write the record shows at the claim, before a new value exists.
        """
        for error in self._source.check_write([self._ref]).values():
            raise error

    def read(self) -> Snapshot:
        """Read the secret, then its record."""
        return self._with_secret(self._read)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        return self._with_secret(
            lambda client, secret: vault_kv.read(client, self._beside(secret)).version
        )

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write a new version of the secret with the same content."""

        def write(client: VaultClient, secret: Target) -> Snapshot:
            found = self._found(client, secret, seen)
            return seen._replace(version=self._write(client, secret, found))

        return self._with_secret(write)

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Replace the record and the values if they are still those of the snapshot."""

        def write(client: VaultClient, secret: Target) -> Snapshot:
            beside = self._beside(secret)
            place = self._place(beside)
            packed = checked_pack(record, pending, self.fields[0], place)
            for fields in pending.values():
                _refuse_no_text(secret, place.name, fields)
            if seen.record_version is None:
                self._write_guard(client, secret)
            if seen.record is None or seen.record_version is None:
                _keep_one_version(client, beside)
            version = write_all(client, beside, packed, seen.record_version, place.name)
            return seen._replace(record=record, record_version=version, pending=pending)

        return self._with_secret(write)

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Write a new version of the secret."""

        def write(client: VaultClient, secret: Target) -> Snapshot:
            _refuse_no_text(secret, self.location, fields)
            found = self._found(client, secret, seen)
            changed = {
                name: value for name, value in found.fields.items() if name not in self.fields
            }
            changed |= {name: value.reveal() for name, value in fields.items()}
            version = self._write(client, secret, found._replace(fields=changed))
            return seen._replace(current=fields, version=version)

        return self._with_secret(write)

    def _read(self, client: VaultClient, secret: Target) -> Snapshot:
        found = self._secret = vault_kv.read(client, secret)
        beside = self._beside(secret)
        state = vault_kv.read(client, beside)
        current = None if isinstance(found, Absent) else texts(found.fields, self.fields)
        seen = Snapshot(current, found.version, None, state.version, {})
        if isinstance(state, Absent):
            earlier = None if state.version else self._earlier(client, secret)
            return seen._replace(record=earlier and earlier.record)
        if is_guard(state.fields):
            return seen
        place = self._place(beside)
        if is_version_1(state.fields):
            self._refuse_another(state.fields, place)
        record, pending = unpack(state.fields, self.fields[0], place)
        return seen._replace(record=record, pending=pending)

    def _refuse_another(self, packed: Mapping[str, object], place: RecordPlace) -> None:
        """Refuse a version 1 record of another field, whose record had the same name then."""
        if not is_about(packed, self.fields[0]):
            rotation = record_of(packed, place).rotation
            raise RotationError(
                f"the path of the rotation record of {self.location} is in use: an earlier version "
                f"of envkit stored the record of {rotation} there",
                hint=f"run: envkit rotate {rotation}",
            )

    def _found(self, client: VaultClient, secret: Target, seen: Snapshot) -> SecretVersion:
        """Return the secret of a snapshot.

        Raises:
            ConflictError: the secret has changed since.
        """
        found = self._secret
        if found is None or found.version != seen.version:
            found = vault_kv.read(client, secret)
        if isinstance(found, Absent) or found.version != seen.version:
            raise ConflictError(f"{self.location} was changed by another process")
        return found

    def _write(self, client: VaultClient, secret: Target, changed: SecretVersion) -> str:
        """Replace the version that was changed, and return the new one."""
        version = write_all(client, secret, changed.fields, changed.version, self.location)
        self._secret = changed._replace(version=version)
        return version

    # ------------------------------------------------ where earlier versions store the record

    def _earlier(self, client: VaultClient, secret: Target) -> _Earlier | None:
        """Return what an envkit that knows only version 1 finds; None if both use the same path.

        Raises:
            RotationError: the record cannot be taken over now.
        """
        place = secret._replace(path=f"{FOLDER}/{secret.path}.{self.fields[0]}")
        if place.path == self._beside(secret).path:
            return None
        found = vault_kv.read(client, place)
        if isinstance(found, Absent) or not is_version_1(found.fields):
            return _Earlier(place, found, None)
        record = record_of(found.fields, self._place(place))
        if not is_about(found.fields, self.fields[0]):
            return _Earlier(place, found, None, rotation=record.rotation)
        if record.in_progress:
            raise RotationError(
                f"an earlier version of envkit started to rotate {self.location}",
                hint="let that version finish: run 'envkit rotate --resume "
                f"{record.rotation.partition('/')[2]}' with it",
            )
        return _Earlier(place, found, record)

    def _write_guard(self, client: VaultClient, secret: Target) -> None:
        """Make sure that an envkit that knows only version 1 refuses to rotate this field."""
        earlier = self._earlier(client, secret)
        if earlier is None:
            return
        if earlier.rotation:
            raise RotationError(
                "the path where an earlier version of envkit looks for the record of "
                f"{self.location} has the record of {earlier.rotation}",
                hint=f"run: envkit rotate {earlier.rotation}",
            )
        if isinstance(earlier.found, SecretVersion) and earlier.record is None:
            return  # an earlier envkit already refuses its contents
        shown = f"the guard at {earlier.place.locate()}"
        content = guard(f"the record is at {self._beside(secret).locate()}")
        write_all(client, earlier.place, content, earlier.found.version, shown)

    # ------------------------------------------------ names

    def _beside(self, secret: Target) -> Target:
        return secret._replace(path=f"{FOLDER}/{record_name(secret.path, self.fields[0])}")

    def _place(self, beside: Target) -> RecordPlace:
        return RecordPlace(
            f"the rotation record at {beside.locate()}",
            self.location,
            f"vault kv metadata delete -mount={quote(beside.engine.mount)} {quote(beside.path)}",
        )

    def _identity(self, secret: Target) -> str:
        return identity(f"{secret.engine.mount}/{secret.path}", self.fields[0])

    def _with_secret(self, call: Callable[[VaultClient, Target], R]) -> R:
        def checked(client: VaultClient, secret: Target) -> R:
            if secret.engine.version == 1:
                raise RotationError(
                    f"cannot rotate {self.location}: KV version 1 has no compare-and-set",
                    hint=f"run: vault kv enable-versioning {secret.engine.mount}",
                )
            self.identity = self._identity(secret)
            return call(client, secret)

        return self._source.with_secret(self._ref, checked)


class _Earlier(NamedTuple):
    """The contents of the path where an envkit that knows only version 1 stores a record.

    Attributes:
        place: the path.
        found: its contents.
        record: a version 1 record of this field, at rest.
        rotation: the rotation of another field whose version 1 record is there.
    """

    place: Target
    found: SecretVersion | Absent
    record: Record | None
    rotation: str = ""

    def __repr__(self) -> str:
        return f"_Earlier({self.place.path})"


def _refuse_no_text(secret: Target, place: str, fields: Fields) -> None:
    """Refuse a value that the server would silently change."""
    for value in fields.values():
        refuse_unwritable(secret, place, value.reveal())


def _keep_one_version(client: VaultClient, beside: Target) -> None:
    answer = client.call(
        lambda hvac_client: hvac_client.secrets.kv.v2.update_metadata(
            beside.path, max_versions=1, mount_point=beside.engine.mount
        )
    )
    if answer.denied:
        raise denied(beside, "update")
    if not answer.ok:
        raise client.unexpected(f"status {answer.status} for the metadata of {beside.locate()}")
