"""Find the parts in which values differ: URLs by part, JSON by path, lists by item. Pure.

    >>> [(part.name, part.texts) for part in differing_parts(["redis://a/0", "redis://b/0"])]
    [('host', ('a', 'b'))]

The functions accept and return clear text. Only modules that build reports without values call
them, and they leave out the texts of secrets.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MAX_PARTS = 1000  # of one JSON document; a larger one is compared as text
_TRUTHS = ("true", "false", "yes", "no", "on", "off")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*://")
_SECOND_URL = re.compile(r",\s*[A-Za-z][A-Za-z0-9+.:-]*://")
_SETTING = re.compile(r"\s*([A-Za-z][A-Za-z0-9_. -]*?)\s*=\s*([^;]*)")
_CREDENTIAL = re.compile(r"passw|pwd|secret|token|private_?key|api_?key|credential", re.IGNORECASE)
# the form of a setting's name: a password may contain `;` and `=`
_CONNECTION = re.compile(
    r"server|host|data source|user(?: id|name)?|uid|password|pwd|endpoint|account(?:name|key)",
    re.IGNORECASE,
)
# limits for a name that a person has chosen; a token exceeds one of them
_MAX_CHARACTERS, _MAX_DIGITS, _MAX_NUMBERS, _MAX_HUMPS = 32, 3, 2, 4


class ValueKind(StrEnum):
    """The form of a text."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    URL = "url"
    JSON = "json"
    TEXT = "text"
    EMPTY = "empty"


class Structure(StrEnum):
    """The structures whose parts are compared, in the order in which they are tried."""

    URL = "url"
    JSON = "json"
    SETTINGS = "settings"
    LIST = "list"


class Part(NamedTuple):
    """A part in which values differ.

    Attributes:
        structure: the structure of the values.
        name: `host`, `password`, `/a/0`, or the item of a list.
        texts: per value, the text of the part; None if the value does not have the part.
    """

    structure: Structure
    name: str
    texts: tuple[str | None, ...]


def differing_parts(values: Sequence[str]) -> list[Part]:
    """Return the parts in which values of the same structure differ; empty for other values."""
    if not _may_have_parts(values[0]):
        return []
    for structure, split in _SPLITTERS.items():
        found = [parts for value in values if (parts := split(value)) is not None]
        if len(found) == len(values):
            names = dict.fromkeys([name for parts in found for name in parts])
            texts = [(name, tuple([parts.get(name) for parts in found])) for name in names]
            return [Part(structure, name, each) for name, each in texts if len(set(each)) > 1]
    return []


def host_of(url: str) -> str:
    """Return the host of a URL; empty if it has none or the value is not a URL."""
    return (_url(url) or {}).get("host", "")


def credentials_of(value: str) -> dict[str, str]:
    """Return the parts of a value that are credentials by themselves, such as a URL's password.

    Returns:
        the name of each part -> its text, as a program would use it.
    """
    if not _may_have_parts(value):
        return {}
    url = _url(value)
    if url is not None and "password" in url:
        from urllib.parse import unquote

        url["password"] = unquote(url["password"], errors="surrogateescape")
    parts = url or _json(value) or _settings(value) or {}
    return {
        name: text.strip('"') if url is None else text
        for name, text in parts.items()
        if _CREDENTIAL.search(name.rpartition("/")[2])
    }


def kind_of(value: str) -> ValueKind:
    """Return the form of a text."""
    if not value:
        return ValueKind.EMPTY
    if value.lower() in _TRUTHS:
        return ValueKind.BOOL
    if re.fullmatch(r"-?\d+", value, re.ASCII):
        return ValueKind.INT
    if re.fullmatch(r"-?\d*\.\d+|-?\d+\.", value, re.ASCII):
        return ValueKind.FLOAT
    if _url(value) is not None:
        return ValueKind.URL
    return ValueKind.JSON if _json(value) is not None else ValueKind.TEXT


def is_given_name(name: str) -> bool:
    """Return whether a person has chosen the name of a part: `/tls/ca`, `sslmode`.

    A name that is long or has many digits may itself be a secret: the `?token` of a webhook, or
    a key of a JSON object that maps tokens to users.
    """
    return all(
        re.fullmatch(r"[A-Za-z0-9_.@: ~-]*", word) is not None
        and len(word) <= _MAX_CHARACTERS
        and len(re.findall(r"\d", word)) <= _MAX_DIGITS
        and len(re.findall(r"\d+", word)) <= _MAX_NUMBERS
        and len(re.findall(r"[a-z][A-Z]", word)) <= _MAX_HUMPS
        for word in name.split("/")
    )


def _may_have_parts(value: str) -> bool:
    """Return False quickly for most values without a structure."""
    return "://" in value or "," in value or "=" in value or value[:1] in ("{", "[")


def _url(value: str) -> dict[str, str] | None:
    """Split a URL; urllib is too strict for several hosts and odd ports in connection URLs."""
    match = _SCHEME.match(value)
    if match is None or _SECOND_URL.search(value) is not None:
        return None
    rest, _, fragment = value[match.end() :].partition("#")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    host, colon, port = hosts.rpartition(":")
    if not colon or not port.isdigit() or "," in hosts:
        host, port = hosts, ""
    found = {
        "scheme": match[0].removesuffix("://"),
        "user": user,
        "password": password,
        "host": host,
        "port": port,
        "path": slash + path,
        "fragment": fragment,
    }
    for item in query.split("&") if query else ():
        name, equals, text = item.partition("=")
        found[f"query {name}" if equals else "query"] = text if equals else name
    return {name: text for name, text in found.items() if text}


def _json(value: str) -> dict[str, str] | None:
    if value[:1] not in ("{", "["):
        return None
    import json

    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        pointer, node = stack.pop()
        if isinstance(node, dict) and node:
            stack.extend((f"{pointer}/{_escaped(key)}", item) for key, item in node.items())
        elif isinstance(node, list) and node:
            stack.extend((f"{pointer}/{index}", item) for index, item in enumerate(node))
        else:
            found[pointer] = json.dumps(node, ensure_ascii=False)
        if len(found) + len(stack) > MAX_PARTS:
            return None
    return dict(sorted(found.items()))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _settings(value: str) -> dict[str, str] | None:
    """Split `Server=db;User=app;Password=...`, the form of ADO, ODBC and Azure."""
    items = [item for item in value.split(";") if item.strip()]
    matches = [match for item in items if (match := _SETTING.fullmatch(item)) is not None]
    if len(items) < 2 or len(matches) < len(items):
        return None
    if not any(_CONNECTION.fullmatch(match[1]) for match in matches):
        return None
    return {match[1]: match[2] for match in matches}


def _list(value: str) -> dict[str, str] | None:
    """Split `a,b,c`; each item is a part that is present or not."""
    items = [item.strip() for item in value.split(",")]
    if len(items) < 2 or not all(items) or value[0] in "{[":
        return None
    return {item: item for item in items}


_SPLITTERS = {
    Structure.URL: _url,
    Structure.JSON: _json,
    Structure.SETTINGS: _settings,
    Structure.LIST: _list,
}
