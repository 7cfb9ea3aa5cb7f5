"""Compare-and-set for secrets: AWS has it for staging labels, and so for values.

A new version is stored beside the current one under a label of ours, which no reader asks
for. Moving AWSCURRENT to it *from the version that the caller saw* is the atomic step:
AWS refuses it when the label is elsewhere by then.

Reference: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
"""

from __future__ import annotations

import contextlib

from envkit.errors import ConflictError, ProtocolError, SourceError
from envkit.sources.aws.errors import DELETED, EXISTS, NOT_FOUND, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.aws.client import SecretsManager

CURRENT = "AWSCURRENT"
STAGED = "ENVKIT_STAGED"  # one name for all writes: a leftover moves to the next one's version
# of versions that hold no value of the secret but the record of its rotation
ROTATION_PREFIX = "envkit-rotation-"


def create(manager: SecretsManager, name: str, content: dict[str, str | bytes], where: str) -> str:
    """Create a secret, or give its first value to one that has none.

    Args:
        manager: where.
        name: of the secret.
        content: `SecretString` or `SecretBinary`.
        where: the secret, for messages.

    Returns:
        the version.

    Raises:
        ConflictError: the secret has a value, or is scheduled for deletion.
        SourceError: AWS failed.
    """
    doing = f"cannot write {where}"
    version = _new_version()
    try:
        manager.call("create_secret", doing, Name=name, ClientRequestToken=version, **content)
    except RefusedError as error:
        if error.aws_code not in (EXISTS, DELETED):
            raise
    else:
        return version
    if _current_version(manager, name, where) is not None:
        raise ConflictError(f"{doing}: it already exists")
    return replace(manager, name, content, where, expected=None)


def replace(
    manager: SecretsManager,
    secret_id: str,
    content: dict[str, str | bytes],
    where: str,
    *,
    expected: str | None,
    label: str = CURRENT,
    version: str = "",
) -> str:
    """Make `content` the current version, or that of another label, if `expected` still is.

    Args:
        manager: where.
        secret_id: name or ARN.
        content: `SecretString` or `SecretBinary`.
        where: the secret, for messages.
        expected: the version that is current; None where there must be none.
        label: a staging label that is moved instead of AWSCURRENT.
        version: an id for the new version, that no other has; made up unless given.

    Returns:
        the new version.

    Raises:
        ConflictError: another version is current; it still is.
        SourceError: AWS failed.
    """
    doing = f"cannot write {where}"
    version = version or _new_version()
    put = manager.call(
        "put_secret_value",
        doing,
        SecretId=secret_id,
        ClientRequestToken=version,
        VersionStages=[STAGED],
        **content,
    )
    try:
        if label not in put.get("VersionStages", ()):  # a secret's first version is current
            make_current(manager, secret_id, where, version=version, expected=expected, label=label)
    finally:
        with contextlib.suppress(SourceError):  # a leftover label does no harm
            manager.call(
                "update_secret_version_stage",
                doing,
                SecretId=secret_id,
                VersionStage=STAGED,
                RemoveFromVersionId=version,
            )
    return version


def make_current(
    manager: SecretsManager,
    secret_id: str,
    where: str,
    *,
    version: str,
    expected: str | None,
    label: str = CURRENT,
) -> None:
    """Make a version that is there the current one, if `expected` still is.

    Args:
        manager: where.
        secret_id: name or ARN.
        where: the secret, for messages.
        version: the one that becomes current.
        expected: the one that is current; None where there must be none.
        label: a staging label that is moved instead of AWSCURRENT.

    Raises:
        ConflictError: another version is current; it still is.
        SourceError: AWS failed.
    """
    doing = f"cannot write {where}"
    source = {} if expected is None else {"RemoveFromVersionId": expected}
    try:
        manager.call(
            "update_secret_version_stage",
            doing,
            SecretId=secret_id,
            VersionStage=label,
            MoveToVersionId=version,
            **source,
        )
    except RefusedError:
        current = _current_version(manager, secret_id, where, label)
        if current == version:
            return  # done by an attempt whose answer was lost
        if current == expected:
            raise
        raise changed_meanwhile(where) from None


def changed_meanwhile(where: str) -> ConflictError:
    """Return the error for a secret whose current version is not the expected one."""
    return ConflictError(
        f"cannot write {where}: it was changed meanwhile",
        hint="read it again, and repeat the change",
    )


def _current_version(
    manager: SecretsManager, secret_id: str, where: str, label: str = CURRENT
) -> str | None:
    """Return the id of the version that has the label; None where none has it."""
    doing = f"cannot write {where}"
    try:
        answer = manager.call("get_secret_value", doing, SecretId=secret_id, VersionStage=label)
    except RefusedError as error:
        if error.aws_code == NOT_FOUND:
            return None
        if error.aws_code == DELETED:
            raise ConflictError(
                f"{doing}: it is scheduled for deletion",
                hint=f"run: aws secretsmanager restore-secret --secret-id {secret_id}",
            ) from None
        raise
    version = answer.get("VersionId")
    if not isinstance(version, str):
        raise ProtocolError(f"{doing}: the answer is not from Secrets Manager")
    return version


def _new_version() -> str:
    """Return an id for a version: with it AWS knows the second attempt for the first one's."""
    from uuid import uuid4

    return str(uuid4())
