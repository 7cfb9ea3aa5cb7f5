"""Report a Vault or OpenBao server and the token in use, mainly for `envkit doctor`.

Reference: https://openbao.org/api-docs/auth/token/#lookup-a-token-self
"""

from __future__ import annotations

from envkit.errors import UnavailableError
from envkit.sources.model import LoginWarning
from envkit.sources.vault.address import environ_of, place_of
from envkit.sources.vault.kv import find_engine
from envkit.sources.vault.logins.refusal import rejected, token_rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from envkit.errors import AuthError
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.auth import Auth
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Engine, Target


# variables that envkit does not support, each with an alternative
_UNUSED = {
    "AGENT_ADDR": "set VAULT_ADDR to the agent's address",
    "SRV_LOOKUP": "set VAULT_ADDR to a host and port",
    "WRAP_TTL": "unset it, since envkit does not unwrap answers",
    "MFA": "set ENVKIT_MFA_CODE, or run 'envkit login'",
}


def unused(context: SourceContext) -> list[str]:
    """Return a warning for each variable that the Vault CLI supports and envkit does not."""
    return [
        f"{place_of(context, '', name)} is set, but envkit does not use it: {instead}"
        for name, instead in _UNUSED.items()
        if environ_of(context, name)
    ]


def not_revoked(source: str, engines: Iterable[Engine]) -> list[str]:
    """Return a warning if there are dynamic secrets, for a token that envkit did not obtain."""
    mounts = ", ".join(f"'{engine.mount}'" for engine in engines if engine.is_dynamic)
    if not mounts:
        return []
    end = f"dynamic secrets of {mounts} are not revoked when an app ends, but when their lease ends"
    return [f"{end}: envkit revokes only a token that it obtains, with auth in [sources.{source}]"]


def server(client: VaultClient) -> str:
    """Return the address and version of the server; needs no login.

    Raises:
        UnavailableError: the server is sealed.
        SourceError: the request failed.
    """
    status = client.call(lambda hvac_client: hvac_client.adapter.get("/v1/sys/seal-status")).body
    if status.get("sealed") is True:
        raise UnavailableError(f"{client.server} is sealed", hint="run: vault operator unseal")
    return f"{client.server}, version {status.get('version', 'unknown')}"


def login(client: VaultClient, context: SourceContext, auths: Iterable[Auth]) -> str:
    """Return the identity of the token, its policies and its remaining lifetime.

    Args:
        client: that has the token.
        context: of the source.
        auths: the methods of the source, for the hint of an error.

    Raises:
        AuthError: the server rejects the token.
        SourceError: the request failed.
    """
    token = client.call(lambda hvac_client: hvac_client.auth.token.lookup_self())
    if token.ok:
        return _login(token.body.get("data") or {})
    if not sees_mounts(client):
        raise token_rejected(client, context, auths)
    return "logged in, with a token that may not look itself up"


def sees_mounts(client: VaultClient) -> bool:
    """Return whether a token is valid, even if it may not look itself up.

    Without the `default` policy, it may not; but any valid token may list mounts.

    Raises:
        SourceError: the request failed.
    """
    return client.call(lambda hvac: hvac.adapter.get("/v1/sys/internal/ui/mounts")).ok


def refuse_expired(client: VaultClient, denied: Target) -> None:
    """Raise if a token no longer has access to a mount that it saw before.

    Raises:
        AuthError: it has no access, so the token is no longer valid.
        SourceError: the request failed.
    """
    engine = denied.engine
    if engine.version is not None:
        found = find_engine(client, f"{engine.mount}/{denied.path}", mount=engine.mount)
        if found.version is None:
            raise rejected(client)


def ending(source: str, seconds: float, reason: AuthError | None) -> LoginWarning:
    """Return the warning about a token that will end, when there will be no other.

    Args:
        source: the name of the source.
        seconds: that are left.
        reason: why the login failed; None if there is only this token.
    """
    text = f"the token of '{source}' expires in {_duration(int(seconds))}"
    if reason is None:
        return LoginWarning(
            f"{text}, and cannot be renewed",
            f"run 'vault login' if the token is in ~/.vault-token; to avoid this, let envkit log "
            f"in by itself with auth in [sources.{source}]",
        )
    return LoginWarning(
        f"{text}, and envkit cannot log in again: {reason.message}",
        f"use a login that can be repeated for auth in [sources.{source}], such as a secret_id "
        "of unlimited uses",
    )


def _login(token: Mapping[str, Any]) -> str:
    policies = ", ".join([*(token.get("policies") or ()), *(token.get("identity_policies") or ())])
    text = f"logged in as {token.get('display_name')}, policies {policies or 'none'}"
    if isinstance(uses := token.get("num_uses"), int) and uses > 0:
        text += f", {uses} uses left"
    seconds = token.get("ttl")
    if not isinstance(seconds, int) or token.get("expire_time") is None:
        return f"{text}, never expires"
    return f"{text}, for {_duration(seconds)}"


def _duration(seconds: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
