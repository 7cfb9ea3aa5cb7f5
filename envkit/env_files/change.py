"""Change a whole `.env` file under its lock: encrypt it, decrypt it, or write an edited text.

`encrypt` leaves no plain value behind: the copy of the previous version and the records of
rotations in progress are encrypted as well.
"""

from __future__ import annotations

import json
import os
import re
from shlex import quote
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.file_lock import locked
from envkit._internal.files import read_own, read_real, version_of
from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit._internal.writing.atomic_write import write_atomic, write_own
from envkit._internal.writing.replaceable import check_own, check_replaceable
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.parser import Definition, decode, encode, split
from envkit.editing.slots import StoreSlot, read_all
from envkit.editing.write import warnings_of, write_one
from envkit.encryption.env_file import (
    decrypt_all,
    encrypt_all,
    encrypt_edited,
    key_of,
    with_public_key,
)
from envkit.encryption.errors import KeyInvalidError
from envkit.encryption.writing import Encrypter, check_pair
from envkit.env_files.contents import contents
from envkit.env_files.status import decrypter_of
from envkit.errors import ProfileError, RotationError, SourceError
from envkit.git.ignore_rules import keep_private, let_in
from envkit.profile.placeholder import Reference
from envkit.rotation_state.stores.encrypted import sealed
from envkit.rotation_state.stores.envelope import parse
from envkit.rotation_state.stores.naming import FILE_SUFFIX
from envkit.sources.dotenv_files.errors import failure
from envkit.sources.dotenv_files.write import rewrite
from envkit.sources.model import Reading
from envkit.sources.protocols import WritableSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.encryption.env_file import FileKey
    from envkit.env_files.locate import EnvFile
    from envkit.secret import Secret

_RECORD_LIMIT_BYTES = 4 * LIMIT_BYTES
_REFERRED = re.compile(r"\$\{([A-Za-z_]\w*)")


class NoPublicKeyError(ProfileError):
    """A `.env` file does not exist or has no public key, so nothing can be encrypted to it."""

    code = "not-encrypted"


class Encrypted(NamedTuple):
    """The result of `encrypt`.

    Attributes:
        names: the variables whose values were encrypted.
        frozen: those that referred to other variables with `${NAME}`, and no longer do.
        copy: whether the copy of the previous version was encrypted as well.
        records: how many records of rotations were encrypted as well.
        ignored: the lines that were added to `.gitignore`.
        committed: whether git tracks the file, so that its history may have the plain values.
        warning: that no private key is at hand; None if one is.
    """

    names: tuple[str, ...]
    frozen: tuple[str, ...]
    copy: bool
    records: int
    ignored: tuple[str, ...]
    committed: bool
    warning: str | None


def require(file: EnvFile, text: str | None) -> FileKey:
    """Return the public key of a file.

    Raises:
        NoPublicKeyError: the file does not exist, or has no public key.
    """
    hint = f"run: envkit env init {file.option}"
    if text is None:
        raise NoPublicKeyError(f"there is no file {file.name}", hint=hint)
    key = key_of(text, path=file.name)
    if key is None:
        raise NoPublicKeyError(f"{file.name} has no public key", hint=hint)
    return key


