"""Parse a `.env` file into definitions with line numbers. Pure.

This uses python-dotenv's parser. Text that it silently skips (a line without `=`, an unclosed
quotation mark) becomes an `OddLine`, which says which variables cannot be read, why, and
on which line. No message quotes the line: it may be the second line of a value.

Most files have only plain lines. They are read without that parser, with the same result:
importing it takes 10 ms, more than the rest of `envkit exec`.
"""

from __future__ import annotations

import io

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any

ENCRYPTED = "encrypted:"
PUBLIC_KEY = "DOTENV_PUBLIC_KEY"  # begins the name of the key to which values are encrypted
_PLAIN = "_PLAIN"  # ends the name of a variable that is never encrypted
_BYTE_ORDER_MARK = "\ufeff"
# how an unquoted value starts that may need several lines; see `recovery`
_OPENINGS = ("`", "-----BEGIN ")
# how a value ends that seems to continue on the next line
_CONTINUED = ("\\", "{", "[", "(")


class Definition(NamedTuple):
    """One `NAME=value` as written in the file."""

    name: str
    value: str  # without quotes and escapes, not expanded
    quote: str  # the quotation mark around the value, or ""; a backtick only around ciphertext
    line: int  # first line of the definition, 1-based
    place: str  # the file and line, for messages
    source: str  # the source text, with the blanks before it
    error: DotenvError | None = None  # why there is no value

    def __repr__(self) -> str:
        return f"Definition({self.name}, {self.place})"

    def clear_value(self) -> str:
        """Return the value.

        Raises:
            DotenvError: it is ciphertext or cannot be read.
        """
        if self.error is not None:
            raise self.error
        if self.value.startswith(ENCRYPTED):
            raise DotenvError(
                f"{self.place}: {self.name} is encrypted, which only the files of a source may be",
                hint="write the value in plain text here, or store it in a .env file of the source",
            )
        return self.value


def stays_plain(name: str) -> bool:
    """Return whether a variable is never encrypted, such as `LOG_LEVEL_PLAIN` and a public key."""
    return name.endswith(_PLAIN) or name.startswith(PUBLIC_KEY)


class OddLine(NamedTuple):
    """Part of a file, usually one line, that cannot be read as a definition."""

    names: tuple[str, ...]  # names that it may set; its own name comes first
    error: DotenvError  # the error for these variables; quotes nothing of the line
    line: int  # first line, 1-based
    source: str  # the source text, with the blanks before it
    listed: bool = False  # whether the first name is certainly a variable
    declares: bool = False  # `export NAME`, which sets nothing
    unclear: bool = False  # whether it may also set any other variable
    open: bool = False  # whether text appended after it would become part of it
    conflict: bool = False  # whether it is a mark of an unresolved merge

    def __repr__(self) -> str:
        return f"OddLine({self.line})"

    def spoilt(self, path: str) -> Iterator[Definition]:
        """Yield a definition without a value for each name."""
        place = f"{path}:{self.line}"
        for name in self.names:
            yield Definition(name, "", "", self.line, place, self.source, self.error)


if TYPE_CHECKING:
    from typing import TypeAlias

    Piece: TypeAlias = Definition | OddLine | str


def decode(data: bytes, *, path: str) -> str:
    """Return the text of a file; a byte that is not UTF-8 invalidates only its own variable.

    Raises:
        DotenvError: the whole file has another encoding.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DotenvError(f"{path}:1: not UTF-8 but UTF-16", hint="save the file as UTF-8")
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of a text that `decode` returned."""
    return text.encode("utf-8", "surrogateescape")


def split(text: str, *, path: str) -> Iterator[Piece]:
    """Split a file into definitions and the text between them.

    Args:
        text: the file's content.
        path: the file's path for messages.

    Returns:
        the definitions, odd lines and texts (comments, blank lines), in file order. Their sources
        and texts, joined, equal `text` without a byte order mark. The name of a definition may be
        one that is not valid in a shell, such as `discovery.type`.
    """
    pieces = plain_pieces(text, path=path)
    return iter(pieces) if pieces is not None else _joined(_parsed(text, path))


def plain_pieces(text: str, *, path: str) -> list[Piece] | None:
    """Return the same pieces as `split` for a text of plain lines; None for any other text.

    A plain line is blank, a comment, or `NAME=value` or `export NAME=value`. The value has
    no `#`, or is in quotation marks without a backslash, newline or comment.
    """
    if "\r" in text or "\0" in text or not is_utf8(text):
        return None
    pieces: list[Piece] = []
    source = ""
    for number, line in enumerate(io.StringIO(text.removeprefix(_BYTE_ORDER_MARK)), start=1):
        source += line
        body = line.strip()
        if not body:
            continue
        if body.startswith("#"):
            pieces.append(source)
        else:
            name, equals, rest = body.partition("=")
            name, value = name.removeprefix("export "), plain_value(rest.lstrip())
            if not equals or value is None or not is_name(name):
                return None
            pieces.append(Definition(name, *value, number, f"{path}:{number}", source))
        source = ""
    return [*pieces, source] if source else pieces


