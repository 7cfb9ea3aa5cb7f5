"""The versions of a KV version 2 secret, from its metadata.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/#read-secret-metadata
"""

from __future__ import annotations

import time
from datetime import datetime

from envkit.errors import DeniedError, NoVersionError
from envkit.sources.model import Version
from envkit.sources.vault.kv import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target


def versions(client: VaultClient, wanted: Target) -> list[Version]:
    """Return the versions of a secret, newest first; empty if the secret does not exist.

    Raises:
        DeniedError: the token may not read the metadata.
        NoVersionError: the engine does not store versions.
        SourceError: the request failed.
    """
    mount, path = wanted.engine.mount, wanted.path
    if wanted.engine.version == 1:
        raise NoVersionError(
            f"{wanted.locate()}: KV version 1 does not store versions",
            hint=f"run: vault kv enable-versioning {mount}",
        )
    answer = client.call(
        lambda hvac_client: hvac_client.secrets.kv.v2.read_secret_metadata(path, mount_point=mount)
    )
    if answer.denied:
        raise DeniedError(
            f"cannot read the versions of {wanted.locate()}: permission denied",
            hint=f"allow 'read' on '{mount}/metadata/{path}' in the token's policy",
        )
    if answer.status == 404:
        absent(client, wanted, answer)  # raises unless an engine said so
        return []
    data = answer.body.get("data")
    if not answer.ok or not isinstance(data, dict) or not isinstance(data.get("versions"), dict):
        raise client.unexpected(f"status {answer.status} for the versions of {wanted.locate()}")
    current = int(data.get("current_version") or 0)
    numbers = sorted(map(int, data["versions"]), reverse=True)
    return [_version(number, data["versions"][str(number)], current) for number in numbers]


def _version(number: int, metadata: Mapping[str, Any], current: int) -> Version:
    state = {current: "current", current - 1: "previous"}.get(number, "older")
    deleted = _moment(metadata.get("deletion_time"))
    if metadata.get("destroyed"):
        state = "destroyed"
    elif deleted is not None and deleted <= time.time():  # a future time means a scheduled deletion
        state = "deleted"
    author = metadata.get("created_by")  # only in recent versions of Vault
    actor = author.get("actor") if isinstance(author, dict) else None
    return Version(str(number), _moment(metadata.get("created_time")), actor, state)


def _moment(text: object) -> float | None:
    """Return a time such as `2018-03-22T02:24:06.945319214Z` in seconds since the epoch."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
