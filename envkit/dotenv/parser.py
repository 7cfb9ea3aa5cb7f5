"""Parse the lines of a `.env` file: its definitions, and their line numbers. Pure.

python-dotenv's parser is used. What it silently skips (a line without `=`, an open
quotation mark, a name that no shell takes) is an error here, with the line number. No
message quotes the line: it may be the second line of a value.

A file of plain lines, as most are, is read without that parser, with the same result:
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
_BYTE_ORDER_MARK = "\ufeff"
_FORM = "write NAME=value or NAME='value'"


class Definition(NamedTuple):
    """One `NAME=value` as it stands in the file."""

    name: str
    value: str  # without quotes and escapes; nothing expanded
    quote: str  # the quotation mark around the value, or an empty text
    line: int  # where it begins, from 1
    place: str  # the file and line, for messages
    source: str  # its own text, and the blanks before it

    def __repr__(self) -> str:
        return f"Definition({self.name}, {self.place})"

    def clear_value(self) -> str:
        """Return the value.

        Raises:
            DotenvError: it is ciphertext.
        """
        if self.value.startswith(ENCRYPTED):
            raise DotenvError(
                f"{self.place}: {self.name} is encrypted, and cannot be read yet",
                hint="decrypt the file with 'dotenvx decrypt', or keep the value elsewhere",
            )
        return self.value


def decode(data: bytes, *, path: str) -> str:
    """Return the text of a file.

    Raises:
        DotenvError: it is not UTF-8; with the line.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DotenvError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None


def split(text: str, *, path: str) -> Iterator[Definition | str]:
    """Split a file into its definitions and what stands between them.

    Args:
        text: the file's content.
        path: how messages call the file.

    Returns:
        the definitions, and texts (comments, blank lines), in their order. Their sources
        and texts, joined, are `text` without a byte order mark.

    Raises:
        DotenvError: a line is not `NAME=value`.
    """
    nul = text.find("\0")
    if nul >= 0:
        line = _newlines(text[:nul]) + 1
        raise DotenvError(f"{path}:{line}: a NUL character", hint="take it out")
    pieces = plain_pieces(text, path=path)
    return iter(pieces) if pieces is not None else _parsed(text, path)


def plain_pieces(text: str, *, path: str) -> list[Definition | str] | None:
    """Return what `split` does for a text of plain lines, None where one of them is not.

    Plain is a comment, a blank line, and `NAME=value` or `export NAME=value` whose value
    has no `#`, or is in quotation marks without a backslash, newline or comment.
    """
    if "\r" in text:
        return None
    pieces: list[Definition | str] = []
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
    """Return a plain value and its quotation mark, from what is on its line without blanks."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return None if "#" in text else (text, "")
    value = text[1:-1]
    ends = len(text) > 1 and text.endswith(quote)
    return (value, quote) if ends and quote not in value and "\\" not in value else None


def _parsed(text: str, path: str) -> Iterator[Definition | str]:
    for key, value, (source, first_line), failed in _parse_stream()(io.StringIO(text)):
        if key is None and not failed:
            yield source
            continue
        body = source.lstrip()
        line = first_line + _newlines(source[: len(source) - len(body)])
        place = f"{path}:{line}"
        if failed:
            raise DotenvError(f"{place}: cannot parse", hint=_FORM)
        if value is None:
            raise DotenvError(f"{place}: the line has no '='", hint=_FORM)
        if not is_name(key):
            raise DotenvError(
                f"{place}: what stands before '=' is not a variable name",
                hint="use letters, digits and '_', and no digit first",
            )
        quote = body.partition("=")[2].lstrip()[:1]
        yield Definition(key, value, quote if quote in "'\"" else "", line, place, source)


def _newlines(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _parse_stream() -> Callable[[IO[str]], Iterator[Any]]:
    """Return python-dotenv's `parser.parse_stream`, without importing its package.

    `import dotenv` brings logging, tempfile and more: 14 ms, where the parser is 2.
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
