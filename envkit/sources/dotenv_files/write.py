"""Write a `.env` file, and save a copy of its previous version."""

from __future__ import annotations

import os

from envkit._internal.file_lock import locked
from envkit._internal.files import read_real, version_of
from envkit._internal.writing.atomic_write import write_with_copy
from envkit._internal.writing.leftovers import LOCK, sweep_beside
from envkit._internal.writing.replaceable import check_own, check_replaceable
from envkit.dotenv.editor import remove_value, repeated_note, set_value
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.parser import ENCRYPTED, PUBLIC_KEY, decode, encode
from envkit.errors import ConflictError, InvalidReferenceError, InvalidValueError, SourceError
from envkit.sources.dotenv_files.errors import failure
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from envkit.encryption.reading import Decrypter
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret


def variables_of(
    values: Mapping[Reference, Secret | None], check: Callable[[Reference], None]
) -> dict[str, Secret | None]:
    """Return the values to write by the names of their variables.

    Raises:
        InvalidReferenceError: a reference does not name one variable that can be written.
    """
    variables = {}
    for ref, value in values.items():
        check(ref)
        variable = ref.path if ref.field is None else ref.field
        if ref.version is not None:
            raise InvalidReferenceError(f"{ref} is a version, which cannot be written")
        if variable == WHOLE:
            raise InvalidReferenceError(f"{ref} is a whole file: write one variable at a time")
        variables[variable] = value
    return variables


def write_variables(
    name: str,
    values: Mapping[str, Secret | None],
    *,
    places: Callable[[str], tuple[str, str]],
    decrypter: Callable[[str], Decrypter],
    warnings: list[str],
    expected: str | None,
    timeout_seconds: float,
) -> str:
    """Set or remove variables of one file in one write; see `GroupWrite`.

    Args:
        name: the name of the file.
        values: the new value of each variable; None to remove it.
        places: returns the paths of a file and its copy.
        decrypter: as for `change`.
        warnings: warnings for the owner of the file are added to it.
        expected: as for `rewrite`.
        timeout_seconds: as for `rewrite`.
    """

    def edit(text: str) -> bytes:
        data, found = change(text, values, path=name, decrypter=decrypter)
        warnings.extend(found)
        return data

    try:
        return rewrite(
            name, *places(name), edit, expected=expected, timeout_seconds=timeout_seconds
        )
    except OSError as error:
        raise failure("write", name, error) from None


def change(
    text: str,
    values: Mapping[str, Secret | None],
    *,
    path: str,
    decrypter: Callable[[str], Decrypter],
) -> tuple[bytes, list[str]]:
    """Return the new content of a file and warnings for its owner; usually none.

    In a file with a public key, values are encrypted.

    Args:
        text: the current content.
        values: the new value of each variable; None to remove it.
        path: the file's path for messages.
        decrypter: returns what decrypts the values of the file.

    Raises:
        DotenvError: the file cannot be read in its current form.
        KeyInvalidError: its public key is missing, or not that of the private key at hand.
        InvalidValueError: a `.env` file cannot contain the value.
    """
    warnings = []
    encrypter = None
    if PUBLIC_KEY in text or ENCRYPTED in text:
        from envkit.encryption.writing import Encrypter

        encrypter = Encrypter(decrypter(path))
    for variable, value in values.items():
        note = repeated_note(text, variable, path=path, removed=value is None)
        if note is not None:
            warnings.append(note)
        if value is None:
            text = remove_value(text, variable, path=path)
            continue
        if encrypter is None:
            text = set_value(text, variable, value.reveal(), path=path)
        else:
            text = encrypter.set(text, variable, value)
        if len(encode(text)) > LIMIT_BYTES:
            raise InvalidValueError(f"{variable} makes {path} too large for envkit to read")
    if encrypter is not None:
        warnings += encrypter.warnings
    return encode(text), warnings


def unchanged(text: str) -> bytes:
    """Return the content to write a file unchanged."""
    return encode(text)


