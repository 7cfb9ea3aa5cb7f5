r"""Parse which server an address means, in the way that every client reads it. Pure.

An address that two clients could read differently has no server here. It needs trust for
its text as a whole: `http://127.0.0.1\@example.com` may not be on this machine.
"""

from __future__ import annotations

import re

from envkit._internal.named_tuple import NamedTuple

# without ASCII, the Kelvin sign would match `k`
_FLAGS = re.IGNORECASE | re.ASCII
_AUTHORITY = (
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])?"
    r"(?::(?P<port>\d{1,5}))?"
)
_HTTP = re.compile(rf"(?P<scheme>https?)://{_AUTHORITY}(?:[/][^\s\\]*)?", _FLAGS)
_DATABASE = re.compile(
    r"(?P<scheme>postgres|postgresql|redis|rediss|valkey|valkeys)://"
    rf"(?:(?P<login>[^@/?#\\\s]*)@)?{_AUTHORITY}(?:/[^?#\\\s]*)?(?:\?(?P<query>[^#\\\s]*))?",
    _FLAGS,
)
_HARMLESS = frozenset(  # parameters that do not affect which server is meant and do not name a file
    (
        *("sslmode", "connect_timeout", "application_name", "target_session_attrs"),
        *("db", "protocol", "socket_timeout"),
    )
)
_PORTS = {"http": "80", "https": "443"}
# a password whose end is the same for every client
_IN_URL = re.compile(r"([\w+.-]+://[^/?#@\s:\\]*:)(?!\{\{)[^/?#@\s{\\]+@", re.ASCII)
_IN_WORDS = re.compile(r"((?:^|\s)password\s*=\s*)(?!\{\{)[^\s&'\"{\\]+(?=\s|$)", _FLAGS)
LOCAL = "local"  # the scheme of a socket of this machine


class Server(NamedTuple):
    """A server, such as `https`, `vault.example.com`, `8200`."""

    scheme: str
    host: str  # in lower case; empty where the user's own settings name the host
    port: str

    @property
    def origin(self) -> str:
        """The server as text, for messages and for the store: `https://vault.example.com:8200`."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine, regardless of any name server."""
        if self.scheme == LOCAL or self.host == "localhost":
            return True
        from ipaddress import ip_address

        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def http_server(text: str) -> Server | None:
    """Return the server of an http or https address; None if it is ambiguous."""
    found = _HTTP.fullmatch(text)
    return _server(found) if found and found["host"] else None


def database_server(text: str) -> Server | None:
    """Return the server of a DSN or URL of a database; None if it is ambiguous.

    The host is empty where the client takes it from the user's own environment.
    """
    if text.lower().startswith("unix://"):
        return Server(LOCAL, "", "")
    found = _DATABASE.fullmatch(text)
    if found is None:
        return _keyword_server(text)
    server = _server(found)
    for pair in filter(None, (found["query"] or "").split("&")):
        key, _, value = pair.partition("=")
        if key == "host" and not server.host and value.startswith("/") and "," not in value:
            server = Server(LOCAL, "", "")
        elif key not in _HARMLESS:
            return None
    return server


def redacted(text: str) -> str:
    """Return an address without the password in it.

    Only text that every client reads as the password is removed. In
    `://h:1/x?host=y&options=@z` that would remove a part of the address, and two different
    servers would look the same.
    """
    text = _IN_URL.sub(r"\1***@", text)
    return _IN_WORDS.sub(r"\1***", text)


def has_password(text: str) -> bool:
    """Return whether a DSN contains, unambiguously, the password that is used."""
    if "://" in text:
        return bool(_IN_URL.match(text))
    return bool(_IN_WORDS.search(text))


def _server(found: re.Match[str]) -> Server:
    scheme = found["scheme"].lower()
    port = found["port"] or ""
    return Server(scheme, (found["host"] or "").lower(), "" if port == _PORTS.get(scheme) else port)


def _keyword_server(text: str) -> Server | None:
    """Return the server of a DSN in libpq's keyword form: `host=db dbname=app user=admin`."""
    pairs = dict(re.findall(r"(\w+)=([^\s'\\]+)(?:\s+|$)", text))
    plain = " ".join(f"{key}={value}" for key, value in pairs.items()) == " ".join(text.split())
    known = {"host", "port", "dbname", "user", "password", *_HARMLESS}
    if not pairs or not plain or not pairs.keys() <= known:
        return None
    host = pairs.get("host", "")
    if host.startswith("/") and "," not in host:
        return Server(LOCAL, "", "")
    if host and not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
        return None
    return Server("postgresql", host.lower(), pairs.get("port", ""))
