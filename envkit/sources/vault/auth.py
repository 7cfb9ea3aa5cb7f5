"""Log in to Vault or OpenBao and renew the token as long as it is needed.

    auth = { method = "approle", role_id = "...", secret_id = "{{ env:VAULT_SECRET_ID }}" }

Without `auth`, the token comes from VAULT_TOKEN (or BAO_TOKEN), the token helper or
`~/.vault-token`, as for the Vault CLI. So does the token of a method that must ask a person, which
only `envkit login` does. A credential is never part of a message. The token of any other login is
stored only in memory.
"""

from __future__ import annotations

import os
import re
from math import ceil

from envkit._internal.clock import Deadline
from envkit._internal.files import read_capped
from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import odd_character
from envkit._internal.os_errors import reason_of
from envkit._internal.suggestions import did_you_mean
from envkit.errors import AuthError, InvalidSettingError, ProfileError
from envkit.sources.vault.address import environ_of, find_address, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import hvac

    from envkit.sources.model import SourceContext
    from envkit.sources.vault.client import VaultClient

KUBERNETES_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
MAX_BYTES = 1_048_576  # of a file with a token or JWT
MARGIN_SECONDS = 1.0  # leases are in whole seconds, and the response took time to arrive

_WRAPPING_TOKEN = re.compile(r"(hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9]+)?", re.ASCII)
_CONFIGS = (".vault", ".bao")

# method -> required keys, optional keys
_METHODS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "token": ((), ("token",)),
    "approle": (("role_id",), ("secret_id", "mount")),
    "userpass": ((), ("username", "password", "mount")),
    "ldap": ((), ("username", "password", "mount")),
    "jwt": ((), ("role", "jwt", "jwt_file", "mount")),
    "oidc": ((), ("role", "jwt", "jwt_file", "mount")),
    "kubernetes": (("role",), ("jwt_file", "mount")),
}


class Auth(NamedTuple):
    """A validated `auth` table: the method and its keys.

    Attributes:
        method: its name.
        values: its keys.
        lacks: what it needs and does not have, if that is already known.
    """

    method: str
    values: Mapping[str, str]
    lacks: str = ""

    def __repr__(self) -> str:
        return f"Auth({self.method})"

    @property
    def asks(self) -> bool:
        """Whether a person must log in: in the browser, or with a password."""
        if self.lacks:
            return False  # such as the password of a service
        if self.method in ("userpass", "ldap"):
            return "password" not in self.values
        return self.method == "oidc" and not self.values.keys() & {"jwt", "jwt_file"}

    @property
    def uses_token(self) -> bool:
        """Whether it uses a token that is already there."""
        return self.method == "token" or self.asks

    @property
    def mount(self) -> str:
        """The path of the auth method on the server."""
        return self.values.get("mount", self.method).strip("/")


class Lease(NamedTuple):
    """The lifetime of a token."""

    expiry: Deadline | None  # None: never expires; otherwise slightly before the server's time
    renewable: bool

    @property
    def expired(self) -> bool:
        """Whether the token has expired."""
        return self.expiry is not None and self.expiry.expired


def parse_auth(source: str, table: Mapping[str, object]) -> Auth:
    """Check one `auth` table of `[sources.SOURCE]`. Reads no file.

    Raises:
        ProfileError: the method or a key is unknown, or a key is missing or not text.
    """
    place = f"auth in [sources.{source}]"
    method = table.get("method", "token")
    if not isinstance(method, str) or method not in _METHODS:
        raise ProfileError(
            f"unknown method '{method}' of {place}", hint=did_you_mean(str(method), _METHODS)
        )
    needed, optional = _METHODS[method]
    values: dict[str, str] = {}
    for key, value in table.items():
        if key == "method":
            continue
        if key not in (*needed, *optional):
            raise ProfileError(
                f"unknown key '{key}' of {place} with the method '{method}'",
                hint=did_you_mean(key, (*needed, *optional)),
            )
        if not isinstance(value, str) or not value:
            raise ProfileError(f"'{key}' of {place} must be a non-empty string")
        values[key] = value
    missing = [key for key in needed if key not in values]
    given = len(values.keys() & {"jwt", "jwt_file"})
    if given > 1 or (method == "jwt" and not given):
        missing.append("either jwt or jwt_file")
    if "password" in values and "username" not in values:
        missing.append("username")
    if missing:
        raise ProfileError(f"{place} with the method '{method}' needs {' and '.join(missing)}")
    return Auth(method, values)


