"""The address of a Vault or OpenBao server and the verification of its certificate.

A setting of `[sources.NAME]` takes precedence over the environment, and `VAULT_*` over `BAO_*`.
Guarantees: certificates are verified; no request is sent.
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import odd_character
from envkit.errors import AuthError, InvalidSettingError, SourceError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext

# `limits` reads these; it is imported only if one of them is set
_RARE = ("PROXY_ADDR", "HTTP_PROXY", "CLIENT_TIMEOUT", "MAX_RETRIES", "RATE_LIMIT")


_MAX_LABEL = 63  # the maximum length of a label in a host name; RFC 1035


class Address(NamedTuple):
    """How to connect to a server."""

    url: str
    origin: str  # `https://vault.example.com:8200`, safe to show
    namespace: str
    ca_cert: str | None  # a file or a folder; None for the public authorities
    client_cert: str | tuple[str, str] | None  # one file, or certificate and key
    ca_pem: str = ""  # PEM text used instead of `ca_cert`
    server_name: str = ""  # the name in the certificate; default: the host name
    proxy: str = ""  # may contain a password; default: HTTPS_PROXY and HTTP_PROXY
    timeout_seconds: float | None = None  # for one request
    attempts: int | None = None  # the maximum for one request
    per_second: float | None = None  # requests
    burst: int | None = None  # concurrent requests

    def __repr__(self) -> str:
        return f"Address({self.origin})"

    @property
    def needs_context(self) -> bool:
        """Whether requests cannot verify the certificate without a custom TLS context."""
        folder = self.ca_cert is not None and os.path.isdir(self.ca_cert)
        return folder or bool(self.ca_pem or self.server_name)


class Peer(NamedTuple):
    """A client's server, for messages."""

    server: str  # `vault at https://vault.example.com:8200`
    section: str  # `[sources.vault]`
    origin: str
    proxy: str  # the variables that configure it


def server_of(context: SourceContext) -> tuple[str, str] | None:
    """Return the URL and the namespace of a source; None without a valid address."""
    try:
        address = find_address(context)
    except SourceError:
        return None
    return address.url, address.namespace


def find_address(context: SourceContext) -> Address:
    """Return the server from a source's settings or the environment.

    Raises:
        AuthError: there is no address, or certificate verification is disabled.
        InvalidSettingError: the address is not a URL, or another setting is not valid.
        UnavailableError: a certificate file does not exist.
    """
    if environ_of(context, "SKIP_VERIFY").lower() not in ("", "0", "f", "false"):
        raise AuthError(
            f"{_variable(context, 'SKIP_VERIFY')} is set, but envkit always verifies certificates",
            hint=f"unset {_variable(context, 'SKIP_VERIFY')}, and set VAULT_CACERT to the file of "
            "the CA's certificate",
        )
    url = _setting(context, "address", "ADDR").rstrip("/")
    origin = origin_of(url)
    if origin is None:
        raise _no_address(context, url)
    _refuse_more_than_a_server(context, url)
    ca_cert, ca_pem = _authority(context)
    certificate = _file(context, "client_cert", "CLIENT_CERT")
    key = _file(context, "client_key", "CLIENT_KEY")
    address = Address(
        url,
        origin,
        namespace=_setting(context, "namespace", "NAMESPACE").strip("/"),
        ca_cert=ca_cert,
        client_cert=(certificate, key) if certificate and key else certificate,
        ca_pem=ca_pem,
        server_name=_setting(context, "", "TLS_SERVER_NAME"),
    )
    rare = [name for name in _RARE if environ_of(context, name)]
    if not rare:
        return address
    from envkit.sources.vault.limits import Given, limits

    given = {name: Given(_variable(context, name), environ_of(context, name)) for name in rare}
    return address._replace(**limits(given)._asdict())


def origin_of(url: str) -> str | None:
    """Return the `scheme://host:port` of a URL that is safe to show and use; None for others."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    if not (host.isascii() and host.isprintable()):
        return None
    if not all(0 < len(label) <= _MAX_LABEL for label in host.removesuffix(".").split(".")):
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def environ_of(context: SourceContext, name: str) -> str:
    """Return `VAULT_<name>` from the environment, or else `BAO_<name>`; empty if neither is set."""
    return context.environ.get(_variable(context, name)) or ""


def place_of(context: SourceContext, key: str, name: str) -> str:
    """Return the origin of a setting, for messages: `VAULT_ADDR`, `[sources.vault] address`."""
    if context.settings.get(key):
        return f"[sources.{context.name}] {key}"
    return _variable(context, name)


def _variable(context: SourceContext, name: str) -> str:
    of_bao = not context.environ.get(f"VAULT_{name}") and context.environ.get(f"BAO_{name}")
    return f"{'BAO' if of_bao else 'VAULT'}_{name}"


def _setting(context: SourceContext, key: str, name: str) -> str:
    text = str(context.settings.get(key) or "") or environ_of(context, name)
    if odd := odd_character(text):
        place = place_of(context, key, name)
        raise InvalidSettingError(f"{place} contains {odd}", hint=f"remove {odd} from {place}")
    return text


def _refuse_more_than_a_server(context: SourceContext, url: str) -> None:
    """Refuse the address of a page or of the API: envkit appends the request's path to it."""
    from urllib.parse import urlsplit

    path = urlsplit(url).path.strip("/").split("/")
    if "?" in url or "#" in url or path[0] == "ui" or path[-1] == "v1":
        place = place_of(context, "address", "ADDR")
        raise InvalidSettingError(
            f"the address of '{context.name}' has a path after the server: {place}",
            hint=f"write {place} without '/v1', '/ui', '?' and '#', and what follows them",
        )


def _no_address(context: SourceContext, url: str) -> AuthError | InvalidSettingError:
    message = f"the address of '{context.name}' "
    hint = f"set VAULT_ADDR or [sources.{context.name}] address to 'https://HOST:8200'"
    if url:
        place = place_of(context, "address", "ADDR")
        return InvalidSettingError(f"{message}is not the URL of a server: {place}", hint=hint)
    if environ_of(context, "AGENT_ADDR"):
        agent = _variable(context, "AGENT_ADDR")
        hint = f"set VAULT_ADDR to the address in {agent}, which envkit does not use"
    return AuthError(f"{message}is not known", hint=hint)


def _authority(context: SourceContext) -> tuple[str | None, str]:
    """Return the file or folder of authorities, or their text; precedence as in the Vault CLI."""
    if found := _file(context, "ca_cert", "CACERT"):
        return found, ""
    if text := environ_of(context, "CACERT_BYTES"):
        return None, text
    return _file(context, "", "CAPATH"), ""


def _file(context: SourceContext, key: str, name: str) -> str | None:
    """Return the path of an existing file; a path in the settings is relative to the project."""
    given = str(context.settings.get(key) or "")
    path = os.path.join(context.root, given) if given else environ_of(context, name)
    if not path:
        return None
    place = place_of(context, key, name)
    if "\0" in path:
        raise InvalidSettingError(
            f"{place} contains a NUL", hint=f"remove the NUL character from {place}"
        )
    if os.path.exists(path):
        return path
    error = UnavailableError(
        f"cannot verify '{context.name}': there is no file '{path}'",
        hint=f"correct {place}",
    )
    error.retryable = False
    raise error
