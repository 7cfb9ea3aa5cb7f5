"""Change the text of an encrypted `.env` file. Pure; every byte that need not change stays.

    #/ encrypted values: anyone can add one; only the private key decrypts them
    DOTENV_PUBLIC_KEY_PROD="03d1..."

    # .env.prod
    DATABASE_URL='encrypted:BBZg...'
    LOG_LEVEL_PLAIN=debug

A file with a public key is an encrypted file: what is written to it is encrypted, except for
variables whose names end in `_PLAIN`. A line that cannot be read stops every change of a whole
file, because it may contain a secret.
"""

from __future__ import annotations

import os

from envkit._internal.named_tuple import NamedTuple
from envkit.dotenv.editor import check_value, quote, replaced, set_written
from envkit.dotenv.file import parse
from envkit.dotenv.parser import PUBLIC_KEY, Definition, OddLine, split, stays_plain
from envkit.encryption.errors import KeyInvalidError
from envkit.encryption.keys import parse_public_key
from envkit.encryption.values import encrypt, is_encrypted
from envkit.errors import InvalidValueError
from envkit.secret import notice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit.dotenv.parser import Piece
    from envkit.encryption.keys import PublicKey
    from envkit.encryption.reading import Decrypter

_HEAD = "#/ encrypted values: anyone can add one; only the private key decrypts them"


class FileKey(NamedTuple):
    """The public key of a file, the name of its variable, and its place for messages."""

    name: str
    key: PublicKey
    place: str


class Variable(NamedTuple):
    """A variable as it is written in a file.

    Attributes:
        encrypted: whether its value is encrypted, well or not.
        exposed: whether its value is in plain text and should not be.
    """

    name: str
    line: int
    encrypted: bool
    exposed: bool


def public_keys(text: str, *, path: str) -> list[Definition]:
    """Return the definitions of the public keys of a file; usually one or none."""
    if PUBLIC_KEY not in text:
        return []
    return [one for one in definitions(text, path=path) if one.name.startswith(PUBLIC_KEY)]


def file_key(keys: Sequence[Definition]) -> FileKey | None:
    """Return the key to which the values of a file are encrypted; None if it has none.

    Args:
        keys: the definitions of its public keys.

    Raises:
        KeyInvalidError: a key is not valid, or there are two different ones.
    """
    found: list[FileKey] = []
    for one in keys:
        where = f"{one.place}: {one.name}"
        found.append(FileKey(one.name, parse_public_key(one.value, where=where), one.place))
    for other in found[1:]:
        if other[:2] != found[0][:2]:
            raise KeyInvalidError(
                f"{other.place}: {other.name} is a second public key; the first is "
                f"{found[0].name} in {found[0].place}",
                hint="keep the line of the key to which the values are encrypted",
            )
    return found[0] if found else None


def key_of(text: str, *, path: str) -> FileKey | None:
    """Return the public key in the text of a file; see `file_key`."""
    return file_key(public_keys(text, path=path))


def variables(text: str, *, path: str) -> list[Variable]:
    """Return the variables of a file in file order, without its public keys.

    Those of both sides of an unresolved merge conflict are returned.
    """
    return [
        Variable(
            one.name,
            one.line,
            is_encrypted(one.value),
            not (is_encrypted(one.value) or stays_plain(one.name) or not one.value),
        )
        for one in _pieces(text, path=path)
        if isinstance(one, Definition) and not one.name.startswith(PUBLIC_KEY)
    ]


def with_public_key(text: str, name: str, key: PublicKey, *, path: str) -> str:
    """Return a text with a public key: in place of one of that name, else at the top.

    A first line that begins with `#!` stays the first.
    """
    written = f'"{key}"'
    if any(one.name == name for one in public_keys(text, path=path)):
        return _changed(text, lambda one: written if one.name == name else None, path=path)
    newline = "\r\n" if "\r\n" in text else "\n"
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = [_HEAD, f"{name}={written}", ""]
    rest = text.removeprefix(mark)
    if not rest.strip():
        lines.append(f"# {os.path.basename(path)}")
    first = ""
    if rest.startswith("#!"):
        first, _, rest = rest.partition("\n")
        first += "\n"
    return mark + first + "".join(line + newline for line in lines) + rest


