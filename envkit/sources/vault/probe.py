"""Facts for `envkit doctor`: the version of a Vault or OpenBao server, and our token.

Reference: https://openbao.org/api-docs/auth/token/#lookup-a-token-self
"""

from __future__ import annotations

from envkit.errors import UnavailableError
from envkit.sources.vault.auth import rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.sources.vault.client import VaultClient


def server(client: VaultClient) -> str:
    """Return where the server is, and its version; needs no login.

    Raises:
        UnavailableError: it is sealed.
        SourceError: it failed.
    """
    status = client.call(lambda hvac_client: hvac_client.adapter.get("/v1/sys/seal-status")).body
    if status.get("sealed") is True:
        raise UnavailableError(
            f"{client.server} is sealed", hint="unseal the server: run 'vault operator unseal'"
        )
    return f"{client.server}, version {status.get('version', 'unknown')}"


def login(client: VaultClient) -> str:
    """Return whom the server takes us for, the policies, and the time that is left.

    Raises:
        AuthError: it does not accept the token.
        SourceError: it failed.
    """
    token = client.call(lambda hvac_client: hvac_client.auth.token.lookup_self())
    if token.ok:
        return _login(token.body.get("data") or {})
    # a token without the `default` policy may not ask about itself; any valid one may ask this
    mounts = client.call(lambda hvac_client: hvac_client.adapter.get("/v1/sys/internal/ui/mounts"))
    if not mounts.ok:
        raise rejected(client)
    return "logged in, with a token that may not look itself up"


def _login(token: Mapping[str, Any]) -> str:
    policies = ", ".join([*(token.get("policies") or ()), *(token.get("identity_policies") or ())])
    text = f"logged in as {token.get('display_name')}, policies {policies or 'none'}"
    if isinstance(uses := token.get("num_uses"), int) and uses > 0:
        text += f", {uses} uses left"
    seconds = token.get("ttl")
    if not isinstance(seconds, int) or token.get("expire_time") is None:
        return f"{text}, for ever"
    return f"{text}, for {_duration(seconds)}"


def _duration(seconds: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
