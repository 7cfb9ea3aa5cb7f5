"""Logins in URLs: `scheme://user:password@host/...`, and those of JDBC.

The user and the password may be in the query, as libpq allows and JDBC requires.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus

from envkit.errors import RotationError
from envkit.rotation.rotators.login_forms.hosts import hosts_of, of_service, paired
from envkit.rotation.rotators.login_forms.parts import Found, Part, not_understood

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.rotation.rotators.login_forms.hosts import Host

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://"
    r"(?:(?P<user>[^:/?#]*)(?::(?P<password>[^/?#]*))?@)?"
    r"(?P<hosts>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_JDBC = re.compile(
    r"jdbc:[a-z0-9]+:(?://(?P<hosts>[^/?]*))?[^?]*(?:\?(?P<query>.*))?", re.DOTALL | re.IGNORECASE
)
_PAIR = re.compile(r"(?P<key>[^=&]*)=(?P<value>[^&]*)")


def is_url(text: str) -> bool:
    """Return whether a text is a URL, with or without a login."""
    return _SCHEME.match(text) is not None


def is_jdbc(text: str) -> bool:
    """Return whether a text is a JDBC URL."""
    return text[:5].lower() == "jdbc:"


def read_url(text: str) -> Found:
    """Find the login in a URL.

    Raises:
        RotationError: the URL has no login.
    """
    match = _URL.match(text)
    assert match is not None  # noqa: S101 - `is_url` has checked this
    users = [_part(match, "user", _plain)] if match["user"] is not None else []
    passwords = [_part(match, "password", _plain)] if match["password"] is not None else []
    return _with_query(match, users, passwords, _plain)


def read_jdbc(text: str) -> Found:
    """Find the login in a JDBC URL.

    Raises:
        RotationError: the URL has no login.
    """
    match = _JDBC.match(text)
    if match is None:
        raise not_understood("is a JDBC URL of a form that envkit does not understand")
    return _with_query(match, [], [], unquote_plus)


def place(text: str) -> tuple[tuple[Host, ...], str] | None:
    """Return the servers and the path of a URL; None if they are ambiguous.

    An `@` after the user and the password is a sign that these are not encoded.
    """
    match = _URL.match(text)
    if match is None or "@" in text[match.start("hosts") :]:
        return None
    settings = {"host": "", "port": "", "dbname": ""}
    for pair in _PAIR.finditer(match["query"] or ""):
        settings[_plain(pair["key"])] = _plain(pair["value"])
    try:
        hosts = _hosts(match["hosts"], settings)
    except RotationError:
        return None
    return hosts, settings["dbname"] or _plain(match["path"].lstrip("/"))


def _with_query(
    match: re.Match[str], users: list[Part], passwords: list[Part], decode: Callable[[str], str]
) -> Found:
    settings = {"host": "", "hostaddr": "", "port": "", "service": ""}
    for pair in _PAIR.finditer(match["query"] or ""):
        offset, key = match.start("query"), decode(pair["key"])
        start, end = (offset + place for place in pair.span("value"))
        part = Part(start, end, decode(pair["value"]))
        if key in ("user", "username"):
            users.append(part)
        elif key == "password":
            passwords.append(part)
        elif key in settings:
            settings[key] = part.text
    hosts = _hosts(match["hosts"] or "", settings)
    if not passwords:
        raise not_understood("is a URL without a user and a password in it")
    return Found(tuple(users), tuple(passwords), hosts, _quoted)


def _hosts(text: str, query: dict[str, str]) -> tuple[Host, ...]:
    try:
        if names := query.get("hostaddr") or query["host"]:
            return paired(names, query["port"])
        decoded = ",".join(_plain(one) if "[" not in one else one for one in text.split(","))
        found = hosts_of(decoded)
        if query["port"]:
            return tuple(host._replace(port=int(query["port"])) for host in found)
    except ValueError:
        raise not_understood("is a URL with an invalid host or port") from None
    return found or of_service(query.get("service", ""))


def _part(match: re.Match[str], name: str, decode: Callable[[str], str]) -> Part:
    return Part(*match.span(name), decode(match[name]))


def _plain(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
