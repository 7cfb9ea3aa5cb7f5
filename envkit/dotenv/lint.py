r"""Find lines of a `.env` file that other readers understand differently. Pure.

Shells, Compose, python-dotenv and Node's dotenv disagree on `$NAME`, `\$`, backticks and
the order of lines. envkit reads each line in one way and reports the lines that others do not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit.dotenv.parser import Definition, OddLine, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ODD_LINE = "dotenv-odd-line"
ESCAPE = "dotenv-escape"
DOLLAR = "dotenv-dollar"
BACKTICK = "dotenv-backtick"
ORDER = "dotenv-order"
IN_PROFILE = "profile-dollar"

_SINGLE = "put the value in single quotes, where no character is special"
_DOUBLE_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_SPECIAL = re.compile(
    r"(?P<backslash>\\\\)|(?P<escape>\\\$)|(?P<use>\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:?-)?"
    r"(?P<odd>(?<!-)[^}])?)|(?P<plain>\$(?P<word>[A-Za-z_][A-Za-z0-9_]*))|(?P<command>`|\$\()"
    r"|(?P<sign>\$[0-9@*#?$!-]|^\$['\"])"
)


_GROUPS = {
    "escape": (ESCAPE, "readers disagree on '\\$': some keep the backslash, some remove it"),
    "plain": (DOLLAR, "$NAME is text for envkit, but other readers expand it"),
    "odd": (DOLLAR, "${NAME...} with an operator is text for envkit, but other readers expand it"),
    "sign": (DOLLAR, "'$' before a digit or sign is text for envkit, but a shell expands it"),
    "command": (
        BACKTICK,
        "a backtick or $(...) is text for envkit, but a shell runs the command in it",
    ),
}


class Finding(NamedTuple):
    """One line that other readers understand differently.

    Attributes:
        code: the kind of finding, one of this module's constants.
        name: the variable; empty if the line has no name that may be shown.
        message: the text without a location and without any value.
    """

    code: str
    line: int
    name: str
    message: str
    hint: str


def in_store(text: str, *, path: str) -> Iterator[Finding]:
    """Yield the lines of a `.env` file with values that other readers understand differently.

    Args:
        text: the file's content.
        path: the file's path for messages.
    """
    pieces = list(split(text.replace("\r\n", "\n"), path=path))
    definitions = [piece for piece in pieces if isinstance(piece, Definition)]
    declared = {definition.name for definition in definitions}
    for piece in pieces:
        if isinstance(piece, OddLine) and not (piece.declares and piece.names[0] in declared):
            message = piece.error.message.removeprefix(f"{path}:{piece.line}: ")
            unclear = piece.open or piece.unclear
            rest = (
                "and the lines after it are ambiguous" if unclear else "and envkit skips the line"
            )
            yield Finding(ODD_LINE, piece.line, "", f"{message}, {rest}", piece.error.hint or "")
    first: dict[str, int] = {}
    for definition in definitions:
        first.setdefault(definition.name, definition.line)
    last = {definition.name: definition for definition in definitions}
    lines = {name: (first[name], definition.line) for name, definition in last.items()}
    for definition in definitions:
        yield from _in_value(definition)
        if last[definition.name] is definition:
            yield from _order(definition, lines)


def in_profile(text: str, *, path: str) -> Iterator[Finding]:
    """Yield the syntax in a profile that other `.env` readers interpret and profiles do not.

    Args:
        text: the text of a valid profile.
        path: the file's path for messages.
    """
    for piece in split(text.replace("\r\n", "\n"), path=path):
        if not isinstance(piece, Definition):
            continue
        found: dict[str, str] = {}
        for match in _specials(piece):
            name = match["name"] or match["word"]
            if name:
                written = f"${{{name}}}" if match["name"] else f"${name}"
                fallback = ' ?? "..."' if match["or"] else ""
                found.setdefault(written, f"write {{{{ {name}{fallback} }}}}")
        for written, hint in found.items():
            message = f"{piece.name}: {written} has no meaning in a profile and is passed as text"
            instead = f"{hint}, or put the value in single quotes if it is meant as text"
            yield Finding(IN_PROFILE, piece.line, piece.name, message, instead)
        yield from (one for one in _in_value(piece) if one.code != DOLLAR)


def _specials(definition: Definition) -> Iterator[re.Match[str]]:
    """Yield each part of a value outside single quotes that is special to some reader."""
    if definition.quote == "'" or not any(mark in definition.source for mark in "$`"):
        return
    value = definition.value
    if definition.quote:
        quoted = _DOUBLE_QUOTED.match(definition.source.partition("=")[2].lstrip())
        value = quoted[1] if quoted else value
    for match in _SPECIAL.finditer(value):
        if not (definition.quote and match.group() in ("$'", '$"')):  # special outside quotes only
            yield match


def _in_value(definition: Definition) -> Iterator[Finding]:
    name, line = definition.name, definition.line
    kinds = {group for match in _specials(definition) for group in _GROUPS if match[group]}
    for group, (code, what) in _GROUPS.items():
        if group in kinds:
            yield Finding(code, line, name, f"{name}: {what}", _SINGLE)


def _order(definition: Definition, lines: Mapping[str, tuple[int, int]]) -> Iterator[Finding]:
    """Yield the variables that a value takes from lines further down in the file.

    Args:
        definition: the definition of the variable that wins.
        lines: for each variable, the first and the last line that set it.
    """
    name, line = definition.name, definition.line
    names = (match["name"] for match in _specials(definition) if match["name"] and not match["odd"])
    for used in dict.fromkeys(names):
        above, below = lines.get(used, (0, 0))
        if below <= line:
            continue
        if above > line:
            how, others = f"only line {above} sets", "find nothing there"
            hint = f"move the line that sets {used} above this one"
        else:
            how, others = f"line {below} sets again", "take the value of a line above"
            hint = f"keep one line that sets {used}, above this one"
        message = f"{name} uses ${{{used}}}, which {how}: other readers {others}"
        yield Finding(ORDER, line, name, message, hint)
