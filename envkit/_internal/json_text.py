"""JSON that preserves the text of numbers: a stored `1.10` reaches the app as `1.10`.

    dumps(loads('{"rate": 1.10, "big": 1E400}')) == '{"rate":1.10,"big":1E400}'

Guarantees: a number that Python would write differently is a `JsonNumber`; all others are
`int` or `float`. `NaN` and `Infinity`, which are not JSON, are refused.

Reference: https://www.rfc-editor.org/rfc/rfc8259#section-6
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST_INTEGER = 4000  # digits; Python refuses to convert more


class JsonNumber:
    """A number as written in the source. Its repr hides it, since it may be part of a secret.

    Attributes:
        text: the number as written, such as `1.10`, `1e5` or `-0`.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonNumber) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return "JsonNumber(...)"


def loads(text: str | bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        ValueError: the text is not JSON.
        RecursionError: the text is nested too deeply.
    """
    return json.loads(text, **_HOOKS)


def value_end(text: str, position: int) -> tuple[object, int]:
    """Return the JSON value that starts at a position, and its end position.

    Raises:
        ValueError: no JSON value starts there.
    """
    return json.JSONDecoder(**_HOOKS).raw_decode(text, position)


def dumps(value: object, *, ascii_only: bool = False) -> str:
    """Return compact JSON; numbers from `loads` are unchanged."""
    try:
        return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    except TypeError:  # json does not know JsonNumber
        return _text(value, ascii_only)


def _text(value: object, ascii_only: bool) -> str:  # noqa: FBT001 - of this module alone
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, dict):
        members = [f"{_text(k, ascii_only)}:{_text(v, ascii_only)}" for k, v in value.items()]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_text(item, ascii_only) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def _integer(text: str) -> int | JsonNumber:
    if len(text) > _LONGEST_INTEGER or text == "-0":
        return JsonNumber(text)
    return int(text)


def _float(text: str) -> float | JsonNumber:
    number = float(text)
    return number if repr(number) == text else JsonNumber(text)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


_HOOKS: dict[str, Any] = {
    "parse_int": _integer,
    "parse_float": _float,
    "parse_constant": _refuse,
}
