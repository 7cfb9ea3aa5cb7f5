"""Find the file and line of a key, for messages. Pure.

TOML readers return no line numbers. The lines of all keys of a file are found in its text at
once, and only when needed (for an error or `envkit show`).
"""

from __future__ import annotations

from envkit._internal.paths import display_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    KeyPath: TypeAlias = tuple[str, ...]


class KeyLines:
    """The line of each key in one file.

    Args:
        source: valid TOML text, or a function that returns the lines.
    """

    __slots__ = ("_lines", "_source")

    def __init__(self, source: str | Callable[[], dict[KeyPath, int]]) -> None:
        self._source = source
        self._lines: dict[KeyPath, int] | None = None

    def line(self, keys: KeyPath) -> int:
        """Return the 1-based line that first names a key, or that of the closest enclosing table.

        Args:
            keys: the path of the key, `("variables", "PORT", "type")`.
        """
        if self._lines is None:
            source = self._source  # assign complete lines only: for other threads
            self._lines = _lines_of(source) if isinstance(source, str) else source()
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return self._lines.get(keys, 1)


class Location:
    """A place in a file: `profiles/prod.toml:12`.

    Args:
        path: absolute path of the file.
        line: 1-based line number, if known.
        lines: the lines of the file's keys, if `line` is not known yet.
        keys: the path of the key in the file, `("variables", "PORT")`.
    """

    __slots__ = ("_keys", "_line", "_lines", "path")

    def __init__(
        self, path: str, line: int = 1, *, lines: KeyLines | None = None, keys: KeyPath = ()
    ) -> None:
        self.path = path
        self._line = line
        self._lines = lines
        self._keys = keys

    @property
    def line(self) -> int:
        """The 1-based line of the key, or of the closest enclosing table."""
        return self._line if self._lines is None else self._lines.line(self._keys)

    def at(self, *keys: str) -> Location:
        """Return the location of a key below this one."""
        place = Location(self.path, self._line)
        place._lines = self._lines
        place._keys = self._keys + keys
        return place

    def __str__(self) -> str:
        return f"{display_path(self.path)}:{self.line}"

    def __repr__(self) -> str:
        return f"Location({self!s})"


def _lines_of(toml: str) -> dict[KeyPath, int]:
    found: dict[KeyPath, int] = {}
    for path, line in _keys(toml):
        for depth in range(1, len(path) + 1):
            found.setdefault(path[:depth], line)
    return found


# strings first: text inside them can look like a key or a bracket
_LEXICON = r"""
    (?P<multiline> \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} )
  | (?P<quoted> " (?: \\. | [^"\\\n] )* " | ' [^'\n]* ' )
  | (?P<comment> \#[^\n]* )
  | (?P<mark> [\[\]{},=.\n] )
  | (?P<bare> [^\s\[\]{},=.\#"']+ )
"""


def _keys(toml: str) -> Iterator[tuple[KeyPath, int]]:
    """Yield the path of each table and key of a valid TOML text, with its line number."""
    table: KeyPath = ()
    key: KeyPath = ()  # of the value being read
    around: list[KeyPath] = []  # the keys of the open inline tables and arrays, outermost first
    brackets = ""  # the kinds of `around`: `{` for a table, `[` for an array
    parts: list[str] = []  # of the key or table header being read
    part_line = 0
    state = "key"  # or "header" or "value"
    for kind, text, line in _words(toml):
        if state != "value" and kind in ("bare", "quoted"):
            part_line = line
            parts.append(_unquoted(text) if kind == "quoted" else text)
        elif state == "header" and text == "\n":
            table = tuple(parts)
            yield table, part_line
            parts, state = [], "key"
        elif state == "key" and text == "=":
            key = (*(around[-1] if around else table), *parts)
            yield key, part_line
            parts, state = [], "value"
        elif state == "key" and text == "[":
            state = "header"
        elif state == "value" and text in ("{", "["):
            around.append(key)
            brackets += text
            state = "key" if text == "{" else "value"
        elif around and text in ("}", "]"):
            key = around.pop()
            brackets = brackets[:-1]
            state = "value"
        elif (text == "," and brackets.endswith("{")) or (text == "\n" and not around):
            state = "key"


def _words(toml: str) -> Iterator[tuple[str, str, int]]:
    import re

    line = 1
    for match in re.finditer(_LEXICON, toml + "\n", re.VERBOSE | re.DOTALL):
        text = match[0]
        yield str(match.lastgroup), text, line
        line += text.count("\n")


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    import tomllib

    return str(tomllib.loads(f"key = {text}")["key"])
