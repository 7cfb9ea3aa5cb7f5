"""Rotations in Vault or OpenBao, key-value engine version 2.

    secret/myapp/db                                 the secret
    secret/envkit-rotation/myapp/db.password        its record, and what is pending

The record is a secret of its own: a new version of the secret itself would be live at once,
and metadata, which others may read, is no place for values. It keeps one version, so that
nothing pending is left once it is over. Every write is a compare-and-set by version.

The token needs `create`, `read` and `update` on `MOUNT/data/envkit-rotation/PATH.FIELD`,
`create` and `update` on `MOUNT/metadata/envkit-rotation/PATH.FIELD`, and `read` and `update`
on the secret.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

from envkit.errors import ConflictError, RotationError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import pack, texts, unpack
from envkit.sources.model import Absent
from envkit.sources.vault import kv as vault_kv
from envkit.sources.vault.kv import denied
from envkit.sources.vault.write import refuse_unwritable, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target
    from envkit.sources.vault.source import VaultSource

    R = TypeVar("R")

FOLDER = "envkit-rotation"


class VaultRotationStore:
    """See the module's docstring, and `RotationStore`.

    Args:
        source: reads and writes no later than its deadline.
        ref: the value that is rotated.
        fields: of the secret, the value's first.
    """

    def __init__(self, source: VaultSource, ref: Reference, fields: tuple[str, ...]) -> None:
        source.check(ref)
        self.fields = fields
        self.location = self.identity = source.locate(ref)
        self._source = source
        self._ref = ref

    def check(self) -> None:
        """Ask which engine it is, and what the token may do to the secret.

        What it may do to the record, the claim shows before anything is made.
        """
        for error in self._source.check_write([self._ref]).values():
            raise error

    def read(self) -> Snapshot:
        """Read the secret, then its record."""
        return self._with_secret(self._read)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        return self.read().record_version

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the fields that readers have."""
        return self.publish(seen, seen.current or {})

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Write the record and the values over the ones that were seen."""

        def write(client: VaultClient, secret: Target) -> None:
            beside = self._beside(secret)
            if seen.record is None:
                _keep_one_version(client, beside)
            place = f"the rotation record at {beside.locate()}"
            for fields in pending.values():
                _refuse_no_text(secret, place, fields)
            write_all(client, beside, pack(record, pending), seen.record_version, place)

        self._with_secret(write)
        return self.read()

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Write a new version of the secret."""

        def write(client: VaultClient, secret: Target) -> None:
            found = vault_kv.read(client, secret)
            if isinstance(found, Absent) or found.version != seen.version:
                raise ConflictError(f"{self.location} has been changed meanwhile")
            _refuse_no_text(secret, self.location, fields)
            others = {
                name: value for name, value in found.fields.items() if name not in self.fields
            }
            ours = {name: value.reveal() for name, value in fields.items()}
            write_all(client, secret, {**others, **ours}, found.version, self.location)

        self._with_secret(write)
        return self.read()

    def _read(self, client: VaultClient, secret: Target) -> Snapshot:
        found = vault_kv.read(client, secret)
        state = vault_kv.read(client, self._beside(secret))
        current = None if isinstance(found, Absent) else texts(found.fields, self.fields)
        if isinstance(state, Absent):
            return Snapshot(current, found.version, None, state.version, {})
        record, pending = unpack(state.fields)
        return Snapshot(current, found.version, record, state.version, pending)

    def _beside(self, secret: Target) -> Target:
        return secret._replace(path=f"{FOLDER}/{secret.path}.{self.fields[0]}")

    def _with_secret(self, call: Callable[[VaultClient, Target], R]) -> R:
        def checked(client: VaultClient, secret: Target) -> R:
            if secret.engine.version == 1:
                raise RotationError(
                    f"cannot rotate {self.location}: KV version 1 has no compare-and-set",
                    hint=f"run 'vault kv enable-versioning {secret.engine.mount}'",
                )
            return call(client, secret)

        return self._source.with_secret(self._ref, checked)


def _refuse_no_text(secret: Target, place: str, fields: Fields) -> None:
    """Refuse what the server would silently make something else of."""
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
