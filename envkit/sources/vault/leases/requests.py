"""Ask Vault or OpenBao for a dynamic secret, and renew or revoke its lease.

A renewal never names an increment, which could shorten the lease.

Reference: https://openbao.org/api-docs/system/leases/
"""

from __future__ import annotations

from urllib.parse import quote

from envkit.errors import DeniedError, InvalidReferenceError
from envkit.sources.vault.auth import granted_lease
from envkit.sources.vault.kv import denied
from envkit.sources.vault.leases.lease import Held, granted
from envkit.sources.vault.life import any_spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.vault.auth import Lease
    from envkit.sources.vault.client import Answer, VaultClient
    from envkit.sources.vault.kv import Target


def read(client: VaultClient, wanted: Target) -> Held:
    """Read a dynamic secret, which creates a login.

    Raises:
        DeniedError: the token may not read it.
        InvalidReferenceError: the engine has no such path, or gives no lease for it.
        SourceError: the request failed.
    """
    from envkit._internal.json_text import dumps

    url = f"/v1/{quote(f'{wanted.engine.mount}/{wanted.path}')}"
    answer = client.call(lambda hvac_client: hvac_client.adapter.get(url))
    if answer.denied:
        raise denied(wanted, "read")
    if answer.status in (400, 404):
        raise InvalidReferenceError(
            f"cannot read {wanted.locate()}: the '{wanted.engine.type}' engine at "
            f"'{wanted.engine.mount}' has no such role or path",
            hint=f"correct the path; 'vault list {wanted.engine.mount}/roles' shows the roles",
        )
    data, lease_id = answer.body.get("data"), answer.body.get("lease_id")
    if not answer.ok or not isinstance(data, dict):
        raise client.unexpected(f"status {answer.status} for {wanted.locate()}")
    if not isinstance(lease_id, str) or not lease_id:
        raise InvalidReferenceError(
            f"cannot use {wanted.locate()}: the '{wanted.engine.type}' engine gives it no lease",
            hint="name a path with a lease, such as database/creds/ROLE",
        )
    return granted(wanted, lease_id, dumps(data), granted_lease(answer.body), any_spread())


def renew(client: VaultClient, held: Held) -> Lease | None:
    """Renew a lease; return what the server granted, or None if there is no more to grant.

    Raises:
        DeniedError: the token may not renew leases, or has ended.
        SourceError: the request failed.
    """
    answer = _leases(client, "renew", held.lease_id)
    # without a duration, it is about to end
    return granted_lease(answer.body) if answer.ok and answer.body.get("lease_duration") else None


def lives(client: VaultClient, held: Held) -> bool:
    """Return whether a lease still exists.

    Raises:
        DeniedError: the token may not ask, or has ended.
        SourceError: the request failed.
    """
    return _leases(client, "lookup", held.lease_id).status != 400


def revoke(lease_id: str, client: VaultClient) -> bool:
    """Revoke one lease; return whether the server did it, or no longer has it.

    The form with the lease in the URL can be allowed for a prefix in a policy.

    Raises:
        SourceError: the request failed.
    """
    url = f"/v1/sys/leases/revoke/{quote(lease_id)}"
    answer = client.call(lambda hvac_client: hvac_client.adapter.put(url))
    return answer.ok or answer.status in (400, 404)


def revoke_token(client: VaultClient) -> bool:
    """Revoke the client's token, and with it its leases; return whether the server did it.

    Raises:
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.auth.token.revoke_self())
    return answer.ok


def revoke_accessor(accessor: str, client: VaultClient) -> bool:
    """Revoke the token of an accessor; return whether the server did it, or has no such token.

    Raises:
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.auth.token.revoke_accessor(accessor))
    return answer.ok or answer.status in (400, 404)


def accessor_of(client: VaultClient) -> str:
    """Return the accessor of the client's token; empty if the server does not reveal it.

    Raises:
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.auth.token.lookup_self())
    data = answer.body.get("data")
    accessor = data.get("accessor") if answer.ok and isinstance(data, dict) else None
    return accessor if isinstance(accessor, str) else ""


def _leases(client: VaultClient, what: str, lease_id: str) -> Answer:
    url = f"/v1/sys/leases/{what}"
    answer = client.call(
        lambda hvac_client: hvac_client.adapter.put(url, json={"lease_id": lease_id})
    )
    if answer.denied:
        raise DeniedError(
            f"cannot {what} a lease at {client.server}: permission denied",
            hint=f"allow 'update' on 'sys/leases/{what}' in the token's policy",
        )
    return answer
