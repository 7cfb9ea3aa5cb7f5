"""Compare-and-set for secrets, built on the compare-and-set of staging labels in AWS.

A new version is first stored beside the current one under envkit's own label, which readers do
not request. Moving AWSCURRENT to it *from the version that the caller saw* is the atomic step:
AWS refuses it if the label has moved in the meantime.

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
STAGED = "ENVKIT_STAGED"  # shared by all writes, so each moves the label of an abandoned one
# id prefix of versions that contain a rotation record instead of a value
ROTATION_PREFIX = "envkit-rotation-"


def create(manager: SecretsManager, name: str, content: dict[str, str | bytes], where: str) -> str:
    """Create a secret, or set the first value of an existing one.

    Args:
        manager: the client.
        name: the name of the secret.
        content: `SecretString` or `SecretBinary`.
        where: the secret's location, for messages.

    Returns:
        the id of the new version.

    Raises:
        ConflictError: the secret already has a value, or is scheduled for deletion.
        SourceError: the request failed.
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
    """Make `content` the version with AWSCURRENT or another label, if `expected` still has it.

    Args:
        manager: the client.
        secret_id: the name or ARN.
        content: `SecretString` or `SecretBinary`.
        where: the secret's location, for messages.
        expected: the version that has the label; None if no version may have it.
        label: a staging label to move instead of AWSCURRENT.
        version: a unique id for the new version; default: a random id.

    Returns:
        the id of the new version.

    Raises:
        ConflictError: another version has the label, which was not moved.
        SourceError: the request failed.
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
        if label not in put.get("VersionStages", ()):  # the first version of a secret is current
            make_current(manager, secret_id, where, version=version, expected=expected, label=label)
    finally:
        with contextlib.suppress(SourceError):  # a leftover label is harmless
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
    """Make an existing version current, if `expected` still is.

    Args:
        manager: the client.
        secret_id: the name or ARN.
        where: the secret's location, for messages.
        version: the version to make current.
        expected: the current version; None if no version may be current.
        label: a staging label to move instead of AWSCURRENT.

    Raises:
        ConflictError: another version is current; the label was not moved.
        SourceError: the request failed.
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
            return  # an earlier attempt succeeded but its response was lost
        if current == expected:
            raise
        raise changed_meanwhile(where) from None


def changed_meanwhile(where: str) -> ConflictError:
    """Return the error for a secret whose current version is not the expected one."""
    return ConflictError(
        f"cannot write {where}: it was changed after envkit read it",
        hint="check the change, then run the command again",
    )


def _current_version(
    manager: SecretsManager, secret_id: str, where: str, label: str = CURRENT
) -> str | None:
    """Return the id of the version that has the label; None if no version has it."""
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
    """Return a version id; AWS uses it to recognize a repeated attempt."""
    from uuid import uuid4

    return str(uuid4())