def log_in(client: VaultClient, auth: Auth, context: SourceContext) -> Lease | None:
    """Set the client's token.

    Returns:
        the lifetime of a new token; None for an existing token.

    Raises:
        AuthError: there are no credentials, or the server rejects them.
        SourceError: the request failed.
    """
    if auth.uses_token:
        client.set_token(_checked(*present_token(auth, context)))
        return None
    return accept(client, request_login(client, auth, context), context, auth)


def request_login(client: VaultClient, auth: Auth, context: SourceContext) -> Mapping[str, Any]:
    """Send the credentials of a method, and return what the server grants.

    Raises:
        AuthError: the server rejects them.
        SourceError: the request failed.
    """
    jwt = _jwt(auth, context) if auth.method in ("jwt", "oidc", "kubernetes") else ""
    wrapped = _WRAPPING_TOKEN.fullmatch(auth.values.get("secret_id", "")) is not None
    if wrapped:
        auth = _unwrapped(client, auth)
    answer = client.call(lambda hvac_client: _send(hvac_client, auth, jwt))
    if not answer.ok:
        from envkit.sources.vault.logins.refusal import login_refused

        raise login_refused(
            client, auth.method, auth.mount, auth.values, answer, jwt=jwt, wrapped=wrapped
        )
    return _object(client, answer.body, "auth")


def accept(
    client: VaultClient,
    granted: Mapping[str, Any],
    context: SourceContext,
    auth: Auth | None = None,
) -> Lease:
    """Set the token that a login has granted, after MFA if the server requires it.

    Args:
        client: that has sent the login.
        granted: by the server.
        context: of the source.
        auth: how it logged in, if it may use the token of the same login in this process.

    Raises:
        AuthError: the code is wrong, or there is no way to ask for it.
        ProtocolError: there is no valid token.
    """
    token = granted.get("client_token")
    if granted.get("mfa_requirement") and not token:
        from envkit.sources.vault.logins.mfa import validated

        login = auth and (auth.method, sorted(auth.values.items()))
        granted = validated(client, granted["mfa_requirement"], context, login)
        token = granted.get("client_token")
    if not isinstance(token, str) or not token:
        raise client.unexpected("no token")
    if odd_character(token):
        raise client.unexpected("a token that is not valid")
    client.set_token(token)
    return granted_lease(granted)