def plain_value(text: str) -> tuple[str, str] | None:
    """Return a plain value and its quotation mark, given the rest of its line without blanks."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return None if "#" in text or text.startswith(_OPENINGS) else (text, "")
    value = text[1:-1]
    ends = len(text) > 1 and text.endswith(quote)
    return (value, quote) if ends and quote not in value and "\\" not in value else None


def is_utf8(text: str) -> bool:
    """Return whether `decode` could decode every byte of a text."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(text: str, path: str) -> Iterator[Piece]:
    text, lines_before, start = text.removeprefix(_BYTE_ORDER_MARK), 0, 0
    while start < len(text):
        rest = text[start:]
        if rest.startswith(_BYTE_ORDER_MARK):
            rest = _BYTE_ORDER_MARK + rest  # the parser drops one
        for key, parsed, (source, first_line), failed in _parse_stream()(io.StringIO(rest)):
            if key is None and not failed:
                start += len(source)
                yield source
                continue
            body = source.lstrip()
            line = lines_before + first_line + _newlines(source[: len(source) - len(body)])
            quote = body.partition("=")[2].lstrip()[:1]
            quote = quote if quote in "'\"" else ""
            value = parsed
            if not quote and parsed is not None and ENCRYPTED in parsed:
                value, quote = _ciphertext(parsed)
            if failed or value is None or _is_odd(key, value, source, quote):
                from envkit.dotenv.recovery import odd_line

                odd = OddLine(*odd_line(text, start, source, key, line, path))
                yield odd
                start += len(odd.source)
                if odd.source != source:
                    break  # the parser assumes a shorter line
            else:
                start += len(source)
                yield Definition(key, value, quote, line, f"{path}:{line}", source)
        lines_before = _newlines(text[:start])


def _ciphertext(value: str) -> tuple[str, str]:
    """Return a value without quotes as dotenvx reads it, if it is ciphertext, and its quote."""
    if value.startswith("`" + ENCRYPTED) and value.endswith("`"):
        return value[1:-1], "`"
    return (value.partition("#")[0], "") if value.startswith(ENCRYPTED) else (value, "")


def _is_odd(key: str, value: str, source: str, quote: str) -> bool:
    """Return whether a piece that the parser accepted cannot be used as a definition."""
    return (
        (not quote and value.startswith(_OPENINGS) and _begins_more(value))
        or "\0" in source
        or not is_utf8(source)
        or "=" in key
        or (not is_name(key) and _is_marked(key))
    )


def _is_marked(key: str) -> bool:
    """Return whether the text before `=` is a name with extra characters around it."""
    from envkit.dotenv.recovery import bare_name

    return is_name(bare_name(key))


def _begins_more(value: str) -> bool:
    """Return whether a value without quotes can only be the first line of a longer one."""
    return value.count("`") == 1 if value.startswith("`") else "-----END " not in value


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Yield the pieces; one that continues in the next without quotes becomes an odd line."""
    open_one: Definition | None = None
    for piece in pieces:
        if open_one is not None:
            yield _finished(open_one, piece)
            open_one = None
        if isinstance(piece, Definition) and not piece.quote and piece.value.endswith(_CONTINUED):
            open_one = piece
        else:
            yield piece
    if open_one is not None:
        yield open_one


def _finished(definition: Definition, following: Piece) -> Definition | OddLine:
    if isinstance(following, str) or following.source.lstrip(" \t").startswith(("\r", "\n")):
        return definition
    if isinstance(following, Definition):
        fine = is_name(following.name)
    else:
        fine = following.listed or following.declares
    if fine:
        return definition
    error = DotenvError(
        f"{definition.place}: the value of {definition.name} seems to continue on the next line",
        hint="put a multi-line value in quotes",
    )
    return OddLine((definition.name,), error, definition.line, definition.source, listed=True)


def _newlines(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _parse_stream() -> Callable[[IO[str]], Iterator[Any]]:
    """Return python-dotenv's `parser.parse_stream`, without importing its package.

    `import dotenv` loads logging, tempfile and more: 14 ms. The parser alone takes 2 ms.
    """
    global _loaded  # noqa: PLW0603 - loaded once
    if _loaded is None:
        try:
            _loaded = _load_parser_alone()
        except Exception:  # noqa: BLE001 - installed in an unusual way: import it as usual
            from dotenv.parser import parse_stream

            _loaded = parse_stream
    return _loaded


_loaded: Callable[[IO[str]], Iterator[Any]] | None = None


def _load_parser_alone() -> Callable[[IO[str]], Iterator[Any]]:
    from importlib.machinery import PathFinder, SourceFileLoader

    package = PathFinder.find_spec("dotenv")
    assert package is not None  # noqa: S101 - else the caller imports it
    assert package.submodule_search_locations  # noqa: S101
    path = f"{package.submodule_search_locations[0]}/parser.py"
    module = type(io)("envkit._dotenv_parser")
    SourceFileLoader(module.__name__, path).exec_module(module)
    return module.parse_stream  # type: ignore[no-any-return]
