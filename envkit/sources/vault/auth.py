"""Log in to Vault or OpenBao and renew the token as long as it is needed.

    auth = { method = "approle", role_id = "...", secret_id = "{{ env:VAULT_SECRET_ID }}" }

Without `auth`, the token comes from VAULT_TOKEN (or BAO_TOKEN), the token helper or
`~/.vault-token`, as for the Vault CLI. A credential is never part of a message. The token of a
login is stored only in memory.
"""

from __future__ import annotations

import os
import re
from math import ceil
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.names import odd_character
from envkit._internal.os_errors import reason_of
from envkit._internal.suggestions import did_you_mean
from envkit.errors import AuthError, ProfileError
from envkit.sources.vault.address import environ_of, find_address, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    import hvac

    from envkit.sources.model import SourceContext
    from envkit.sources.vault.client import Answer, VaultClient

KUBERNETES_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
MARGIN_SECONDS = 1.0  # leases are in whole seconds, and the response took time to arrive

REASON_LENGTH = 200  # of a server's reason; longer texts are not a sentence
_WINDOW = 6  # characters of a credential that a shown reason may not contain
# not credentials, so a shown reason may contain them
_PUBLIC = frozenset(("role", "mount", "username", "jwt_file"))
_WRAPPING_TOKEN = re.compile(r"(hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9]+)?", re.ASCII)
_CONFIGS = (".vault", ".bao")

# method -> required keys, optional keys
_METHODS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "token": ((), ("token",)),
    "approle": (("role_id",), ("secret_id", "mount")),
    "userpass": (("username", "password"), ("mount",)),
    "jwt": ((), ("role", "jwt", "jwt_file", "mount")),
    "oidc": ((), ("role", "jwt", "jwt_file", "mount")),
    "kubernetes": (("role",), ("jwt_file", "mount")),
}


class Auth(NamedTuple):
    """A validated `auth` table: the method and its keys."""

    method: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Auth({self.method})"


class Lease(NamedTuple):
    """The lifetime of a token."""

    expiry: Deadline | None  # None: never expires; otherwise slightly before the server's time
    renewable: bool

    @property
    def expired(self) -> bool:
        """Whether the token has expired."""
        return self.expiry is not None and self.expiry.expired


