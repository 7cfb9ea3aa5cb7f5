"""Parse a policy of Vault or OpenBao: HCL, or JSON with the same content. Pure.

    path "secret/data/shop/*" { capabilities = ["read", "list"] }

Of the conditions of a path, only the names are kept: they are not evaluated.

Reference: https://openbao.org/docs/concepts/policies/
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_TOKEN = re.compile(
    r'\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<word>[\w.+-]+)'
    r"|(?P<mark>[{}\[\]=:,])",
    re.DOTALL,
)
_CLOSING = {"{": "}", "[": "]"}
# the older way to write capabilities
_OLD = {
    "deny": ("deny",),
    "read": ("read", "list"),
    "write": ("create", "read", "update", "delete", "list", "patch"),
    "sudo": ("create", "read", "update", "delete", "list", "patch", "sudo"),
}
_NO_CONDITIONS = {
    *("capabilities", "policy", "comment"),
    *("pagination_limit", "list_scan_response_keys_filter_path"),  # only apply to lists
}


class Rule(NamedTuple):
    """The capabilities of one path of a policy.

    Attributes:
        path: the path or pattern, without a `/` at its beginning.
        capabilities: `read`, `update`, `deny`, ...
        conditions: the settings that limit when the rule applies: `expiration`, ...
    """

    path: str
    capabilities: frozenset[str]
    conditions: tuple[str, ...] = ()


def parse_policy(text: str) -> list[Rule]:
    """Return the rules of a policy.

    Raises:
        ValueError: the text is not a policy.
    """
    if text.lstrip().startswith("{"):
        document = json.loads(text)
        blocks = document.get("path", {}) if isinstance(document, dict) else None
        some = blocks if isinstance(blocks, list) else [blocks]
        pairs = [(path, body) for one in some for path, body in _items(one)]
    else:
        pairs = _Parser(text).paths()
    return [_rule(path.removeprefix("/"), body) for path, body in pairs]


def _items(table: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(table, dict):
        raise ValueError("'path' is not a table")  # noqa: TRY004 - the text is wrong
    return table.items()


def _rule(path: str, body: Any) -> Rule:
    one = body[0] if isinstance(body, list) and body else body
    table = dict(_items(one))
    found = table.get("capabilities", [])
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise ValueError("'capabilities' is not a list")
    old = table.get("policy")
    older = _OLD.get(old, ()) if isinstance(old, str) else ()
    conditions = tuple(sorted(table.keys() - _NO_CONDITIONS))
    return Rule(path, frozenset((*found, *older)), conditions)


class _Parser:
    """Reads the part of HCL that policies use."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"unexpected {text[position]!r}")
            position = found.end()
            if found.lastgroup is not None:
                self._tokens.append(found.group())
        self._tokens.reverse()

    def paths(self) -> list[tuple[str, Any]]:
        """Return each path with its block."""
        found = []
        while self._tokens:
            key = _plain(self._next())
            if key == "path":
                label = self._next()
                found.append((_plain(label), self._value()))
            else:  # a setting such as `name = "..."`
                self._skip_equals()
                self._value()
        return found

    def _next(self) -> str:
        if not self._tokens:
            raise ValueError("it ends too early")
        return self._tokens.pop()

    def _skip_equals(self) -> None:
        if self._tokens and self._tokens[-1] in ("=", ":"):
            self._tokens.pop()

    def _value(self) -> Any:
        opening = self._next()
        if opening not in _CLOSING:
            return _plain(opening)
        end = _CLOSING[opening]
        table: dict[str, Any] = {}
        items: list[Any] = []
        while (following := self._next()) != end:
            if following == ",":
                continue
            if opening == "{":
                self._skip_equals()
                table[_plain(following)] = self._value()
            else:
                self._tokens.append(following)
                items.append(self._value())
        return table if opening == "{" else items


def _plain(word: str) -> str:
    if word in "{}[]=:,":
        raise ValueError(f"unexpected {word!r}")
    return str(json.loads(word)) if word.startswith('"') else word