def encrypt(file: EnvFile, environ: Mapping[str, str], *, timeout_seconds: float) -> Encrypted:
    """Encrypt every value of a file that is plain and should not be.

    Args:
        file: a file with a public key.
        environ: the process environment, for `${NAME}` that no file of the profile sets.
        timeout_seconds: how long to wait for another process.

    Raises:
        NoPublicKeyError: the file has no public key.
        RotationError: the record of a rotation cannot be read.
        SourceError: a line cannot be read, or a file cannot be read or written.
    """
    ignored = list(keep_private(os.path.dirname(file.beside), environ))
    decrypter = decrypter_of(file, environ)
    try:
        check_replaceable(file.path)
        check_own(file.previous)
        with locked(file.path, timeout_seconds=timeout_seconds, follow=False):
            text = _read(file)
            key = require(file, text)
            assert text is not None  # noqa: S101 - it has a key
            found = contents(text, path=file.name)
            warning = check_pair(decrypter, key, found.public_keys)
            known = _with_earlier(file, text, environ)
            new, frozen = encrypt_all(text, key.key, decrypter, path=file.name, environ=known)
            records = _encrypt_records(file, key)
            copy = _encrypt_copy(file, key, environ)
            if new != text:
                write_atomic(file.path, encode(new), follow=False)
    except OSError as error:
        raise failure("write", file.name, error) from None
    ignored += let_in(file.beside, environ)
    repository = find_repository(os.path.dirname(file.beside), environ)
    committed = (
        bool(found.plain) and repository is not None and bool(repository.tracked([file.beside]))
    )
    return Encrypted(found.plain, tuple(frozen), copy, records, tuple(ignored), committed, warning)


