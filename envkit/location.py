"""Where a thing was written: a file and a line, for people. Pure.

TOML readers give no line numbers, so the line of a key is found by looking for
it in the text, and only when somebody asks (an error, `envkit show`).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Location:
    """A place in a file: `profiles/prod.toml:12`.

    Args:
        path: absolute path of the file.
        line: 1-based, where it is known.
        text: the TOML text to look in, where the line is not known yet.
        keys: the key's path in that text, `("variables", "PORT")`.
    """

    __slots__ = ("_line", "keys", "path", "text")

    def __init__(
        self,
        path: str,
        line: int | None = None,
        *,
        text: str = "",
        keys: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.text = text
        self.keys = keys
        self._line = line

    @property
    def line(self) -> int:
        """The 1-based line of the key, or of the closest table around it."""
        if self._line is None:
            self._line = line_of(self.text, self.keys)
        return self._line

    def at(self, *keys: str) -> Location:
        """Return the place of a key below this one."""
        return Location(self.path, text=self.text, keys=(*self.keys, *keys))

    def __str__(self) -> str:
        return f"{display_path(self.path)}:{self.line}"


def display_path(path: str) -> str:
    """Return `path` as a person would write it: relative where it is below the working folder."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if relative.startswith(os.pardir) else relative


def line_of(text: str, keys: Sequence[str]) -> int:
    """Return the 1-based line where `keys` is set in a TOML text, or its closest parent is.

    Args:
        text: valid TOML.
        keys: a key's path, `("variables", "PORT", "type")`.
    """
    wanted = tuple(keys)
    table: tuple[str, ...] = ()
    best, best_depth = 1, 0
    until = ""  # the end of the multi-line string that we are in
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if until:
            if until in line:
                until = ""
            continue
        if line.startswith("["):
            table = _dotted_key(line.lstrip("["))[0]
            found = table
        else:
            key, rest = _dotted_key(line)
            if not key or not rest.startswith("="):
                continue
            found = table + key
            until = _opened(rest[1:])
        depth = len(found)
        if depth > best_depth and wanted[:depth] == found:
            best, best_depth = number, depth
    return best


def _dotted_key(line: str) -> tuple[tuple[str, ...], str]:
    """Return the dotted key that a line begins with, and what follows it."""
    parts: list[str] = []
    rest = line
    while True:
        rest = rest.lstrip(" \t")
        quote = rest[:1]
        if quote in ('"', "'"):
            end = rest.find(quote, 1)
            if end < 0:
                return (), line
            parts.append(rest[1:end])
            rest = rest[end + 1 :]
        else:
            end = 0
            while end < len(rest) and (rest[end].isalnum() or rest[end] in "-_"):
                end += 1
            if not end:
                return (), line
            parts.append(rest[:end])
            rest = rest[end:]
        rest = rest.lstrip(" \t")
        if not rest.startswith("."):
            return tuple(parts), rest
        rest = rest[1:]


def _opened(value: str) -> str:
    """Return the closing quotes that a value leaves to a later line, or nothing."""
    value = value.strip()
    for quotes in ('"""', "'''"):
        if value.startswith(quotes) and quotes not in value[3:]:
            return quotes
    return ""
