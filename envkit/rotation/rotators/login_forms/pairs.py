"""Logins in lists of settings: libpq's `key=value`, ADO's `Key=Value;`, StackExchange.Redis.

The three forms look alike. A text is read in each possible form, and the form that finds the most
settings wins. If two forms find as many, the text is refused.

Reference: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
https://learn.microsoft.com/dotnet/framework/data/adonet/connection-string-syntax
https://stackexchange.github.io/StackExchange.Redis/Configuration
"""

from __future__ import annotations

import re

from envkit.rotation.rotators.login_forms.hosts import Host, hosts_of, of_service, paired
from envkit.rotation.rotators.login_forms.parts import Found, Part, not_understood

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Pairs: TypeAlias = list[tuple[str, Part]]

_LIBPQ = re.compile(
    r"\s*(?P<key>[a-z][a-z0-9_]*)\s*=\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>(?:(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?))\s*",
    re.DOTALL | re.ASCII,
)
_ADO = re.compile(
    r"[\s;]*(?P<key>[A-Za-z](?:[\w -]*[\w-])?)\s*=(?!=)\s*"
    r"(?:\"(?P<double>(?:[^\"\0]|\"\")*)\"|'(?P<single>(?:[^'\0]|'')*)'"
    r"|(?P<plain>(?:[^;\s\"'\x00-\x1f\x7f-\x9f][^;\x00-\x1f\x7f-\x9f]*)?))\s*(?:;[\s;]*|\Z)"
)
_STACKEXCHANGE = re.compile(r"(?P<key>[A-Za-z]+)\s*=(?P<value>[^,]*)", re.DOTALL)
_SIMPLE = re.compile(r"[A-Za-z0-9_.~-]+")

_USER = frozenset({"user", "username", "user name", "user id", "userid", "uid"})
_PASSWORD = frozenset({"password", "pwd", "psw"})
_HOST = ("host", "server", "data source", "datasource", "address", "addr", "network address")


def read_pairs(text: str) -> Found | None:
    """Find the login in a text of settings; None if it is not such a text.

    Raises:
        RotationError: the text can be read in two ways.
    """
    readings = [found for read in (_libpq, _ado, _stackexchange) if (found := read(text))]
    if not readings:
        return None
    most = max(found.pairs for found in readings)
    best = [found for found in readings if found.pairs == most]
    if len(best) > 1:
        raise not_understood("can be read in two ways, as settings of libpq and of ADO")
    return best[0]


def place(text: str) -> tuple[tuple[Host, ...], str] | None:
    """Return the servers and the database of libpq's settings; None if it is another text."""
    parts = _all(_LIBPQ, text)
    if parts is None:
        return None
    settings = {key: part.text for key, part in parts}
    names = settings.get("host") or settings.get("hostaddr", "")
    try:
        return paired(names, settings.get("port", "")), settings.get("dbname", "")
    except ValueError:
        return None


def _libpq(text: str) -> Found | None:
    pairs = _all(_LIBPQ, text)
    if pairs is None:
        return None
    parts = [
        (key, part._replace(text=re.sub(r"\\(.)", r"\1", part.text, flags=re.DOTALL)))
        for key, part in pairs
    ]
    users, passwords = _named(parts, {"user"}), _named(parts, {"password"})
    if not passwords:
        return None
    settings = {key: part.text for key, part in parts}
    # libpq connects to the address if it has both
    names = settings.get("hostaddr") or settings.get("host", "")
    hosts = _pair(names, settings.get("port", "")) or of_service(settings.get("service", ""))
    return Found(users, passwords, hosts, _for_libpq, len(parts))


def _ado(text: str) -> Found | None:
    pairs = _all(_ADO, text)
    if pairs is None:
        return None
    parts = [
        (" ".join(key.lower().split()), part._replace(text=_undoubled(text, part)))
        for key, part in pairs
    ]
    users, passwords = _named(parts, _USER), _named(parts, _PASSWORD)
    if not passwords:
        return None
    settings = {key: part.text for key, part in parts}
    names = next((settings[key] for key in _HOST if settings.get(key)), "")
    return Found(users, passwords, _ado_hosts(names, settings), _for_ado, len(parts))


def _stackexchange(text: str) -> Found | None:
    parts: Pairs = []
    endpoints, start = [], 0
    for one in text.split(","):
        match = _STACKEXCHANGE.fullmatch(one)
        if match is not None:
            value = match["value"]
            lead = len(value) - len(value.lstrip())
            first = start + match.start("value") + lead
            parts.append(
                (match["key"].lower(), Part(first, first + len(value.strip()), value.strip()))
            )
        elif "=" in one:
            return None
        else:
            endpoints.append(one.strip())
        start += len(one) + 1
    passwords = _named(parts, {"password"})
    if not passwords or "=" in text.partition(",")[0]:
        return None
    try:
        hosts = hosts_of(",".join(endpoints))
    except ValueError:
        return None
    return Found(_named(parts, {"user"}), passwords, hosts, str, len(parts) + len(endpoints))


def _all(pattern: re.Pattern[str], text: str) -> Pairs | None:
    """Return the settings of a text, with their values as written; None if it has others."""
    found: Pairs = []
    place = 0
    while place < len(text):
        match = pattern.match(text, place)
        if match is None or match.end() == place:
            return None
        (name,) = [n for n, value in match.groupdict().items() if n != "key" and value is not None]
        start, end = match.span(name)
        value = match[name]
        if name != "plain":  # the quotes are replaced with the value
            start, end = start - 1, end + 1
        elif pattern is _ADO:  # in libpq, a blank at the end is escaped and counts
            value = value.rstrip()
            end = start + len(value)
        found.append((match["key"], Part(start, end, value)))
        place = match.end()
    return found


def _named(parts: Sequence[tuple[str, Part]], names: frozenset[str] | set[str]) -> tuple[Part, ...]:
    return tuple(part for key, part in parts if key in names)


def _undoubled(text: str, part: Part) -> str:
    quote = text[part.start : part.start + 1]
    return part.text.replace(quote * 2, quote) if quote in ("'", '"') else part.text


def _pair(names: str, ports: str) -> tuple[Host, ...]:
    try:
        return paired(names, ports)
    except ValueError:
        raise not_understood("does not have one port for each host") from None


def _ado_hosts(names: str, settings: dict[str, str]) -> tuple[Host, ...]:
    """Return the servers: `h1,h2:5433` of Npgsql, `tcp:h,1433` of SQL Server."""
    found: list[Host] = []
    for one in names.removeprefix("tcp:").split(","):
        if re.fullmatch("[0-9]+", one.strip()) and found:
            found[-1] = found[-1]._replace(port=int(one))
            continue
        try:
            found += hosts_of(one.strip())
        except ValueError:
            found.append(Host(one.strip()))  # of another kind: a path, an IPv6 address
    port = settings.get("port", "").strip()
    if not re.fullmatch("[0-9]*", port):
        raise not_understood("has a port that is not a number")
    return tuple(host if host.port or not port else Host(host.name, int(port)) for host in found)


def _for_libpq(text: str) -> str:
    if _SIMPLE.fullmatch(text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _for_ado(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else '"' + text.replace('"', '""') + '"'
