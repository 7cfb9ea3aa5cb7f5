r"""Decide what a line of a `.env` file that cannot be used may have meant. Pure.

One odd line must not spoil a file, and must not be passed over as if it were not there:

    FOO='x' y          FOO cannot be read; every other variable can
    FOO: x             the same
    export FOO         nothing, if the file sets FOO; else FOO cannot be read
    FOO='open          FOO cannot be read, and neither can what comes after it: nothing says
                       where the value ends
    FOO=-----BEGIN...  without quotes: FOO cannot be read, and its lines are not variables

The names that a line may have set are only ever looked up. They are never listed, since
such a line can be the second line of a secret.
"""

from __future__ import annotations

import re

from envkit._internal.names import is_name
from envkit.dotenv.parser import AROUND_A_NAME, OddLine, is_utf8
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.dotenv.parser import Definition

_FORM = "write NAME=value or NAME='value'"
_UTF8 = "save the file as UTF-8"
_HEADER = "-----BEGIN "
_FOOTER = re.compile(r"-----END [^\r\n]*(?:\r\n|\r|\n|$)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_SET = re.compile(r"\s*(?:export[^\S\r\n]+)?['\"]?([^\s=#'\":]+)['\"]?[^\S\r\n]*=[^\S\r\n]*")
_SET_LATER = re.compile(
    r"^[^\S\r\n]*(?:export[^\S\r\n]+)?['\"]?([^\s=#'\":]+)['\"]?[^\S\r\n]*=", re.MULTILINE
)
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)['\"]?[^\S\r\n]*[=:]")
_FIRST_WORD = re.compile(r"\s*(?:export[^\S\r\n]+)?['\"]?([A-Za-z_][A-Za-z0-9_]*)")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\\r\n])*'|"(?:\\.|[^"\\\r\n])*\"""")
_ESCAPED = re.compile(r"\\.|\s#.*")


def odd_line(text: str, start: int, source: str, key: str | None, line: int, path: str) -> OddLine:
    """Return what is known of a piece of a file that is no usable definition.

    Args:
        text: the file, without a byte order mark.
        start: where the piece begins in it.
        source: the piece, as far as the parser took it.
        key: what the parser took for a name, if it understood the piece.
        line: of the piece's first character that is not blank.
        path: how messages call the file.
    """
    place = f"{path}:{line}"
    setting = _SET.match(source)
    name = key if key is not None else setting[1] if setting else ""
    found = (name,) if name and setting else ()
    listed = bool(found) and is_name(name)
    if "\0" in source:
        error = DotenvError(f"{place}: a NUL character", hint="take it out")
        known = listed and "\0" not in source[: source.index("=")]
        return OddLine(found if known else (), error, line, source, listed=known, unclear=not known)
    if not is_utf8(source):
        error = DotenvError(f"{place}: not UTF-8", hint=_UTF8)
        return OddLine(found, error, line, source, listed=listed)
    if setting is not None and (end := _open_end(text, start, setting)) is not None:
        return _open(text[start:end], found, listed=listed, line=line, place=place)
    if key is None:
        names = found or tuple(dict.fromkeys((*_FIRST_WORD.findall(source)[:1], *_names(source))))
        return OddLine(names, _unparsable(place), line, source, listed=listed)
    if setting is None:
        declares = source.lstrip().startswith("export") and key != "export"
        return OddLine((key,), DotenvError(f"{place}: the line has no '='", hint=_FORM), line, source, declares=declares)
    error = DotenvError(
        f"{place}: what stands before '=' is not a variable name",
        hint="use letters, digits and '_', and no digit first",
    )
    return OddLine((key.strip(AROUND_A_NAME),), error, line, source)


def unfinished(definition: Definition) -> OddLine:
    """Return what a definition is whose value goes on, without quotes, in the next line."""
    error = DotenvError(
        f"{definition.place}: the value of {definition.name} seems to go on in the next line",
        hint="put a value of several lines in quotes",
    )
    return OddLine((definition.name,), error, definition.line, definition.source, listed=True)


def _unparsable(place: str) -> DotenvError:
    return DotenvError(f"{place}: cannot parse", hint=_FORM)


def _names(source: str) -> list[str]:
    """Return the names before a `=` or a colon in a line that says something else first."""
    return [match[1] for match in _NAMED.finditer(source)]


def _open_end(text: str, start: int, setting: re.Match[str]) -> int | None:
    """Return where a value ends that is open at the end of its line; None where it is not open.

    The end of a PEM block is known. Where a quotation mark is missing, nothing says where the
    value ends, and so it reaches to the end of the file.
    """
    begin = start + setting.end()
    line = _LINE.match(text, begin)
    assert line is not None  # noqa: S101 - it matches everywhere
    value = line.group()
    if value.startswith(_HEADER):
        footer = _FOOTER.search(text, begin)
        return footer.end() if footer else line.end()
    if value.startswith("`"):
        return len(text) if "`" not in value[1:] and "`" in text[line.end() :] else None
    if not value.startswith(("'", '"')):
        return None
    quoted = _QUOTED.match(value)
    if quoted is None:
        return len(text)
    behind = _ESCAPED.sub("", value[quoted.end() :])
    return len(text) if behind.count("'") % 2 or behind.count('"') % 2 else None


def _open(
    source: str, found: tuple[str, ...], *, listed: bool, line: int, place: str
) -> OddLine:
    """Return the odd line for a value that is open, with what it may have swallowed."""
    first = _LINE.match(source, len(source) - len(source.lstrip()))
    assert first is not None  # noqa: S101 - it matches everywhere
    if source[_SET.match(source).end() :].startswith(_HEADER):  # type: ignore[union-attr]
        error = DotenvError(
            f"{place}: a value of several lines without quotes",
            hint="put it in double quotes, from -----BEGIN to -----END",
        )
        return OddLine(found, error, line, source, listed=listed)
    swallowed = tuple(dict.fromkeys(match[1] for match in _SET_LATER.finditer(source, first.end())))
    return OddLine(
        (*found, *(name for name in swallowed if name not in found)),
        _unparsable(place),
        line,
        source,
        listed=listed,
        unclear=bool(swallowed),
        open=True,
    )


def settle(
    odd: Sequence[OddLine], definitions: dict[str, list[Definition]], listed: set[str]
) -> tuple[tuple[DotenvError, ...], DotenvError | None]:
    """Decide what odd lines mean, given all that the file sets.

    Args:
        odd: of a file.
        definitions: of the file, those without a value too; `export NAME` is removed where
            the file sets NAME.
        listed: names of variables; those that only odd lines may have set are removed.

    Returns:
        what is wrong with the file, and why a variable that it does not set may be in it.
    """
    problems, unclear = [], None
    sure = {line.names[0] for line in odd if line.listed}
    for line in odd:
        if line.declares:
            [name] = line.names
            setting = [one for one in definitions[name] if one.source != line.source]
            if setting:
                definitions[name] = setting
                continue
        problems.append(line.error)
        if line.unclear:
            unclear = unclear or _following(line)
        for index, name in enumerate(line.names):
            if index and line.open:
                found = definitions[name]
                found[-1] = found[-1]._replace(error=_following(line))
    listed.intersection_update(
        {name for name, found in definitions.items() if any(one.error is None for one in found)}
        | sure
    )
    return tuple(problems), unclear


def _following(line: OddLine) -> DotenvError:
    """Return the error for a variable that an odd line may have hidden."""
    if not line.open:
        return line.error
    return DotenvError(
        f"{line.error.message}, so nothing says what the lines after it mean",
        hint="close the quotation mark on that line",
    )
