"""Rotations in AWS Secrets Manager: pending values are a version of the secret itself.

    AWSCURRENT        what readers get
    ENVKIT_ROTATION   the records of its fields, and the values that are pending
    ENVKIT_STAGED     the version that is about to get one of the two labels, for a moment

envkit moves a label from one version to another by compare-and-set, and writes records and the
secret in the same way. Users who may read the secret may read its pending values; others may not.
The store remembers the secret from the last read, so that a write needs no read.

AWSPENDING is not used: it belongs to rotations by AWS Lambda. envkit does not start a rotation
while AWSPENDING is on another version than AWSCURRENT.

Each write creates one version: every saved record, the rehearsal and the publication. A rotation
creates seven or eight, and each retry of a failed step creates two: one for the claim of the
retry, one for its failure. A write that loses a race with the record of another field creates one
more. AWS stores about a hundred versions and removes those without a label after a day. Rotate
one secret no more than ten times a day.

Reference: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import json
from random import uniform
from time import sleep

from envkit.errors import ConflictError, InvalidValueError, ProtocolError, RotationError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.aws_document import (
    EMPTY,
    WHOLE,
    Document,
    part_of,
    read_document,
    with_part,
)
from envkit.rotation_state.stores.envelope import RecordPlace, checked_pack, texts, unpack
from envkit.rotation_state.stores.naming import LABEL, identity
from envkit.secret import Secret
from envkit.sources.aws.errors import DELETED, NOT_FOUND, RefusedError
from envkit.sources.aws.names import secret_name
from envkit.sources.aws.secret_version import remove_field, secret_version, set_field
from envkit.sources.aws.write import CURRENT, ROTATION_PREFIX, changed_meanwhile, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.record import Record
    from envkit.rotation_state.store import Fields, Pending
    from envkit.sources.aws.client import SecretsManager
    from envkit.sources.aws.secret_version import SecretVersion
    from envkit.sources.aws.source import AwsSecretsManagerSource

PENDING = "AWSPENDING"
ATTEMPTS = 8  # to save a record while other processes save records of other fields
PAUSE_SECONDS = 0.05  # at most, times the attempt


class AwsRotationStore:
    """Stores a rotation in AWS Secrets Manager; see the module's docstring and `RotationStore`.

    Args:
        source: reads and writes no later than its deadline.
        ref: the rotated value.
        fields: of the secret, the rotated value first; only WHOLE for a secret without fields.
    """

    # each save makes a version, and AWS keeps all versions of a day, up to a hundred
    save_pace_seconds = 3600.0

    def __init__(
        self, source: AwsSecretsManagerSource, ref: Reference, fields: tuple[str, ...]
    ) -> None:
        source.check(ref)
        source.share_connection()
        self.fields = fields
        self.location = source.locate(ref)
        self.identity = identity(secret_name(source.key(ref)), fields[0])
        self._source = source
        self._ref = ref
        # as of the last read or write
        self._secret: SecretVersion | None = None
        self._document: Document | None = None

    @property
    def beside(self) -> Fields:
        """The other text fields of the secret."""
        found = self._secret
        if found is None or found.fields is None:
            return {}
        return texts(found.fields, found.fields.keys() - set(self.fields))

    def check(self) -> None:
        """Check that nothing else rotates the secret."""
        self._source.with_secret(self._ref, self._check)

    def read(self) -> Snapshot:
        """Read the secret, then its record."""
        return self._source.with_secret(self._ref, self._read)

    def record_version(self) -> str | None:
        """Return the version of the record now."""

        def read(manager: SecretsManager, secret_id: str, place: str) -> str | None:
            document = self._read_document(manager, secret_id, place)
            return part_of(document, self.fields[0]).version

        return self._source.with_secret(self._ref, read)

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Create a version with the same content, and move AWSCURRENT to it."""

        def write(manager: SecretsManager, secret_id: str, place: str) -> Snapshot:
            secret = self._seen_secret(manager, secret_id, place, seen)
            return seen._replace(version=self._write(manager, secret_id, place, secret, {}))

        return self._source.with_secret(self._ref, write)

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Create a version with the record and the values, and move our label to it."""
        if seen.version is None:
            raise RotationError(  # AWS would make the record the current version of the secret
                f"{self.location} has no value: a rotation record would become its value",
                hint=f"run 'envkit set --ref {self._ref} --env ENV' to store a first value",
            )

        def write(manager: SecretsManager, secret_id: str, place: str) -> Snapshot:
            for attempt in range(ATTEMPTS):
                version = self._save_once(manager, secret_id, place, seen, record, pending)
                if version is not None:
                    return seen._replace(record=record, record_version=version, pending=pending)
                sleep(uniform(0, PAUSE_SECONDS * (attempt + 1)))  # noqa: S311 - spreads load
                self._document = None
            raise changed_meanwhile(f"the rotation record of {place}")

        return self._source.with_secret(self._ref, write)

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Create a version with these fields, and move AWSCURRENT to it."""

        def write(manager: SecretsManager, secret_id: str, place: str) -> Snapshot:
            secret = self._seen_secret(manager, secret_id, place, seen)
            version = self._write(manager, secret_id, place, secret, self._content(secret, fields))
            return seen._replace(current=fields, version=version)

        return self._source.with_secret(self._ref, write)

    def _check(self, manager: SecretsManager, secret_id: str, place: str) -> None:
        secret = manager.call("describe_secret", f"cannot rotate {place}", SecretId=secret_id)
        if secret.get("RotationEnabled"):
            raise RotationError(
                f"{place} is rotated by AWS",
                hint=f"run 'aws secretsmanager cancel-rotate-secret --secret-id {secret_id}', or "
                "remove the rotation from the profile",
            )
        if owner := secret.get("OwningService"):
            raise RotationError(
                f"{place} belongs to {owner}, which rotates it", hint="let that service rotate it"
            )
        for version, labels in (secret.get("VersionIdsToStages") or {}).items():
            if PENDING in labels and CURRENT not in labels:
                raise RotationError(
                    f"another rotation of {place} is in progress: version {version} has {PENDING}",
                    hint="let it finish, or remove the label: run 'aws secretsmanager "
                    f"update-secret-version-stage --secret-id {secret_id} --version-stage "
                    f"{PENDING} --remove-from-version-id {version}'",
                )

    def _read(self, manager: SecretsManager, secret_id: str, place: str) -> Snapshot:
        secret = self._secret = _get(manager, secret_id, place, CURRENT)
        document = self._document = self._read_document(manager, secret_id, place)
        current = None if secret is None else self._current(secret)
        version = None if secret is None else secret.version
        shown = self._place(secret_id, document)
        part = part_of(document, self.fields[0])
        if part.version is None:
            return Snapshot(current, version, None, None, {})
        record, pending = unpack(part.packed, self.fields[0], shown)
        return Snapshot(current, version, record, part.version, pending)

    def _read_document(self, manager: SecretsManager, secret_id: str, place: str) -> Document:
        state = _get(manager, secret_id, place, LABEL)
        if state is None:
            return EMPTY
        shown = self._place(secret_id, EMPTY._replace(version=state.version))
        return read_document(state.text, state.version, shown)

    def _place(self, secret_id: str, document: Document) -> RecordPlace:
        return RecordPlace(
            f"the rotation record of {self.location} (version {document.version})",
            self.location,
            f"aws secretsmanager update-secret-version-stage --secret-id {secret_id} "
            f"--version-stage {LABEL} --remove-from-version-id {document.version}",
            also_removes="the records of the secret's other fields"
            if document.records.keys() - {self.fields[0]}
            else "",
        )

    def _save_once(
        self,
        manager: SecretsManager,
        secret_id: str,
        place: str,
        seen: Snapshot,
        record: Record,
        pending: Pending,
    ) -> str | None:
        """Return the new version of the record; None if a write for another field was faster.

        Raises:
            ConflictError: the record differs from the snapshot.
        """
        from uuid import uuid4

        field = self.fields[0]
        document, is_new = self._document, False
        if document is None:
            document, is_new = self._read_document(manager, secret_id, place), True
        shown = self._place(secret_id, document)
        if part_of(document, field).version != seen.record_version:
            if is_new:
                raise changed_meanwhile(f"the rotation record of {place}")
            return None
        version = f"{ROTATION_PREFIX}{uuid4().hex}"
        packed = checked_pack(record, pending, field, shown)
        text = json.dumps(with_part(document, field, packed, version))
        try:
            replace(
                manager,
                secret_id,
                {"SecretString": text},
                f"the rotation record of {place}",
                expected=document.version,
                label=LABEL,
                version=version,
            )
        except ConflictError:
            return None
        self._document = read_document(text, version, shown)
        return version

    def _seen_secret(
        self, manager: SecretsManager, secret_id: str, place: str, seen: Snapshot
    ) -> SecretVersion:
        """Return the secret of a snapshot.

        Raises:
            ConflictError: the secret has changed since.
        """
        secret = self._secret
        if secret is None or secret.version != seen.version:
            secret = _get(manager, secret_id, place, CURRENT)
        if secret is None or secret.version != seen.version:
            raise changed_meanwhile(place)
        return secret

    def _write(
        self,
        manager: SecretsManager,
        secret_id: str,
        place: str,
        secret: SecretVersion,
        content: dict[str, str | bytes],
    ) -> str:
        """Write a new current version and return its ID; without content, copy the secret."""
        if not content and secret.text is not None:
            content = {"SecretString": secret.text}
        elif not content:
            content = {"SecretBinary": secret.binary or b""}
        version = replace(manager, secret_id, content, place, expected=secret.version)
        text, binary = content.get("SecretString"), content.get("SecretBinary")
        self._secret = secret_version(
            version,
            text if isinstance(text, str) else None,
            binary if isinstance(binary, bytes) else None,
        )
        return version

    def _current(self, secret: SecretVersion) -> Fields:
        if self.fields != (WHOLE,):
            if secret.fields is None:
                raise RotationError(
                    f"{self.location}: the secret is not a JSON object",
                    hint="store a JSON object in it, or leave '#FIELD' out",
                )
            return texts(secret.fields, self.fields)
        if secret.fields is not None and secret.binary is None:
            raise RotationError(
                f"{self.location} names no field, but the secret is a JSON object",
                hint="add '#FIELD' to the secret of the rotation",
            )
        if secret.binary is not None:
            return {WHOLE: Secret.from_bytes(secret.binary)}
        return {WHOLE: Secret(secret.text or "")}

    def _content(self, secret: SecretVersion, fields: Fields) -> dict[str, str | bytes]:
        """Return the content of the secret with these fields; all other characters stay."""
        if self.fields == (WHOLE,):
            raw = fields[WHOLE].to_bytes()
            return {"SecretBinary": raw} if secret.text is None else {"SecretString": _text(raw)}
        text = secret.document
        if text is None or secret.fields is None:
            raise ConflictError(f"{self.location} is no longer a JSON object")
        for name in self.fields:
            if name in fields:
                text = set_field(text, name, _text(fields[name].to_bytes()))
            else:
                text = remove_field(text, name)
        return secret.content(text)


def _get(manager: SecretsManager, secret_id: str, place: str, label: str) -> SecretVersion | None:
    """Return the version that has a label; None if there is none."""
    doing = f"cannot read {place}"
    try:
        answer = manager.call("get_secret_value", doing, SecretId=secret_id, VersionStage=label)
    except RefusedError as error:
        if error.aws_code in (NOT_FOUND, DELETED):
            return None
        raise
    version, text, binary = map(answer.get, ("VersionId", "SecretString", "SecretBinary"))
    if not isinstance(version, str):
        raise ProtocolError(f"{doing}: the answer is not from Secrets Manager")
    return secret_version(version, text, binary)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidValueError("the new value is not text, but this secret is") from None
