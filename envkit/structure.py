"""In what do two values differ? URLs by part, JSON by path, lists by item. Pure.

Works on clear text and returns clear text: only `difference` calls it, and
leaves out the texts of secrets.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MAX_PARTS = 1000  # of one JSON document; beyond that it is compared as text
_TRUTHS = ("true", "false", "yes", "no", "on", "off")


class Part(NamedTuple):
    """One part in which values differ, or in which they agree.

    Attributes:
        kind: `url`, `json` or `list`.
        name: `host`, `password`, `/a/0`, or the item of a list.
        texts: per value the part's text, None where it has none.
    """

    kind: str
    name: str
    texts: tuple[str | None, ...]

    @property
    def same(self) -> bool:
        """Whether all values agree in it."""
        return len(set(self.texts)) == 1


def parts_of(values: Sequence[str]) -> list[Part]:
    """Return the parts of values that all have the same kind of structure, else nothing."""
    for kind, split in (("url", _url), ("json", _json), ("list", _list)):
        split_values = [split(value) for value in values]
        if all(found is not None for found in split_values):
            names = dict.fromkeys(name for found in split_values if found for name in found)
            return [
                Part(
                    kind, name, tuple(found.get(name) if found else None for found in split_values)
                )
                for name in names
            ]
    return []


def kind_of(value: str) -> str:
    """Return what a text looks like: `int`, `float`, `bool`, `url`, `json`, `empty` or `text`."""
    if not value:
        return "empty"
    if value.lower() in _TRUTHS:
        return "bool"
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        return "int"
    whole, dot, fraction = digits.partition(".")
    if dot and (whole + fraction).isdigit() and value.isascii():
        return "float"
    if _url(value) is not None:
        return "url"
    return "json" if _json(value) is not None else "text"


def _url(value: str) -> dict[str, str] | None:
    """Split a URL; by hand, because connection URLs name several hosts and odd ports."""
    scheme, separator, rest = value.partition("://")
    if not separator or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return None
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    host, colon, port = hosts.rpartition(":")
    if not colon or not port.isdigit() or "," in hosts:
        host, port = hosts, ""
    found = {
        "scheme": scheme,
        "user": user,
        "password": password,
        "host": host,
        "port": port,
        "path": slash + path,
        "fragment": fragment,
    }
    for item in query.split("&") if query else ():
        name, _, text = item.partition("=")
        found[f"query {name}"] = text
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
        if len(found) > MAX_PARTS:
            return None
    return dict(sorted(found.items()))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _list(value: str) -> dict[str, str] | None:
    """Split `a,b,c`; each item is a part that is there or not."""
    items = [item.strip() for item in value.split(",")]
    if len(items) < 2 or not all(items):
        return None
    return {item: item for item in items}
