"""The versions of a secret, by their staging labels.

Reference: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
"""

from __future__ import annotations

from datetime import datetime

from envkit.sources.aws.errors import NOT_FOUND, RefusedError
from envkit.sources.aws.write import CURRENT, ROTATION_PREFIX, STAGED
from envkit.sources.model import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.sources.aws.client import SecretsManager

_STATES = {CURRENT: "current", "AWSPREVIOUS": "previous"}
_NEVER_CURRENT = {"AWSPENDING", STAGED}  # versions of a rotation or write in progress


def versions(manager: SecretsManager, secret_id: str, where: str) -> list[Version]:
    """Return the versions of a secret: the current one, the previous one, then the rest by age.

    Args:
        manager: the client.
        secret_id: the name or ARN.
        where: the secret's location, for messages.

    Returns:
        the versions; empty if the secret does not exist.

    Raises:
        SourceError: the request failed.
    """
    try:
        entries = list(_entries(manager, secret_id, f"cannot read the versions of {where}"))
    except RefusedError as error:
        if error.aws_code == NOT_FOUND:
            return []
        raise
    found = [
        version
        for entry in entries
        if (version := _version(entry, set(entry.get("VersionStages", ())))) is not None
    ]
    order = {state: rank for rank, state in enumerate(_STATES.values())}
    found.sort(key=lambda one: (order.get(one.state, len(order)), -(one.created or 0)))
    return found


def _entries(manager: SecretsManager, secret_id: str, doing: str) -> Iterator[Mapping[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = manager.call(
            "list_secret_version_ids", doing, SecretId=secret_id, IncludeDeprecated=True, **token
        )
        yield from page.get("Versions", ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _version(entry: Mapping[str, Any], labels: set[str]) -> Version | None:
    version = str(entry.get("VersionId"))
    state = next((state for label, state in _STATES.items() if label in labels), "older")
    if version.startswith(ROTATION_PREFIX) or (state == "older" and labels & _NEVER_CURRENT):
        return None
    created = entry.get("CreatedDate")
    seconds = created.timestamp() if isinstance(created, datetime) else None
    return Version(version, seconds, None, state)
