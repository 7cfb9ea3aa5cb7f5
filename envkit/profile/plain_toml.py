"""Read the subset of TOML that most profiles use without `tomllib`. Pure.

`tomllib` imports `re` and more: 10 ms, half as long as the rest of `envkit exec`. This module
returns what `tomllib` would return, in the same order. For any other text, valid or
not, `read` returns None and never raises; the caller then uses `tomllib`.

A plain file has no carriage returns or unusual characters. Each line is blank, a comment, a
header `[a.b]` of bare keys that opens a new table, or `key = value` with a bare
key. A value is a string on one line without a backslash, an integer of at most 18
digits, true or false, or a list or an inline table of plain values on one line.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t"
_ENDS = " \t,]}#"  # allowed after a number, true or false
_MOST_DIGITS = 18
_MOST_NESTED = 8


class _UnusualError(Exception):
    """The text is not plain; only `tomllib` can parse it."""


def read(text: str) -> dict[str, Any] | None:
    """Return what `tomllib.loads` returns; None if the text is not plain."""
    lines = text.split("\n")
    if not "".join(lines).replace("\t", "").isprintable():
        return None
    try:
        return _read_lines(lines)
    except _UnusualError:
        return None


def _read_lines(lines: list[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    opened: dict[str, dict[str, Any]] = {"": root}  # by header; inline tables are not in it
    table = root
    for line in lines:
        key, _, value = line.partition("=")
        key, value = key.strip(_BLANK), value.strip(_BLANK)
        if _is_bare(key) and key not in table:
            if value[:1] == value[-1:] == '"' and value.count('"') == 2 and "\\" not in value:
                table[key] = value[1:-1]
                continue
            table[key], end = _value(value, 0)
            rest = value[end:].strip(_BLANK)
        else:
            rest = line.strip(_BLANK)
            if rest.startswith("["):
                header, bracket, rest = rest[1:].partition("]")
                table = _open(opened, header if bracket else "")
                rest = rest.strip(_BLANK)
        if rest and not rest.startswith("#"):
            raise _UnusualError
    return root


def _open(opened: dict[str, dict[str, Any]], header: str) -> dict[str, Any]:
    """Return the new table of a header, inside its parent tables."""
    if header in opened:  # also true for the empty header
        raise _UnusualError
    path = ""
    table = opened[path]
    for key in header.split("."):
        if not _is_bare(key):
            raise _UnusualError
        path += f".{key}" if path else key
        if path not in opened:
            if key in table:
                raise _UnusualError
            opened[path] = table[key] = {}
        table = opened[path]
    return table


def _is_bare(key: str) -> bool:
    return key.isascii() and (key.isidentifier() or key.replace("-", "").replace("_", "").isalnum())


def _value(text: str, start: int, depth: int = 0) -> tuple[Any, int]:
    """Return the value that starts at `start`, and the position where it ends."""
    first = text[start : start + 1]
    if first and first in "\"'":
        end = text.find(first, start + 1)
        value = text[start + 1 : end]
        if end < 0 or "\\" in value or text.startswith(first * 3, start):
            raise _UnusualError
        return value, end + 1
    if first and first in "[{":
        if depth == _MOST_NESTED:
            raise _UnusualError
        read_all = _list if first == "[" else _inline_table
        return read_all(text, _after_blank(text, start + 1), depth + 1)
    end = start
    while end < len(text) and text[end] not in _ENDS:
        end += 1
    word = text[start:end]
    if word in ("true", "false"):
        return word == "true", end
    digits = word.removeprefix("-")
    usual = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    if not usual or (digits[0] == "0" and digits != "0"):
        raise _UnusualError
    return int(word), end


def _list(text: str, position: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while not text.startswith("]", position):
        if items:
            position = _after_comma(text, position)
        item, position = _value(text, position, depth)
        items.append(item)
        position = _after_blank(text, position)
    return items, position + 1


def _inline_table(text: str, position: int, depth: int) -> tuple[dict[str, Any], int]:
    table: dict[str, Any] = {}
    while not text.startswith("}", position):
        if table:
            position = _after_comma(text, position)
        equals = text.find("=", position)
        key = text[position:equals].strip(_BLANK)
        if equals < 0 or not _is_bare(key) or key in table:
            raise _UnusualError
        table[key], position = _value(text, _after_blank(text, equals + 1), depth)
        position = _after_blank(text, position)
    return table, position + 1


def _after_comma(text: str, position: int) -> int:
    if not text.startswith(",", position):
        raise _UnusualError
    return _after_blank(text, position + 1)


def _after_blank(text: str, position: int) -> int:
    while text[position : position + 1] in (" ", "\t"):
        position += 1
    return position
