"""Unwrap a secret_id that is given as a response-wrapping token.

Imported only if a secret_id looks like a token. Guarantees: the token is used only if it was
created for a secret_id of this auth method, which the server reveals without using it; it is
unwrapped only once per process.

Reference: https://openbao.org/docs/concepts/response-wrapping/#response-wrapping-token-validation
"""

from __future__ import annotations

import re
from hashlib import sha256

from envkit._internal.parallel import ForkSafeLock
from envkit.errors import AuthError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.vault.client import VaultClient

_lock = ForkSafeLock()
_unwrapped: dict[bytes, str] = {}  # by the hash of the token
_LIMIT = 32


def unwrapped(client: VaultClient, token: str, mount: str) -> str | None:
    """Return the secret_id that a token wraps; None if the server does not know the token.

    Args:
        client: a client for the server; its own token is not used.
        token: the text given as secret_id.
        mount: the mount of the auth method.

    Raises:
        AuthError: it wraps something else, or another process has used it in the meantime.
        SourceError: the request failed.
    """
    key = sha256(token.encode()).digest()
    with _lock:
        if key not in _unwrapped:
            secret_id = _unwrap(client, token, mount)
            if secret_id is None:
                return None
            while len(_unwrapped) >= _LIMIT:
                del _unwrapped[next(iter(_unwrapped))]
            _unwrapped[key] = secret_id
        return _unwrapped[key]


def _unwrap(client: VaultClient, token: str, mount: str) -> str | None:
    url = "/v1/sys/wrapping/lookup"
    about = client.call(lambda hvac_client: hvac_client.adapter.post(url, json={"token": token}))
    data = about.body.get("data")
    if not about.ok or not isinstance(data, dict):
        return None
    path = str(data.get("creation_path"))
    made_for = rf"(.*/)?auth/{re.escape(mount)}/role/[^/]+/(custom-)?secret-id"
    if not re.fullmatch(made_for, path):
        raise AuthError(
            f"the secret_id of {client.section} is a wrapping token, but not for a secret_id "
            f"of auth/{mount}",
            hint=f"run: vault write -wrap-ttl=60s -f auth/{mount}/role/ROLE/secret-id",
        )
    before = client.token
    client.set_token(token)
    try:
        answer = client.call(
            lambda hvac_client: hvac_client.adapter.post("/v1/sys/wrapping/unwrap")
        )
    finally:
        client.set_token(before)
    data = answer.body.get("data")
    secret_id = data.get("secret_id") if answer.ok and isinstance(data, dict) else None
    if not isinstance(secret_id, str) or not secret_id:
        raise AuthError(
            f"the wrapped secret_id of {client.section} cannot be unwrapped: its token was used "
            "a moment ago",
            hint="find out who used it, and create a new one with 'vault write -wrap-ttl=60s'",
        )
    return secret_id