def look_up(client: VaultClient) -> Lease | None:
    """Return the lifetime of the client's token; None if the server does not reveal it.

    Raises:
        AuthError: the namespace does not exist.
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.auth.token.lookup_self())
    if answer.status == 404:
        raise AuthError(
            f"{client.server} cannot look up the token{client.in_namespace}: not found",
            hint=f"correct VAULT_NAMESPACE or {client.section} namespace",
        )
    if answer.denied:
        return None
    data = _object(client, answer.body, "data")
    if data.get("expire_time") is None:
        return Lease(None, renewable=False)
    return _lease(data.get("ttl"), data.get("renewable"))


def renew(client: VaultClient, lease: Lease, until: Deadline) -> Lease:
    """Return the lease of a token; renew it if it ends before a deadline and can be renewed.

    Raises:
        SourceError: the request failed; a token that cannot be renewed is not an error.
    """
    needed = until.remaining_seconds()
    lasts = lease.expiry is None or lease.expiry.remaining_seconds() > needed
    if lasts or not lease.renewable:
        return lease
    increment = f"{ceil(needed + MARGIN_SECONDS)}s"
    answer = client.call(lambda hvac_client: hvac_client.auth.token.renew_self(increment=increment))
    return granted_lease(_object(client, answer.body, "auth")) if answer.ok else lease


def renew_whole(client: VaultClient) -> Lease | None:
    """Renew the client's token for as long as the server grants; None if it refuses.

    Raises:
        SourceError: the server failed.
    """
    # an increment could shorten its life
    answer = client.call(lambda hvac_client: hvac_client.auth.token.renew_self())
    return granted_lease(_object(client, answer.body, "auth")) if answer.ok else None


def _send(client: hvac.Client, auth: Auth, jwt: str) -> Any:
    values, mount = auth.values, auth.mount
    if auth.method == "approle":
        return client.auth.approle.login(
            values["role_id"], values.get("secret_id"), use_token=False, mount_point=mount
        )
    if auth.method in ("userpass", "ldap"):
        from urllib.parse import quote

        username = quote(values["username"], safe="")  # hvac inserts both into the URL unescaped
        method = client.auth.userpass if auth.method == "userpass" else client.auth.ldap
        return method.login(username, values["password"], use_token=False, mount_point=quote(mount))
    if auth.method == "kubernetes":
        return client.auth.kubernetes.login(values["role"], jwt, use_token=False, mount_point=mount)
    return client.auth.jwt.jwt_login(values.get("role"), jwt, use_token=False, path=mount)


def find_token(auth: Auth, context: SourceContext) -> tuple[str, str] | None:
    """Return an existing token and its origin, for messages; None if there is none.

    Raises:
        AuthError: the token cannot be read, or the token helper failed.
    """
    given = auth.values.get("token")
    if given:
        return given, f"[sources.{context.name}] auth.token"
    if token := environ_of(context, "TOKEN"):
        return token, place_of(context, "", "TOKEN")
    return stored_token(context)


def stored_token(context: SourceContext) -> tuple[str, str] | None:
    """Return the token that the Vault CLI has stored, and its place; None if there is none.

    Raises:
        AuthError: it cannot be read, or the token helper failed.
        InvalidSettingError: the path of the file or of the helper is not absolute.
    """
    for config in cli_configs(context):
        if os.path.isfile(config):
            from envkit.sources.vault.logins.token_helper import helped_token

            helped = helped_token(context, config, find_address(context).url)
            if helped is not None:
                return (helped, f"the token of the helper in '{config}'") if helped else None
    path = token_file(context)
    token = _read(path, "the token") if path and os.path.exists(path) else ""
    return (token, f"'{path}'") if token else None


def cli_configs(context: SourceContext) -> list[str]:
    """Return the files that may name a token helper."""
    home, own = context.environ.get("HOME"), environ_of(context, "CONFIG_PATH")
    return [own] if own else [os.path.join(home, name) for name in _CONFIGS] if home else []


def token_file(context: SourceContext) -> str:
    """Return the path of the file in which the Vault CLI stores the token; empty without HOME.

    Raises:
        InvalidSettingError: it is not absolute, so a repository could contain the file.
    """
    home = context.environ.get("HOME")
    own = environ_of(context, "TOKEN_PATH")
    if own and not os.path.isabs(own):
        place = place_of(context, "", "TOKEN_PATH")
        raise InvalidSettingError(
            f"{place} is not an absolute path, and envkit stores no token in the working folder",
            hint=f"write an absolute path in {place}",
        )
    return own or (os.path.join(home, ".vault-token") if home else "")


def present_token(auth: Auth, context: SourceContext) -> tuple[str, str]:
    """Return the token of a method that uses one, and its origin.

    Raises:
        AuthError: there is none.
    """
    found = find_token(auth, context)
    if found is not None:
        return found
    from envkit.sources.vault.logins.refusal import no_token

    raise no_token(context, by_person=auth.asks)


def _unwrapped(client: VaultClient, auth: Auth) -> Auth:
    from envkit.sources.vault.logins.wrapping import unwrapped

    secret_id = unwrapped(client, auth.values["secret_id"], auth.mount)
    if secret_id is None:  # it only looks like a wrapping token, or was used already
        return auth
    return Auth(auth.method, {**auth.values, "secret_id": secret_id})


def _jwt(auth: Auth, context: SourceContext) -> str:
    given = auth.values.get("jwt")
    if given is not None:
        return given
    path = auth.values.get("jwt_file", KUBERNETES_TOKEN_FILE)
    return _read(os.path.join(context.root, path), "the JWT", pipe_until=context.deadline)


def _read(path: str, what: str, *, pipe_until: Deadline | None = None) -> str:
    try:
        return read_capped(path, MAX_BYTES, pipe_until=pipe_until).decode(errors="replace").strip()
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        raise AuthError(
            f"cannot read {what} from '{path}': {reason}", hint=f"run: ls -l {path}"
        ) from None


def _checked(token: str, place: str) -> str:
    """Refuse characters that are invalid in a header; the error of requests would show them."""
    odd = odd_character(token)
    if not odd:
        return token
    raise AuthError(f"{place} is not a token: it contains {odd}", hint=f"remove {odd} from {place}")


def _object(client: VaultClient, body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = body.get(key)
    if isinstance(found, dict):
        return found
    raise client.unexpected(f"no '{key}'")


def granted_lease(granted: Mapping[str, Any]) -> Lease:
    """Return the lifetime that a server granted to a token or a secret."""
    seconds = granted.get("lease_duration")
    return _lease(seconds, granted.get("renewable")) if seconds else Lease(None, renewable=False)


def _lease(seconds: object, renewable: object) -> Lease:
    left = seconds - MARGIN_SECONDS if isinstance(seconds, int) else 0.0
    return Lease(Deadline(left), renewable is True)