def without_public_keys(text: str, *, path: str) -> str:
    """Return a text without public keys, and without the line that envkit writes above one."""
    kept = []
    for piece in split(text, path=path):
        if isinstance(piece, Definition) and piece.name.startswith(PUBLIC_KEY):
            continue
        source = piece if isinstance(piece, str) else piece.source
        kept.append("" if source.strip() == _HEAD else source)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return mark + "".join(kept)


def set_encrypted(text: str, name: str, value: str, key: PublicKey, *, path: str) -> str:
    """Return a text with one variable set to a value, encrypted; see `dotenv.editor.set_value`.

    Raises:
        DotenvError: an unreadable line may set the variable.
        InvalidValueError: a `.env` file cannot contain the value or the name.
    """
    return set_written(text, name, _encrypted(name, value, key), path=path)


def encrypt_all(
    text: str,
    key: PublicKey,
    decrypter: Decrypter,
    *,
    path: str,
    environ: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """Return a text in which no value is plain that should not be.

    A value with `${NAME}` is encrypted as the app receives it now, because decrypted text is never
    expanded.

    Args:
        text: the file's content. Values that are encrypted already stay as they are.
        key: the public key.
        decrypter: decrypts a value to which a plain one refers.
        path: the file's path for messages.
        environ: where to look up a `${NAME}` that the file does not set.

    Returns:
        the new text, and the names of the variables that no longer refer to others.

    Raises:
        DotenvError: a line cannot be read, or a `${NAME}` cannot be expanded.
        UnreadableValueError: a plain value refers to one that cannot be decrypted.
        InvalidValueError: a value cannot be encrypted, because it is not text.
    """
    _refuse_odd_lines(text, path=path)
    last = {one.name: one for one in definitions(text, path=path)}
    expanded = parse(text, path=path, expand=True, environ=environ, decrypt=decrypter.value)
    frozen: list[str] = []

    def written(one: Definition) -> str | None:
        if is_encrypted(one.value) or stays_plain(one.name):
            return None
        value = one.value
        entry = expanded.get(one.name) if one == last[one.name] else None
        if entry is not None and entry.value != value:
            value = entry.value
            frozen.append(one.name)
        return _encrypted(one.name, value, key)

    return _changed(text, written, path=path), frozen


def decrypt_all(text: str, decrypter: Decrypter, *, path: str) -> str:
    """Return a text in which every value is plain. The public key stays.

    Raises:
        UnreadableValueError: a value cannot be decrypted.
        InvalidValueError: a value is not text, and must stay encrypted.
    """
    keys = public_keys(text, path=path)

    def written(one: Definition) -> str | None:
        if not is_encrypted(one.value):
            return None
        return quote(decrypter.value(one, keys), name=one.name)

    return _changed(text, written, path=path)


def encrypt_anew(text: str, decrypter: Decrypter, name: str, key: PublicKey, *, path: str) -> str:
    """Return a text in which every encrypted value is encrypted to another key.

    Args:
        text: the file's content. Plain values stay plain.
        decrypter: decrypts the values.
        name: the name of the public key in the file.
        key: the new public key.
        path: the file's path for messages.

    Raises:
        UnreadableValueError: a value cannot be decrypted.
    """
    keys = public_keys(text, path=path)

    def written(one: Definition) -> str | None:
        if one.name == name:
            return f'"{key}"'
        if not is_encrypted(one.value):
            return None
        return f"'{encrypt(decrypter.value(one, keys), key)}'"

    return _changed(text, written, path=path)


def encrypt_edited(
    before: str, edited: str, decrypter: Decrypter, key: PublicKey, *, path: str
) -> str:
    """Return an edited plain text as an encrypted text; unchanged variables keep their lines.

    Args:
        before: the encrypted text.
        edited: the result of `decrypt_all` of it, as a person has changed it.
        decrypter: decrypts the values of `before`.
        key: the public key.
        path: the file's path for messages.

    Raises:
        DotenvError: a line of the edited text cannot be read.
        UnreadableValueError: an encrypted value in the edited text cannot be decrypted.
        InvalidValueError: a value cannot be encrypted.
    """
    _refuse_odd_lines(edited, path=path)
    keys = public_keys(before, path=path)
    known: dict[str, list[tuple[str, str, str]]] = {}  # per name: line shown, line, value
    for one in definitions(before, path=path):
        if is_encrypted(one.value):
            value = decrypter.value(one, keys)
            shown = replaced(one, quote(value, name=one.name))
            known.setdefault(one.name, []).append((_stripped(shown), one.value, value))
        else:
            known.setdefault(one.name, []).append((_stripped(one.source), "", one.value))

    def written(one: Definition) -> str | None:
        if is_encrypted(one.value):
            decrypter.value(one, keys)  # a person has pasted it
            return None
        if stays_plain(one.name):
            return None
        candidates = known.get(one.name, [])
        same = [found for found in candidates if found[0] == _stripped(one.source)]
        same += [found for found in candidates if found[1] and found[2] == one.value]
        if same:
            candidates.remove(same[0])  # a name may have several lines
            return f"'{same[0][1]}'" if same[0][1] else None
        if one.quote != "'" and "${" in one.value:
            raise InvalidValueError(
                f"{one.place}: {one.name} contains '${{', and an encrypted value is never expanded",
                hint="put the value in single quotes, or write what it stands for",
            )
        return _encrypted(one.name, one.value, key)

    return _changed(edited, written, path=path)


def definitions(text: str, *, path: str) -> list[Definition]:
    """Return all definitions of a file, also those of its public keys.

    Raises:
        DotenvError: the file has an unresolved merge conflict.
    """
    found = []
    for piece in _pieces(text, path=path):
        if isinstance(piece, Definition):
            found.append(piece)
        elif isinstance(piece, OddLine) and piece.conflict:
            raise piece.error
    return found


def _pieces(text: str, *, path: str) -> list[Piece]:
    """Return the pieces of a text; a line break in a value is a newline, as in `parse`."""
    pieces = list(split(text, path=path))
    if "\r\n" in text:
        values = list(split(text.replace("\r\n", "\n"), path=path))
        if len(values) == len(pieces):  # else there are other carriage returns
            pieces = [
                piece._replace(value=other.value)
                if isinstance(piece, Definition) and isinstance(other, Definition)
                else piece
                for piece, other in zip(pieces, values, strict=True)
            ]
    for one in pieces:
        if isinstance(one, Definition) and not stays_plain(one.name):
            notice(one.value)
    return pieces


def _stripped(source: str) -> str:
    """Return a line of a file without the blanks around it, and with newlines as in values."""
    return source.replace("\r\n", "\n").strip()


def _refuse_odd_lines(text: str, *, path: str) -> None:
    for problem in parse(text, path=path, expand=False).problems:
        raise problem


def _changed(text: str, written: Callable[[Definition], str | None], *, path: str) -> str:
    """Return a text with other values.

    Args:
        text: the file's content.
        written: returns the value of a definition in the syntax of the file; None to keep it.
        path: the file's path for messages.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    parts = []
    # `replaced` needs the value as it is in the text
    for piece, raw in zip(_pieces(text, path=path), split(text, path=path), strict=True):
        if isinstance(piece, OddLine) and (piece.open or piece.unclear):
            raise piece.error
        new = written(piece) if isinstance(piece, Definition) else None
        if new is not None and isinstance(raw, Definition):
            parts.append(replaced(raw, new.replace("\n", newline)))
        else:
            parts.append(raw if isinstance(raw, str) else raw.source)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return mark + "".join(parts)


def _encrypted(name: str, value: str, key: PublicKey) -> str:
    """Return an encrypted value in the syntax of a file."""
    check_value(value, name=name)
    return f"'{encrypt(value, key)}'"
