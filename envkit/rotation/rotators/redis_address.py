"""Find the server in a URL or a login, and whether `target.url` lists it. Pure.

    >>> address_of("rediss://envkit:p%40ss@Cache:6380/0")
    Address(host='cache', port=6380)
    >>> str(address_of("redis://envkit:{{ vault:cache#password }}@cache"))
    'cache:6379'

Names are compared as they are written, ignoring case, without a lookup. Only the host and the port
of a URL leave this module.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.rotation.rotators.login import Login
    from envkit.secret import Secret

DEFAULT_PORT = 6379
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_UNKNOWN = "_"  # stands for a placeholder
_SCHEMES = ("redis", "rediss", "valkey", "valkeys")
# anything else would be part of a password that is not encoded
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+")


class Address(NamedTuple):
    """A host in lower case and a port; for a socket its path, and no port."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address_of(url: str) -> Address | None:
    """Return the server of a URL, which may have placeholders before it; None if it has none."""
    try:
        parts = urlsplit(_PLACEHOLDER.sub(_UNKNOWN, url))
        if parts.scheme == "unix":
            return Address(unquote(parts.path), 0) if parts.path else None
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        if not parts.netloc.rpartition("@")[2]:
            host = "localhost"
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or host == _UNKNOWN or not _HOST.fullmatch(host):
        return None
    return Address(host, port)


def servers_of(login: Login, value: Secret) -> frozenset[Address] | None:
    """Return the servers that a secret names; empty for a password alone.

    Args:
        login: the login that was read from the secret.
        value: the text of the secret.

    Returns:
        None if the secret names a server that cannot be parsed.
    """
    text = value.reveal()
    if text == login.password.reveal():
        return frozenset()
    hosts: Iterable[tuple[str, int | None]] = getattr(login, "hosts", ())
    found = {
        Address(host.lower(), 0 if host.startswith("/") else port or DEFAULT_PORT)
        for host, port in hosts
    }
    if not found and "://" in text and not text.lstrip().startswith("{"):
        only = address_of(text)
        return None if only is None else frozenset((only,))
    return frozenset(found)


def names_only_a_password(login: Login, value: Secret) -> bool:
    """Return whether a secret may belong to any user: it is a password alone, or JSON.

    A client that is given a URL or a connection string without a user logs in as `default`.
    """
    text = value.reveal()
    return text == login.password.reveal() or text.lstrip().startswith("{")
