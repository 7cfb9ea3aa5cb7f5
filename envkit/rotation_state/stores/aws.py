"""Rotations in AWS Secrets Manager: pending values are a version of the secret itself.

    AWSCURRENT        what readers get
    ENVKIT_ROTATION   the record, and the values that are pending, as one JSON object
    ENVKIT_STAGED     the version that is about to get one of the two labels, for a moment

A label is moved from one version to another by compare-and-set, and so are the record and
the secret. Those who may read the secret may read its pending values, and nobody else.

AWSPENDING is not used: it belongs to rotations by AWS Lambda. envkit begins no rotation while
AWSPENDING is on another version than AWSCURRENT.

A rotation makes about ten versions. AWS keeps some hundred, and removes those without a
label once they are a day old: rotate one secret no more than eight times a day.

Reference: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import json

from envkit.errors import ConflictError, InvalidValueError, ProtocolError, RotationError
from envkit.rotation_state.store import Snapshot
from envkit.rotation_state.stores.envelope import pack, texts, unpack
from envkit.secret import Secret
from envkit.sources.aws.errors import DELETED, NOT_FOUND, RefusedError
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

LABEL = "ENVKIT_ROTATION"
PENDING = "AWSPENDING"
WHOLE = ""  # the field of a secret that is one value and no JSON object


class AwsRotationStore:
    """See the module's docstring, and `RotationStore`.

    Args:
        source: reads and writes no later than its deadline.
        ref: the value that is rotated.
        fields: of the secret, the value's first; WHOLE alone for one without fields.
    """

    def __init__(
        self, source: AwsSecretsManagerSource, ref: Reference, fields: tuple[str, ...]
    ) -> None:
        source.check(ref)
        self.fields = fields
        self.location = self.identity = source.locate(ref)
        self._source = source
        self._ref = ref

    def check(self) -> None:
        """Look whether anything else rotates the secret."""
        self._source.with_secret(self._ref, self._check)

    def read(self) -> Snapshot:
        """Read the secret, then its record."""
        return self._source.with_secret(self._ref, self._read)

    def record_version(self) -> str | None:
        """Return the version of the record now."""
        return self.read().record_version

    def rehearse(self, seen: Snapshot) -> Snapshot:
        """Write the fields that readers have."""
        return self.publish(seen, seen.current or {})

    def save(self, seen: Snapshot, record: Record, pending: Pending) -> Snapshot:
        """Make a version with the record and the values, and move our label to it."""
        from uuid import uuid4

        content: dict[str, str | bytes] = {"SecretString": json.dumps(pack(record, pending))}

        def write(manager: SecretsManager, secret_id: str, place: str) -> None:
            replace(
                manager,
                secret_id,
                content,
                f"the rotation record of {place}",
                expected=seen.record_version,
                label=LABEL,
                version=f"{ROTATION_PREFIX}{uuid4().hex}",
            )

        self._source.with_secret(self._ref, write)
        return self.read()

    def publish(self, seen: Snapshot, fields: Fields) -> Snapshot:
        """Make a version with these fields, and move AWSCURRENT to it."""

        def write(manager: SecretsManager, secret_id: str, place: str) -> None:
            secret = _get(manager, secret_id, place, CURRENT)
            if secret is None or secret.version != seen.version:
                raise changed_meanwhile(place)
            content = self._content(secret, fields)
            replace(manager, secret_id, content, place, expected=secret.version)

        self._source.with_secret(self._ref, write)
        return self.read()

    def _check(self, manager: SecretsManager, secret_id: str, place: str) -> None:
        secret = manager.call("describe_secret", f"cannot rotate {place}", SecretId=secret_id)
        if secret.get("RotationEnabled"):
            raise RotationError(
                f"{place} is rotated by AWS",
                hint=f"run 'aws secretsmanager cancel-rotate-secret --secret-id {secret_id}', or "
                "take the rotation out of the profile",
            )
        if owner := secret.get("OwningService"):
            raise RotationError(
                f"{place} belongs to {owner}, which rotates it", hint="let that service rotate it"
            )
        for version, labels in (secret.get("VersionIdsToStages") or {}).items():
            if PENDING in labels and CURRENT not in labels:
                raise RotationError(
                    f"another rotation of {place} is under way: version {version} has {PENDING}",
                    hint="let it come to its end, or take the label off: run 'aws secretsmanager "
                    f"update-secret-version-stage --secret-id {secret_id} --version-stage "
                    f"{PENDING} --remove-from-version-id {version}'",
                )

    def _read(self, manager: SecretsManager, secret_id: str, place: str) -> Snapshot:
        secret = _get(manager, secret_id, place, CURRENT)
        state = _get(manager, secret_id, place, LABEL)
        current = None if secret is None else self._current(secret)
        version = None if secret is None else secret.version
        if state is None:
            return Snapshot(current, version, None, None, {})
        record, pending = unpack(state.fields)
        return Snapshot(current, version, record, state.version, pending)

    def _current(self, secret: SecretVersion) -> Fields:
        if self.fields != (WHOLE,):
            if secret.fields is None:
                raise RotationError(
                    f"{self.location}: the secret is no JSON object",
                    hint="store a JSON object in it, or leave '#FIELD' out",
                )
            return texts(secret.fields, self.fields)
        if secret.fields is not None:
            raise RotationError(
                f"{self.location} names no field, and the secret is a JSON object",
                hint="add '#FIELD' to the secret of the rotation",
            )
        if secret.binary is not None:
            return {WHOLE: Secret.from_bytes(secret.binary)}
        return {WHOLE: Secret(secret.text or "")}

    def _content(self, secret: SecretVersion, fields: Fields) -> dict[str, str | bytes]:
        """Return the secret with these fields, every other character of it as it was."""
        if self.fields == (WHOLE,):
            raw = fields[WHOLE].to_bytes()
            return {"SecretBinary": raw} if secret.text is None else {"SecretString": _text(raw)}
        text = secret.text
        if text is None or secret.fields is None:
            raise ConflictError(f"{self.location} is no JSON object any more")
        for name in self.fields:
            if name in fields:
                text = set_field(text, name, _text(fields[name].to_bytes()))
            else:
                text = remove_field(text, name)
        return {"SecretString": text}


def _get(manager: SecretsManager, secret_id: str, place: str, label: str) -> SecretVersion | None:
    """Return the version that has a label; None where there is none."""
    doing = f"cannot read {place}"
    try:
        answer = manager.call("get_secret_value", doing, SecretId=secret_id, VersionStage=label)
    except RefusedError as error:
        if error.aws_code in (NOT_FOUND, DELETED):
            return None
        raise
    version, text, binary = map(answer.get, ("VersionId", "SecretString", "SecretBinary"))
    if not isinstance(version, str):
        raise ProtocolError(f"{doing}: the answer is not one of Secrets Manager")
    return secret_version(version, text, binary)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidValueError("the new value is no text, as this secret is") from None
