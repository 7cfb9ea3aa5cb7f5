r"""Decide what an unreadable line of a `.env` file may set. Pure.

One unreadable line must neither invalidate the file nor be silently ignored:

    FOO='x' y          FOO cannot be read; every other variable can
    FOO: x             the same
    export FOO         nothing, if the file sets FOO; otherwise FOO cannot be read
    FOO='open          FOO and everything after it cannot be read: the end of the value
                       is unknown
    <<<<<<< HEAD       no variable of the file can be read: the merge is not finished
    FOO=-----BEGIN...  without quotes: FOO cannot be read; its lines set no variables

The names that a line may set can be looked up but are never listed, because the line
may be the second line of a secret.
"""

from __future__ import annotations

import re

from envkit._internal.names import is_name
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    # those of `OddLine`: names, error, line, source, listed, declares, unclear, open, conflict
    Fields: TypeAlias = tuple[tuple[str, ...], DotenvError, int, str, bool, bool, bool, bool, bool]

# characters that editors do not show, and marks around a name in other formats
_AROUND_A_NAME = "\ufeff\u200b\u200c\u200d\u2060\"'`:,;+$@&?!"
_POWERSHELL = re.compile(r"\$\{?env:", re.IGNORECASE)
# words before a name in the syntax of shells and editors
_COMMANDS = frozenset(("set", "setenv", "declare", "typeset", "readonly", "local", "env", "let"))

_FORM = "write NAME=value or NAME='value'"
_UTF8 = "save the file as UTF-8"
_HEADER = "-----BEGIN "
_FOOTER = re.compile(r"-----END [^\r\n]*(?:\r\n|\r|\n|$)")
_CONFLICT = re.compile(r"\s*(?:<{7}|>{7}|\|{7})(?: |\r|\n|$)|\s*={7}\s*$")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_SET = re.compile(r"\s*(?:export[^\S\r\n]+)?['\"]?([^\s=#'\":]+)['\"]?[^\S\r\n]*=[^\S\r\n]*")
_SET_LATER = re.compile(
    r"^[^\S\r\n]*(?:export[^\S\r\n]+)?['\"]?([^\s=#'\":]+)['\"]?[^\S\r\n]*=", re.MULTILINE
)
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)['\"]?[^\S\r\n]*[=:]")
_FIRST_WORD = re.compile(r"\s*(?:export[^\S\r\n]+)?['\"]?([A-Za-z_][A-Za-z0-9_]*)")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\\r\n])*'|"(?:\\.|[^"\\\r\n])*\"""")
_ESCAPED = re.compile(r"\\.|\s#.*")


def bare_name(key: str) -> str:
    """Return the name in the text before `=`: `FOO` for `FOO+`, `"FOO"` and `$env:FOO`."""
    return _POWERSHELL.sub("", key).strip(_AROUND_A_NAME + "}")


def odd_line(text: str, start: int, source: str, key: str | None, line: int, path: str) -> Fields:
    """Return the odd line for part of a file that is not a usable definition.

    Args:
        text: the file's text without a byte order mark.
        start: the position of the part in the text.
        source: the part, as far as the parser read it.
        key: the name that the parser found, if it accepted the part.
        line: the line of the first character that is not blank.
        path: the file's path for messages.
    """
    place = f"{path}:{line}"
    setting = _SET.match(source)
    name = key if key is not None else setting[1] if setting else ""
    found = (name,) if name and setting else ()
    listed = bool(found) and is_name(name)
    if (
        setting is not None
        and (end := _open_end(text, start, setting, failed=key is None)) is not None
    ):
        return _open(text[start:end], found, listed=listed, line=line, place=place)
    if "\0" in source:
        error = DotenvError(f"{place}: a NUL character", hint="remove it")
        known = listed and "\0" not in source[: source.index("=")]
        return _fields(found if known else (), error, line, source, listed=known, unclear=not known)
    if any("\udc80" <= char <= "\udcff" for char in source):
        error = DotenvError(f"{place}: not UTF-8", hint=_UTF8)
        return _fields(found, error, line, source, listed=listed)
    if key is None:
        return _failed(source, found, listed=listed, line=line, path=path)
    if setting is None:
        declares = source.lstrip().startswith("export") and key != "export" and is_name(key)
        return _fields(
            tuple(dict.fromkeys((bare_name(key), *_names(source)))),
            DotenvError(f"{place}: the line has no '='", hint=_FORM),
            line,
            source,
            declares=declares,
        )
    error = DotenvError(
        f"{place}: the text before '=' is not a variable name",
        hint="use letters, digits and '_', not beginning with a digit",
    )
    return _fields((bare_name(key),), error, line, source)


def _fields(
    names: tuple[str, ...],
    error: DotenvError,
    line: int,
    source: str,
    *,
    listed: bool = False,
    declares: bool = False,
    unclear: bool = False,
    open: bool = False,  # noqa: A002 - the field's name
    conflict: bool = False,
) -> Fields:
    return names, error, line, source, listed, declares, unclear, open, conflict


def _failed(source: str, found: tuple[str, ...], *, listed: bool, line: int, path: str) -> Fields:
    """Return the odd line for text that the parser did not accept."""
    place = f"{path}:{line}"
    if _CONFLICT.match(source):
        error = DotenvError(
            f"{place}: an unresolved merge conflict",
            hint=f"choose the lines to keep in {path}, and remove the marks of git",
        )
        return _fields((), error, line, source, unclear=True, conflict=True)
    names = found or tuple(dict.fromkeys((*_FIRST_WORD.findall(source)[:1], *_names(source))))
    return _fields(names, _unparsable(place), line, source, listed=listed)


def _unparsable(place: str) -> DotenvError:
    return DotenvError(f"{place}: cannot parse", hint=_FORM)


def _names(source: str) -> list[str]:
    """Return the names that a line may set after other text.

    They precede a `=` or a colon, or follow a word such as `setenv`.
    """
    words = source.split()
    commanded = words[1:] if words and words[0].lower() in _COMMANDS else []
    return [match[1] for match in _NAMED.finditer(source)] + list(filter(is_name, commanded))


def _open_end(text: str, start: int, setting: re.Match[str], *, failed: bool) -> int | None:
    """Return where a value ends that is not complete on its line; None if it is complete.

    A PEM block has a known end. If a quotation mark is missing, the end of the value is unknown,
    so the value extends to the end of the file.
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
    if not failed or not value.startswith(("'", '"')):
        return None
    quoted = _QUOTED.match(value)
    if quoted is None:
        return len(text)
    behind = _ESCAPED.sub("", value[quoted.end() :])
    return len(text) if behind.count("'") % 2 or behind.count('"') % 2 else None


def _open(source: str, found: tuple[str, ...], *, listed: bool, line: int, place: str) -> Fields:
    """Return the odd line for an incomplete value, with the names that it may have swallowed."""
    first = _LINE.match(source, len(source) - len(source.lstrip()))
    assert first is not None  # noqa: S101 - it matches everywhere
    if source[_SET.match(source).end() :].startswith(_HEADER):  # type: ignore[union-attr]
        error = DotenvError(
            f"{place}: a multi-line value without quotes",
            hint="put it in double quotes, from -----BEGIN to -----END",
        )
        return _fields(found, error, line, source, listed=listed)
    swallowed = tuple(dict.fromkeys(match[1] for match in _SET_LATER.finditer(source, first.end())))
    return _fields(
        (*found, *(name for name in swallowed if name not in found)),
        _unparsable(place),
        line,
        source,
        listed=listed,
        unclear=bool(swallowed),
        open=True,
    )
