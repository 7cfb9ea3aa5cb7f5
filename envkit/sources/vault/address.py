"""The address of a Vault or OpenBao server, and how its certificate is verified.

A setting of `[sources.NAME]` wins over the environment, and `VAULT_*` over `BAO_*`.
What always holds: certificates are verified; no request is sent.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit.errors import AuthError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext


class Address(NamedTuple):
    """What it takes to reach a server."""

    url: str
    origin: str  # `https://vault.example.com:8200`, fit to be shown
    namespace: str
    ca_cert: str | None  # a file or a folder; None for the public authorities
    client_cert: str | tuple[str, str] | None  # one file, or certificate and key


def find_address(context: SourceContext) -> Address:
    """Return the server that a source's settings name, else the environment.

    Raises:
        AuthError: no address, one that is no URL, or a wish not to verify certificates.
        UnavailableError: a file of certificates is not there.
    """
    if environ_of(context, "SKIP_VERIFY").lower() not in ("", "0", "f", "false"):
        raise AuthError(
            "VAULT_SKIP_VERIFY is set, and envkit always verifies certificates",
            hint="unset VAULT_SKIP_VERIFY, and set VAULT_CACERT to the file of the CA's "
            "certificate",
        )
    url = _setting(context, "address", "ADDR").rstrip("/")
    origin = origin_of(url)
    if origin is None:
        what = "is not the URL of a server" if url else "is not known"
        raise AuthError(
            f"the address of '{context.name}' {what}",
            hint=f"set VAULT_ADDR or [sources.{context.name}] address to 'https://HOST:8200'",
        )
    authority = _file(context, "ca_cert", "CACERT") or _file(context, "ca_cert", "CAPATH")
    certificate = _file(context, "client_cert", "CLIENT_CERT")
    key = _file(context, "client_key", "CLIENT_KEY")
    return Address(
        url,
        origin,
        namespace=_setting(context, "namespace", "NAMESPACE").strip("/"),
        ca_cert=authority,
        client_cert=(certificate, key) if certificate and key else certificate,
    )


def origin_of(url: str) -> str | None:
    """Return `scheme://host:port` of a URL that is fit to be shown and asked, else None."""
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
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def environ_of(context: SourceContext, name: str) -> str:
    """Return `VAULT_<name>` of the environment, else `BAO_<name>`, else an empty text."""
    return context.environ.get(f"VAULT_{name}") or context.environ.get(f"BAO_{name}") or ""


def _setting(context: SourceContext, key: str, variable: str) -> str:
    return str(context.settings.get(key) or "") or environ_of(context, variable)


def _file(context: SourceContext, key: str, variable: str) -> str | None:
    """Return the path of a file that exists; a setting's is relative to the project."""
    given = str(context.settings.get(key) or "")
    path = os.path.join(context.root, given) if given else environ_of(context, variable)
    if not path:
        return None
    if os.path.exists(path):
        return path
    error = UnavailableError(
        f"cannot verify '{context.name}': there is no file '{path}'",
        hint=f"correct {'[sources.' + context.name + '] ' + key if given else 'VAULT_' + variable}",
    )
    error.retryable = False
    raise error
