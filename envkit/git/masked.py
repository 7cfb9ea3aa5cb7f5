"""The text that `git diff` shows of an encrypted file: names, and marks of values. Pure.

The mark of an encrypted value is a hash of its ciphertext, so that a change is visible. It says
nothing about the value: the same value encrypted again has another mark. A plain value has only
16 bits of a hash.
"""

from __future__ import annotations

import hashlib
import re

from envkit.dotenv.parser import PUBLIC_KEY, OddLine, decode, split, stays_plain
from envkit.encryption.keys import PRIVATE_KEY
from envkit.encryption.values import is_encrypted
from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.dotenv.parser import Definition

_KEYS = (PUBLIC_KEY, PRIVATE_KEY)
_ENCRYPTED_DIGITS = 8
_PLAIN_DIGITS = 4
_ASSIGNMENT = re.compile(r"^(\s*#[^=:]*[=:]).+")


def masked(data: bytes, *, path: str) -> str:
    """Return the text for a diff; a file without keys and encrypted values is returned as is.

    Args:
        data: the content of the file.
        path: the file's path.
    """
    try:
        text = decode(data, path=path)
        pieces = list(split(text, path=path))
    except DotenvError as error:
        return f"# cannot be read: {error.message}\n"
    definitions = [one for one in pieces if not isinstance(one, str | OddLine)]
    if not any(one.name.startswith(_KEYS) or is_encrypted(one.value) for one in definitions):
        return text
    return "".join(f"{line}\n" for piece in pieces for line in _lines(piece))


def _lines(piece: Definition | OddLine | str) -> Iterator[str]:
    if isinstance(piece, str):
        for line in piece.splitlines():
            yield _ASSIGNMENT.sub(r"\1********", line)
    elif isinstance(piece, OddLine):
        mark = _mark(piece.source, _PLAIN_DIGITS)
        names = f" ({', '.join(piece.names)})" if piece.listed else ""
        yield f"# cannot be read{names} {mark}"
    else:
        blank = piece.source[: len(piece.source) - len(piece.source.lstrip())]
        yield from [""] * blank.count("\n")
        yield f"{piece.name}={_value(piece)}"


def _value(definition: Definition) -> str:
    value = definition.value
    if is_encrypted(value):
        return f"encrypted {_mark(value, _ENCRYPTED_DIGITS)}"
    if stays_plain(definition.name) or not value:
        return value.encode("unicode_escape", "surrogateescape").decode()
    return f"******** (not encrypted) {_mark(value, _PLAIN_DIGITS)}"


def _mark(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:digits]