def parse_auth(source: str, table: Mapping[str, object]) -> Auth:
    """Check the `auth` table of `[sources.SOURCE]`. Reads no file.

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
    if method in ("jwt", "oidc") and ("jwt" in values) == ("jwt_file" in values):
        missing.append("either jwt or jwt_file")
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
    if auth.method == "token":
        client.set_token(_checked(*_present_token(auth, context)))
        return None
    mount = auth.values.get("mount", auth.method).strip("/")
    jwt = "" if auth.method in ("approle", "userpass") else _jwt(auth, context)
    wrapped = _WRAPPING_TOKEN.fullmatch(auth.values.get("secret_id", "")) is not None
    if wrapped:
        auth = _unwrapped(client, auth, mount)
    answer = client.call(lambda hvac_client: _send(hvac_client, auth, mount, jwt))
    if answer.status == 404:
        raise AuthError(
            f"{client.server} has no auth method at '{mount}'{_in_namespace(client)}",
            hint=f"correct 'mount' of auth, or the namespace, in {client.section}",
        )
    if not answer.ok:
        raise _login_refused(client, auth, jwt, answer, wrapped=wrapped)
    granted = _object(client, answer.body, "auth")
    token = granted.get("client_token")
    if granted.get("mfa_requirement") and not token:
        raise AuthError(
            f"{client.server} asks for a second factor",
            hint="run 'vault login' and use its token, or a method without a second factor",
        )
    if not isinstance(token, str) or not token:
        raise client.unexpected("no token")
    if odd_character(token):
        raise client.unexpected("a token that is not valid")
    client.set_token(token)
    return _granted_lease(granted)


def login_key(auth: Auth, context: SourceContext, token: str = "") -> bytes:
    """Return a key that is unique for each login and contains no credential. Sends no request.

    Args:
        auth: how to log in.
        context: of the source.
        token: the one in use, if `auth` is a token; default: the one that is there now.

    Raises:
        AuthError: there are no credentials.
    """
    from hashlib import sha256

    if auth.method != "token":
        token = ""
    elif not token:
        token = _present_token(auth, context)[0]
    return sha256(repr((auth.method, sorted(auth.values.items()), token)).encode()).digest()


def look_up(client: VaultClient) -> Lease | None:
    """Return the lifetime of the client's token; None if the server does not reveal it.

    Raises:
        AuthError: the namespace does not exist.
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.auth.token.lookup_self())
    if answer.status == 404:
        raise AuthError(
            f"{client.server} cannot look up the token{_in_namespace(client)}: not found",
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
    return _granted_lease(_object(client, answer.body, "auth")) if answer.ok else lease


def renew_whole(client: VaultClient) -> Lease | None:
    """Renew the client's token for as long as the server grants; None if it refuses.

    Raises:
        SourceError: the server failed.
    """
    # an increment could shorten its life
    answer = client.call(lambda hvac_client: hvac_client.auth.token.renew_self())
    return _granted_lease(_object(client, answer.body, "auth")) if answer.ok else None


def rejected(client: VaultClient) -> AuthError:
    """Return the error for a token that the server rejects."""
    return AuthError(
        f"{client.server} does not accept the token: it has expired, was revoked, or is "
        "not a token",
        hint="run 'vault login', or set VAULT_TOKEN to a valid token",
    )


def _send(client: hvac.Client, auth: Auth, mount: str, jwt: str) -> Any:
    values = auth.values
    if auth.method == "approle":
        return client.auth.approle.login(
            values["role_id"], values.get("secret_id"), use_token=False, mount_point=mount
        )
    if auth.method == "userpass":
        from urllib.parse import quote

        username = quote(values["username"], safe="")  # hvac inserts both into the URL unescaped
        return client.auth.userpass.login(
            username, values["password"], use_token=False, mount_point=quote(mount)
        )
    if auth.method == "kubernetes":
        return client.auth.kubernetes.login(values["role"], jwt, use_token=False, mount_point=mount)
    return client.auth.jwt.jwt_login(values.get("role"), jwt, use_token=False, path=mount)


def _present_token(auth: Auth, context: SourceContext) -> tuple[str, str]:
    """Return an existing token and its origin, for messages."""
    given = auth.values.get("token")
    if given:
        return given, f"[sources.{context.name}] auth.token"
    if token := environ_of(context, "TOKEN"):
        return token, place_of(context, "", "TOKEN")
    home = context.environ.get("HOME")
    own = environ_of(context, "CONFIG_PATH")
    configs = [own] if own else [os.path.join(home, name) for name in _CONFIGS] if home else []
    for config in configs:
        if os.path.isfile(config):
            from envkit.sources.vault.token_helper import helped_token

            helped = helped_token(context, config, find_address(context).url)
            if helped:
                return helped, f"the token of the helper in '{config}'"
            if helped is not None:
                raise _no_token(context)
    path = environ_of(context, "TOKEN_PATH") or (os.path.join(home, ".vault-token") if home else "")
    if path and os.path.exists(path):
        token = _read(path, "the token")
    if not token:
        raise _no_token(context)
    return token, f"'{path}'"


def _no_token(context: SourceContext) -> AuthError:
    return AuthError(f"no token for '{context.name}'", hint="run 'vault login', or set VAULT_TOKEN")


def _unwrapped(client: VaultClient, auth: Auth, mount: str) -> Auth:
    from envkit.sources.vault.wrapping import unwrapped

    secret_id = unwrapped(client, auth.values["secret_id"], mount)
    if secret_id is None:  # it only looks like a wrapping token, or was used already
        return auth
    return Auth(auth.method, {**auth.values, "secret_id": secret_id})


def _login_refused(
    client: VaultClient, auth: Auth, jwt: str, answer: Answer, *, wrapped: bool
) -> AuthError:
    message = f"{client.server} does not accept the {auth.method} login ({answer.status})"
    keys = sorted(auth.values)
    hint = f"check {', '.join(keys)} of auth in {client.section}"
    credentials = [jwt, *(value for key, value in auth.values.items() if key not in _PUBLIC)]
    if reason := _reason(answer, credentials):
        message += f": {reason}"
    for key in keys:
        odd = odd_character(auth.values[key])
        if odd and key not in ("password", "jwt_file"):
            message += f"; {key} contains {odd}"
            hint = f"remove {odd} from {key} of auth in {client.section}"
            break
    else:
        if wrapped:
            hint += (
                "; secret_id looks like a wrapping token: one that was used or has expired unwraps "
            )
            hint += "nothing"
    return AuthError(message, hint=hint)


def _reason(answer: Answer, credentials: Iterable[str]) -> str:
    """Return the server's reason for a refusal; empty if it may contain a credential."""
    errors = answer.body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, str):
        return ""
    text = " ".join(first.split()).rstrip(".")
    if not text.isprintable() or len(text) > REASON_LENGTH:
        return ""
    for credential in filter(None, credentials):
        size = min(_WINDOW, len(credential))
        parts = {credential[at : at + size] for at in range(len(credential) - size + 1)}
        if any(text[at : at + size] in parts for at in range(len(text) - size + 1)):
            return ""
    return text


def _jwt(auth: Auth, context: SourceContext) -> str:
    given = auth.values.get("jwt")
    if given is not None:
        return given
    path = auth.values.get("jwt_file", KUBERNETES_TOKEN_FILE)
    return _read(os.path.join(context.root, path), "the JWT")


def _read(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
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


def _granted_lease(granted: Mapping[str, Any]) -> Lease:
    seconds = granted.get("lease_duration")
    return _lease(seconds, granted.get("renewable")) if seconds else Lease(None, renewable=False)


def _lease(seconds: object, renewable: object) -> Lease:
    left = seconds - MARGIN_SECONDS if isinstance(seconds, int) else 0.0
    return Lease(Deadline(left), renewable is True)


def _in_namespace(client: VaultClient) -> str:
    return f" in namespace '{client.namespace}'" if client.namespace else ""