def decrypted(file: EnvFile, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the text of a file with plain values, and the version of the file.

    Raises:
        NoPublicKeyError: the file has no public key.
        UnreadableValueError: a value cannot be decrypted.
        SourceError: the file cannot be read.
    """
    try:
        data, state = read_real(file.path, LIMIT_BYTES)
    except FileNotFoundError:
        data, state = None, None
    except OSError as error:
        raise failure("read", file.name, error) from None
    text = None if data is None else decode(data, path=file.name)
    require(file, text)
    assert text is not None  # noqa: S101 - it has a key
    assert state is not None  # noqa: S101
    contents(text, path=file.name)  # refuses lines that cannot be read
    return decrypt_all(text, decrypter_of(file, environ), path=file.name), version_of(state)


def replace(file: EnvFile, text: str, *, expected: str, timeout_seconds: float) -> None:
    """Replace the text of a file by a plain one that only its owner can read, and save a copy.

    Args:
        file: the file.
        text: the new text.
        expected: the version that the file must have.
        timeout_seconds: how long to wait for another process.

    Raises:
        ConflictError: the file has another version; nothing was written.
        SourceError: the file cannot be written.
    """
    rewrite_file(
        file,
        lambda _: encode(text),
        expected=expected,
        timeout_seconds=timeout_seconds,
        mode=0o600,
    )


def write_edited(
    file: EnvFile,
    edited: str,
    environ: Mapping[str, str],
    *,
    expected: str,
    timeout_seconds: float,
) -> list[str]:
    """Write the decrypted text of a file as a person has edited it; unchanged lines stay.

    Returns:
        the names of the variables that were added, changed or removed.

    Raises:
        ConflictError: the file was changed meanwhile; nothing was written.
        KeyInvalidError: its public key is not that of the private key at hand.
        SourceError: a line of the edited text cannot be read, or the file cannot be written.
    """
    changed: list[str] = []

    def edit(text: str) -> bytes:
        key = require(file, text)
        edited_key = key_of(edited, path=file.name)
        if edited_key is None or edited_key.key != key.key:
            raise KeyInvalidError(
                f"the edited text of {file.name} has another public key; nothing was changed",
                hint=f"keep the line {key.name}; to replace the key, run: "
                f"envkit env rotate-key {file.option}",
            )
        decrypter = decrypter_of(file, environ)
        Encrypter(decrypter).key(text)  # refuses a key that another person has put there
        new = encrypt_edited(text, edited, decrypter, key.key, path=file.name)
        changed[:] = _difference(text, new, file.name)
        return encode(new)

    rewrite_file(file, edit, expected=expected, timeout_seconds=timeout_seconds)
    return changed


def set_value(file: EnvFile, name: str, value: Secret, *, timeout_seconds: float) -> list[str]:
    """Set one variable of a file to an encrypted value; needs only the public key.

    Returns:
        warnings for the writer.

    Raises:
        ConflictError: another process changed the same variable; nothing was written.
        SourceError: the file cannot be written.
    """
    source: object = file.source
    assert isinstance(source, WritableSource)  # noqa: S101 - .env files can be written
    slot = StoreSlot(source, file.reference(name))
    write_one(slot, value, read_all([slot])[slot], Deadline(timeout_seconds))
    return warnings_of([slot])


def version(file: EnvFile) -> str | None:
    """Return the version of a file; None if it does not exist.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        return version_of(os.stat(file.path, follow_symlinks=False))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("read", file.name, error) from None


def rewrite_file(
    file: EnvFile,
    edit: Callable[[str], bytes],
    *,
    expected: str | None,
    timeout_seconds: float,
    mode: int | None = None,
) -> str:
    """Change the text of a file under its lock, and save a copy; see `rewrite`."""
    try:
        return rewrite(
            file.name,
            file.path,
            file.previous,
            edit,
            expected=expected,
            timeout_seconds=timeout_seconds,
            mode=mode,
        )
    except OSError as error:
        raise failure("write", file.name, error) from None


def _with_earlier(file: EnvFile, text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with what `${NAME}` means in a file whose profile reads several.

    Raises:
        SourceError: a value in an earlier file cannot be read.
    """
    known, source, profile = dict(environ), file.source, file.profile
    if profile is None or "path" not in profile.sources[source.name].settings:
        return known
    for path in source.files(Reference(source.name, "", "ANY")):
        if source.places(path)[0] == file.path:
            break
        inner = f"./{os.path.relpath(path, source.root)}"
        for name in set(_REFERRED.findall(text)):
            reference = Reference(source.name, inner, name)
            outcome = source.fetch([reference])[reference]
            if isinstance(outcome, SourceError):
                raise outcome
            if isinstance(outcome, Reading):
                known[name] = outcome.value.reveal()
    return known


def _read(file: EnvFile) -> str | None:
    try:
        return decode(read_real(file.path, LIMIT_BYTES)[0], path=file.name)
    except FileNotFoundError:
        return None


def _encrypt_copy(file: EnvFile, key: FileKey, environ: Mapping[str, str]) -> bool:
    """Encrypt the copy of the previous version; return whether it had plain values."""
    try:
        data, state = read_own(file.previous, LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return False
    shown = display_path(file.previous)
    text = decode(data, path=shown)
    if not contents(text, path=shown).plain:
        return False
    new = with_public_key(text, key.name, key.key, path=shown)
    known = _with_earlier(file, text, environ)
    new, _ = encrypt_all(new, key.key, decrypter_of(file, environ), path=shown, environ=known)
    # the modification time is that of the version that the file had
    write_own(file.previous, encode(new), owner=state, modified_ns=state.st_mtime_ns)
    return True


def _encrypt_records(file: EnvFile, key: FileKey) -> int:
    """Encrypt the values in the records of rotations; return how many records had plain ones."""
    folder, name = os.path.split(file.path)
    count = 0
    for one in sorted(os.listdir(folder)):
        if not (one.startswith(f"{name}.") and one.endswith(FILE_SUFFIX)):
            continue
        path = os.path.join(folder, one)
        data, state = read_own(path, _RECORD_LIMIT_BYTES)
        packed = parse(data)
        if not isinstance(packed, dict):
            shown = display_path(path)
            raise RotationError(
                f"the rotation record {shown} cannot be read, so it may have plain values",
                hint=f"restore it from a backup, or remove it: rm {quote(shown)}",
            )
        new = sealed(packed, key)
        if new != packed:
            write_own(path, json.dumps(new).encode(), owner=state)
            count += 1
    return count


def _difference(before: str, after: str, path: str) -> list[str]:
    """Return the names of the variables whose definitions differ."""
    old, new = (_values(text, path) for text in (before, after))
    return [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]


def _values(text: str, path: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for piece in split(text, path=path):
        if isinstance(piece, Definition):
            found.setdefault(piece.name, []).append(piece.value)
    return found
