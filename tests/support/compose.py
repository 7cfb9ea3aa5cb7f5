"""Read an `env_file` as Docker Compose does.

Reference: compose-spec/compose-go v2, the package `dotenv`
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-7]{0,3})')
_ESCAPED = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_VARIABLE = re.compile(r"\$(?:\$|[A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}|)")
_SPACES = "\t\v\f\r \x85\xa0"


def read_env_file(text: str) -> dict[str, str]:
    """Return the variables of a file, with no variable set that it could expand."""
    found: dict[str, str] = {}
    rest = text.removeprefix("\ufeff")
    while rest := rest.lstrip():
        if rest[0] == "#":
            rest = rest.partition("\n")[2]
            continue
        name, _, rest = rest.removeprefix("export ").partition("=")
        rest = rest.lstrip(_SPACES)
        if rest[:1] in ("'", '"'):
            found[name.strip()], rest = _quoted(rest, found)
        else:
            line, _, rest = rest.partition("\n")
            found[name.strip()] = _expanded(line.partition(" #")[0].rstrip(), found)
    return found


def _quoted(text: str, known: dict[str, str]) -> tuple[str, str]:
    """Return a quoted value, and the text after it."""
    quote, value, escaped = text[0], "", False
    for index, char in enumerate(text[1:], 1):
        if char == quote and not escaped:
            if quote == '"':
                value = _expanded(_ESCAPE.sub(lambda match: _unescaped(match[0]), value), known)
            return value, text[index + 1 :]
        if char == "\\" and not escaped:
            escaped = True
            continue
        value += ("\\" if escaped and char != quote else "") + char
        escaped = False
    raise ValueError("unterminated quoted value")


def _unescaped(sequence: str) -> str:
    if sequence == "\\$":
        return "$$"
    char = sequence[1]
    return chr(int(sequence[1:], 8)) if char == "0" else _ESCAPED.get(char, char)


def _expanded(text: str, known: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[0][1:].strip("{}")
        if not name:
            return "<invalid>"  # an error, which ends Compose
        return "$" if name == "$" else known.get(name, "")

    return _VARIABLE.sub(value, text)