def check(path: str, previous: str) -> None:
    """Refuse a file that cannot be replaced, or whose copy cannot be saved. Changes nothing.

    Args:
        path: the file, absolute and without links.
        previous: the path of its copy.

    Raises:
        SourceError: a person must change something first.
        OSError: a folder cannot be written.
    """
    check_replaceable(path)
    check_own(previous)
    check_own(path + LOCK)


def refusals(
    files: Mapping[Reference, str], places: Callable[[str], tuple[str, str]]
) -> dict[Reference, EnvkitError]:
    """Return why files cannot be replaced; see `WriteCheck`.

    Args:
        files: for each reference, the name of its file.
        places: returns the paths of a file and its copy, given the file's name.
    """
    refused: dict[Reference, EnvkitError] = {}
    for ref, name in files.items():
        try:
            check(*places(name))
        except OSError as error:
            refused[ref] = failure("write", name, error)
        except SourceError as error:
            refused[ref] = error
    return refused


def rewrite(
    name: str,
    path: str,
    previous: str,
    edit: Callable[[str], bytes],
    *,
    expected: str | None,
    timeout_seconds: float,
    mode: int | None = None,
    written: Collection[str] | None = None,
) -> str:
    """Change a file under its lock if it has the expected version, and save a copy.

    Args:
        name: the file's name for messages.
        path: the path of the file; absolute, without links.
        previous: the path of the copy.
        edit: takes the current content and returns the new one.
        expected: the expected version; None if the file must not exist.
        timeout_seconds: how long to wait for another writer.
        mode: as for `write_with_copy`.
        written: as for `locked`: all files that a rotation writes under this lock, so that no
            folder is listed.

    Returns:
        the new version.

    Raises:
        ConflictError: the file has another version; nothing was written.
        LockedError: another process had the lock until the timeout.
        SourceError: the file cannot be replaced.
        OSError: the file cannot be read or written; it is unchanged.
    """
    check(path, previous)
    with locked(path, timeout_seconds=timeout_seconds, follow=False, written=written):
        try:
            content, state = read_real(path, LIMIT_BYTES)
        except FileNotFoundError:
            text, version = "", None
        else:
            text, version = decode(content, path=name), version_of(state)
        if version != expected:
            raise _conflict(name, expected)
        data = edit(text)
        alone, before = written is not None, encode(text)
        state = replace(path, data, previous, before=before, mode=mode, alone=alone)
        return version_of(state)


def replace(
    path: str,
    data: bytes,
    previous: str,
    *,
    before: bytes,
    mode: int | None = None,
    alone: bool = False,
) -> os.stat_result:
    """Replace a file, and save a copy of an existing one.

    The caller has the lock of the file, which covers all its copies.

    Args:
        path: the file, absolute and without links.
        data: the new content.
        previous: the path of the copy.
        before: the current content.
        mode: as for `write_with_copy`.
        alone: as for `write_with_copy`.

    Returns:
        the state of the new file.

    Raises:
        SourceError: a file cannot be replaced.
        OSError: a file cannot be written; the original is unchanged.
    """
    if os.path.dirname(previous) != os.path.dirname(path):
        sweep_beside(previous, alone=alone)  # acquiring the lock has swept the other folder
    return write_with_copy(path, data, previous, before, mode=mode, alone=alone)


def rehearse(path: str, previous: str, *, more_bytes: int, alone: bool = False) -> None:
    """Do everything that `replace` does except rename the new files.

    Args:
        path: the file, absolute and without links.
        previous: the path that the copy would have.
        more_bytes: by how many bytes the file may grow.
        alone: as for `write_with_copy`.

    Raises:
        SourceError: a file cannot be replaced.
        OSError: a file cannot be written.
    """
    check(path, previous)
    try:
        size = os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        size = 0
    # zeros would take no space on some file systems
    data = os.urandom(size + more_bytes)
    write_with_copy(path, data, previous, data[:size], rehearsal=True, alone=alone)


def _conflict(name: str, expected: str | None) -> ConflictError:
    """Return the error for a file that no longer has the expected version."""
    if expected is None:
        return ConflictError(f"{name} already exists; nothing was written")
    return ConflictError(
        f"{name} was changed after envkit read it; nothing was written",
        hint="check the change, then run the command again",
    )
