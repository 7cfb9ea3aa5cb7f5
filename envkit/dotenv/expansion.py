r"""Expand `${NAME}` in the values of a `.env` file. Pure; takes linear time.

    ${NAME}             NAME from this file, an earlier file or the environment, in that order
    ${NAME:-default}    the default if NAME is not set or empty
    ${NAME-default}     the default if NAME is not set
    \${NAME}            literal text, like everything in single quotes

A default may contain `${...}`. In its own definition, a name refers to the previous definition in
the file, then to earlier files, then to the environment: `PATH=${PATH}:/opt`. All other syntax,
such as `$NAME`, `${NAME:+x}` or `$(command)`, is literal text. Inserted values are never
scanned again.
"""

from __future__ import annotations

import re

from envkit._internal.named_tuple import NamedTuple
from envkit.dotenv.parser import ENCRYPTED
from envkit.errors import DotenvError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.dotenv.parser import Definition

MAX_DEPTH = 32  # references in a chain; recursion is the simplest way to follow them
MAX_NESTED = 4  # defaults within defaults
MAX_CHARACTERS = 8 * 1024 * 1024  # of all expanded values together

_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(\}|:?-)")
_OTHER_USE = re.compile(r"(?<!\\)\$\{[A-Za-z_][A-Za-z0-9_]*:?[+=?]")
_BRACE = re.compile(r"[{}]")


class Use(NamedTuple):
    """One `${...}`."""

    name: str
    operator: str  # "", "-" or ":-"
    default: Parts


if TYPE_CHECKING:
    Parts: TypeAlias = tuple[str | Use, ...]


class Expander:
    """Expand the values of one file, each at most once.

    Args:
        definitions: all definitions of each name, in file order; the last one wins.
        outside: returns the value of a name that the file does not set, or None.
        clear_value: returns the value of a definition, decrypted but not expanded.
    """

    def __init__(
        self,
        definitions: Mapping[str, Sequence[Definition]],
        outside: Callable[[str], str | None],
        clear_value: Callable[[Definition], str],
    ) -> None:
        self._definitions = definitions
        self._outside = outside
        self._clear_value = clear_value
        self._values: dict[tuple[str, int], str | SourceError] = {}
        self._open: list[tuple[str, int]] = []
        self._characters = 0

    def value(self, name: str) -> str:
        """Return the value that the app receives, with every `${NAME}` expanded.

        Raises:
            DotenvError: a name is not set, references form a cycle, or a required value is
                encrypted.
            SourceError: there is no private key for a required value.
        """
        return self._value(name, len(self._definitions[name]) - 1)

    def _value(self, name: str, index: int) -> str:
        key = (name, index)
        if key not in self._values:
            definition = self._definitions[name][index]
            self._enter(key, definition)
            try:
                self._values[key] = self._expanded(definition, index)
            except SourceError as error:
                self._values[key] = error
            finally:
                self._open.pop()
        known = self._values[key]
        if isinstance(known, SourceError):
            raise known
        return known

    def _enter(self, key: tuple[str, int], definition: Definition) -> None:
        if key in self._open:
            names = [name for name, _ in self._open[self._open.index(key) :]]
            cycle = " -> ".join((*names, definition.name))
            raise DotenvError(f"{definition.place}: {cycle} is a cycle")
        if len(self._open) == MAX_DEPTH:
            raise DotenvError(
                f"{definition.place}: {definition.name} expands through too many variables"
            )
        self._open.append(key)

    def _expanded(self, definition: Definition, index: int) -> str:
        text = self._clear_value(definition)
        encrypted = definition.value.startswith(ENCRYPTED)
        if encrypted or definition.quote == "'" or "${" not in text:
            return text
        return self._text(_parse(definition), definition, index)

    def _text(self, parts: Parts, definition: Definition, index: int) -> str:
        out = []
        for part in parts:
            text = part if isinstance(part, str) else self._used(part, definition, index)
            self._characters += len(text)
            if self._characters > MAX_CHARACTERS:
                raise DotenvError(f"{definition.place}: {definition.name} expands to too much text")
            out.append(text)
        return "".join(out)

    def _used(self, use: Use, definition: Definition, index: int) -> str:
        name = use.name
        before = index - 1 if name == definition.name else len(self._definitions.get(name, ())) - 1
        value = self._value(name, before) if before >= 0 else self._outside(name)
        if use.operator and (value is None or (use.operator == ":-" and not value)):
            return self._text(use.default, definition, index)
        if value is None:
            raise DotenvError(
                f"{definition.place}: ${{{name}}} is not set (write ${{{name}:-}} to allow that)",
                hint="put the value in single quotes if '${' is part of it",
            )
        return value


def not_expanded(value: str) -> list[str]:
    """Return the start of each part of a value that a shell would expand but envkit does not."""
    return [f"{use}...}}" for use in _OTHER_USE.findall(value)]


def _parse(definition: Definition) -> Parts:
    text = definition.value
    return _parts(definition, 0, len(text), _escaped(definition), 0)


def _escaped(definition: Definition) -> set[int]:
    r"""Return the positions in the value where a backslash makes a `${` literal.

    In double quotes `\\` is already reduced to one backslash, so the value alone cannot
    distinguish `\${` from `\\${`. The source text can: each `${` of the value appears in it.
    """
    source = definition.source
    found = set()
    at, there = -1, source.index("=")
    while (at := definition.value.find("${", at + 1)) >= 0:
        there = source.index("${", there + 1)
        backslashes = there
        while source[backslashes - 1] == "\\":
            backslashes -= 1
        if (there - backslashes) % 2:
            found.add(at)
    return found


def _parts(definition: Definition, start: int, end: int, escaped: set[int], depth: int) -> Parts:
    """Split part of a value into texts and `${...}` uses."""
    if depth > MAX_NESTED:
        raise DotenvError(f"{definition.place}: {definition.name} has defaults nested too deeply")
    text = definition.value
    parts: list[str | Use] = []
    done = at = start
    while (at := text.find("${", at, end)) >= 0:
        use = _USE.match(text, at, end)
        if at in escaped:
            parts.append(text[done : at - 1])
            done = at
        elif use is not None:
            parts.append(text[done:at])
            name, operator = use.groups()
            close = use.end() - 1
            default: Parts = ()
            if operator == "}":
                operator = ""
            else:
                close = _closing(text, use.end(), end)
                if close < 0:
                    raise DotenvError(
                        f"{definition.place}: ${{{name}{operator} has no '}}'",
                        hint="put the value in single quotes if '${' is part of it",
                    )
                default = _parts(definition, use.end(), close, escaped, depth + 1)
            parts.append(Use(name, operator, default))
            done = at = close + 1
            continue
        at += 2
    parts.append(text[done:end])
    return tuple(parts)


def _closing(text: str, start: int, end: int) -> int:
    """Return the position of the brace that closes a default, or -1."""
    depth = 1
    for brace in _BRACE.finditer(text, start, end):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    return -1
