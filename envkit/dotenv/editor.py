r"""Set or remove one value in the text of a `.env` file and leave every other byte as it is. Pure.

Values are written in one of four forms:

    plain        letters, digits and `_./:@%+,=-` only
    'single'     other values; no character is special inside single quotes
    "double"     values with characters that some readers reject in single quotes
    'it\'s $5'   values in which a shell would expand `$` or a backtick in double quotes

envkit reads all four back exactly. python-dotenv's parser, which envkit uses, does the same except
for a value that has both a carriage return and `${`. A shell reads the first three back exactly,
but takes the `\r` of a carriage return as two characters.
"""

from __future__ import annotations

import re

from envkit.dotenv.parser import ENCRYPTED, Definition, OddLine, split
from envkit.errors import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.errors import DotenvError

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`""", flags=re.DOTALL)
_NAME = re.compile(r"(?!export$)[^\s=#'\"`\\\0:,;+$@&\ufeff\u200b\u200c\u200d\u2060]+")
_BLANKS = re.compile(r"[^\S\r\n]*")


def set_value(text: str, name: str, value: str, *, path: str) -> str:
    """Return a file's text with one variable set; see `set_written`.

    Args:
        text: the file's content.
        name: the name of the variable.
        value: the value that `parse` will return.
        path: the file's path for messages.

    Raises:
        DotenvError: see `set_written`.
        InvalidValueError: a `.env` file cannot contain the value or the name.
    """
    return set_written(text, name, quote(value, name=name), path=path)


def set_written(text: str, name: str, written: str, *, path: str) -> str:
    """Return a file's text with one variable set.

    Only the value of the variable is replaced. `export`, blanks and comments stay. If the file
    defines the variable several times, the last definition is changed because it
    wins. A new variable is appended.

    Args:
        text: the file's content.
        name: the name of the variable.
        written: the value in the syntax of the file, as `quote` returns it.
        path: the file's path for messages.

    Raises:
        DotenvError: an unreadable line may set the variable, or a quotation mark is never closed.
        InvalidValueError: a `.env` file cannot contain the name.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    written = written.replace("\n", newline)
    sources: list[str] = []
    last: tuple[int, Definition] | None = None
    spoilt: DotenvError | None = None
    for piece in split(text, path=path):
        if isinstance(piece, str):
            sources.append(piece)
            continue
        if isinstance(piece, OddLine):
            if piece.open or piece.unclear or (name in piece.names and not piece.declares):
                spoilt = piece.error
        elif piece.name == name:
            last = (len(sources), piece)
        sources.append(piece.source)
    if spoilt is not None:
        raise spoilt
    if last is not None:
        index, definition = last
        sources[index] = replaced(definition, written)
    else:
        if sources and not sources[-1].endswith(("\n", "\r")):
            sources.append(newline)
        if not _NAME.fullmatch(name):
            raise InvalidValueError(
                f"{path}: a .env file cannot contain a variable called {name!r}"
            )
        sources.append(f"{name}={written}{newline}")
    return _marked(text, "".join(sources))


def remove_value(text: str, name: str, *, path: str) -> str:
    """Return a file's text without the definitions of a variable.

    Raises:
        DotenvError: an unreadable line may set the variable, or a quotation mark is never closed.
    """
    lines = []
    for piece in split(text, path=path):
        if isinstance(piece, str):
            lines.append(piece)
            continue
        if isinstance(piece, OddLine):
            its_own = name in piece.names
            if piece.open or piece.unclear or (its_own and not piece.declares):
                raise piece.error
        else:
            its_own = piece.name == name
        if not its_own:
            lines.append(piece.source)
        else:  # the blank lines before it stay
            blank = piece.source[: len(piece.source) - len(piece.source.lstrip())]
            lines.append(blank[: blank.rfind("\n") + 1])
    return _marked(text, "".join(lines))


def repeated_note(text: str, name: str, *, path: str, removed: bool) -> str | None:
    """Return a note if several lines set the variable that a change affects; None otherwise.

    Args:
        text: the file's content before the change.
        name: the name of the variable.
        path: the file's path for messages.
        removed: whether the change removes the variable.
    """
    pieces = split(text, path=path)
    count = sum(isinstance(piece, Definition) and piece.name == name for piece in pieces)
    if count < 2:
        return None
    if removed:
        return f"{path}: all {count} lines that set {name} were removed"
    return f"{path}: of {count} lines that set {name}, the last was changed"


def quote(value: str, *, name: str) -> str:
    """Return a value in the syntax of a `.env` file.

    Raises:
        InvalidValueError: a `.env` file cannot contain the value; the message uses `name`.
    """
    check_value(value, name=name)
    if _PLAIN.fullmatch(value):
        return value
    literal = "'" not in value and "\\\\" not in value and not value.endswith("\\")
    if literal and "\r" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\")
    if "\r" in value or not ("$" in value or "`" in value):
        escaped = escaped.replace('"', '\\"').replace("\r", "\\r").replace("${", "\\${")
        return f'"{escaped}"'
    escaped = escaped.replace("'", "\\'")
    return f"'{escaped}'"


def _marked(before: str, after: str) -> str:
    """Return the text `after` with the byte order mark of the text `before`, if it has one."""
    return "\ufeff" + after if before.startswith("\ufeff") else after


def check_value(value: str, *, name: str) -> None:
    """Refuse a value that a `.env` file cannot contain.

    Raises:
        InvalidValueError: the message uses `name`.
    """
    if "\0" in value:
        raise InvalidValueError(
            f"{name} contains a NUL character, which no environment variable can contain"
        )
    if value.startswith(ENCRYPTED):
        raise InvalidValueError(f"{name} begins with '{ENCRYPTED}', which marks ciphertext")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"{name} is not UTF-8 text, as a .env file requires", hint="encode it as base64"
        ) from None


def replaced(definition: Definition, written: str) -> str:
    """Return the definition's text with its value replaced."""
    name, _, rest = definition.source.partition("=")
    old = _BLANKS.sub("", rest, count=1)
    blanks = rest[: len(rest) - len(old)]
    quoted = _QUOTED.match(old) if definition.quote else None
    end = quoted.end() if quoted else len(definition.value)
    tail = old[end:]
    if end == 0:
        blanks, tail = "", blanks + tail
    if tail.startswith("#"):
        tail = " " + tail  # directly after an unquoted value it would become part of the value
    return f"{name}={blanks}{written}{tail}"
