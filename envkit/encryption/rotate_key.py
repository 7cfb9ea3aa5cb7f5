"""Replace the key pair of an encrypted `.env` file.

    1. The new private key is added to `.env.keys`, before the old one.
    2. The file is replaced: it has the new public key, and every value is encrypted to it.
    3. Later, `drop_old_keys` encrypts what is stored beside the file anew, and removes old keys.

Both happen under the lock of the file. A process that is killed anywhere leaves a file that can
be read, because every private key in `.env.keys` is tried. The values do not change: if another
person had the old key, the secrets themselves must be rotated.
"""

from __future__ import annotations

import os
import re

from envkit._internal.file_lock import locked
from envkit._internal.files import read_own, read_real, real_path
from envkit._internal.named_tuple import NamedTuple
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit._internal.writing.atomic_write import write_own, write_with_copy
from envkit._internal.writing.leftovers import sweep_beside
from envkit._internal.writing.replaceable import check_own, check_replaceable, lasting_failure
from envkit.dotenv.editor import set_value
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.parser import decode, encode
from envkit.encryption.env_file import definitions, encrypt_anew, file_key, public_keys
from envkit.encryption.errors import CiphertextError, KeyInvalidError
from envkit.encryption.key_lookup import read_key_file
from envkit.encryption.keys import generate, names_for, parse_private_keys
from envkit.encryption.reading import missing, written_in
from envkit.encryption.values import decrypt, encrypt, is_encrypted
from envkit.errors import DeniedError, UnavailableError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envkit.encryption.env_file import FileKey
    from envkit.encryption.keys import PrivateKey, PublicKey
    from envkit.encryption.reading import Decrypter

ROTATION_SUFFIX = ".envkit-rotation"  # ends the name of a rotation record beside the file

_HEAD = """\
# Private keys: with one, anyone can read the values of its file.
# Never commit this file. Keep a copy in a safe place: a lost key cannot be recovered.
"""
_RECORD_BYTES = 4 * LIMIT_BYTES
_IN_RECORD = re.compile(rb'"(encrypted:[A-Za-z0-9+/=]+)"')


class RotatedKey(NamedTuple):
    """The result of `rotate_key`.

    Attributes:
        name: the name of the public key in the file.
        old: the replaced public key.
        new: the current public key.
        values: how many values were encrypted anew.
    """

    name: str
    old: PublicKey
    new: PublicKey
    values: int


def rotate_key(
    decrypter: Decrypter, path: str, previous: str, *, timeout_seconds: float
) -> RotatedKey:
    """Give a file a new key pair. The old private key stays in `.env.keys`.

    Args:
        decrypter: of the file.
        path: the path of the file; absolute, without links.
        previous: the path of the saved copy, which will have the values encrypted to the old key.
        timeout_seconds: how long to wait for another process.

    Raises:
        KeyInvalidError: the file has no public key, or it is not that of the private key.
        UnreadableValueError: a value cannot be decrypted; nothing was changed.
        SourceError: a file cannot be replaced.
        OSError: the file cannot be read or written.
    """
    check_replaceable(path)
    check_own(previous)
    with locked(path, timeout_seconds=timeout_seconds, follow=False):
        data = read_real(path, LIMIT_BYTES)[0]
        text = decode(data, path=decrypter.file)
        key = _key(text, decrypter)
        old = _matching(decrypter, text, key)
        new = generate()
        changed = encrypt_anew(text, decrypter, key.name, new.public_key(), path=decrypter.file)
        count = _verify(decrypter, text, changed, new)
        name = names_for(key.name).private
        write_keys(decrypter, name, lambda known: [new, *known, *old], timeout_seconds)
        if os.path.dirname(previous) != os.path.dirname(path):
            sweep_beside(previous)
        write_with_copy(path, encode(changed), previous, data)
    return RotatedKey(key.name, key.key, new.public_key(), count)


def drop_old_keys(decrypter: Decrypter, path: str, previous: str, *, timeout_seconds: float) -> int:
    """Remove from `.env.keys` all private keys of a file but the current one.

    The saved copy and the rotation records beside the file are encrypted anew first.

    Args:
        decrypter: of the file.
        path: the path of the file; absolute, without links.
        previous: the path of its saved copy.
        timeout_seconds: how long to wait for another process.

    Returns:
        how many keys were removed.

    Raises:
        KeyInvalidError: none of the private keys is that of the file; nothing was changed.
        UnreadableValueError: a value is encrypted to another key; nothing was removed.
        SourceError: a file cannot be read or written.
        OSError: the file cannot be read, or one beside it cannot be written.
    """
    with locked(path, timeout_seconds=timeout_seconds, follow=False):
        text = decode(read_real(path, LIMIT_BYTES)[0], path=decrypter.file)
        key = _key(text, decrypter)
        [current, *_] = _matching(decrypter, text, key)
        _verify(decrypter, text, text, current)
        _renew_copy(decrypter, previous, key, current)
        _renew_records(decrypter, path, text, current)
        removed: list[PrivateKey] = []

        def kept(known: list[PrivateKey]) -> list[PrivateKey]:
            removed.extend(one for one in known if one != current)
            return [one for one in known if one == current]

        write_keys(decrypter, names_for(key.name).private, kept, timeout_seconds)
        return len(removed)


def _key(text: str, decrypter: Decrypter) -> FileKey:
    key = file_key(public_keys(text, path=decrypter.file))
    if key is None:
        raise KeyInvalidError(
            f"{decrypter.file} has no public key", hint="encrypt it first: envkit env encrypt"
        )
    return key


def _matching(decrypter: Decrypter, text: str, key: FileKey) -> list[PrivateKey]:
    """Return the private keys at hand, that of the public key first.

    Raises:
        PrivateKeyMissingError: there are none.
        KeyInvalidError: none is that of the public key.
    """
    lookup = decrypter.lookup(public_keys(text, path=decrypter.file))
    if not lookup.found:
        raise missing(decrypter.file, lookup)
    fitting = [one for one in lookup.keys if one.public_key() == key.key]
    if not fitting:
        raise KeyInvalidError(
            f"{key.place}: {key.name} does not belong to a private key at hand; nothing was "
            "changed",
            hint="restore the line from git, or get the current private key",
        )
    return [*fitting, *(one for one in lookup.keys if one not in fitting)]


def _verify(decrypter: Decrypter, before: str, after: str, key: PrivateKey) -> int:
    """Check that one key decrypts every value of a text to what it was; return their number."""
    keys = public_keys(before, path=decrypter.file)
    old = [one for one in definitions(before, path=decrypter.file) if is_encrypted(one.value)]
    new = [one for one in definitions(after, path=decrypter.file) if is_encrypted(one.value)]
    for one, other in zip(old, new, strict=True):
        if decrypt(other.value, [key]) != decrypter.value(one, keys):
            raise KeyInvalidError(
                f"{one.place}: {one.name} is not encrypted to the current public key; nothing was "
                "changed",
                hint="run: envkit env rotate-key",
            )
    return len(old)


def _renew_copy(decrypter: Decrypter, previous: str, key: FileKey, current: PrivateKey) -> None:
    """Encrypt the saved copy to the current key, unless it is already."""
    shown = display_path(previous)
    try:
        data, state = read_own(previous, LIMIT_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return
    text = decode(data, path=shown)
    if opens_all((one.value for one in definitions(text, path=shown)), current):
        return
    changed = encrypt_anew(text, decrypter, key.name, key.key, path=shown)
    write_own(previous, encode(changed), owner=state, modified_ns=state.st_mtime_ns)


def _renew_records(decrypter: Decrypter, path: str, text: str, current: PrivateKey) -> None:
    """Encrypt the values in rotation records to the current key, unless they are already."""
    folder, name = os.path.split(path)
    keys = public_keys(text, path=decrypter.file)
    public = current.public_key()
    for other in sorted(os.listdir(folder)):
        if not (other.startswith(f"{name}.") and other.endswith(ROTATION_SUFFIX)):
            continue
        beside = os.path.join(folder, other)
        data, state = read_own(beside, _RECORD_BYTES)
        if opens_all((found.decode() for found in _IN_RECORD.findall(data)), current):
            continue

        def renewed(found: re.Match[bytes], place: str = other) -> bytes:
            value = decrypter.value(written_in(place, found[1].decode()), keys)
            return b'"' + encrypt(value, public).encode() + b'"'

        write_own(beside, _IN_RECORD.sub(renewed, data), owner=state)


def opens_all(texts: Iterable[str], key: PrivateKey) -> bool:
    """Return whether a key decrypts all texts that are encrypted."""
    try:
        return all(decrypt(text, [key]) is not None for text in texts if is_encrypted(text))
    except CiphertextError:
        return False


def write_keys(
    decrypter: Decrypter,
    name: str,
    change: Callable[[list[PrivateKey]], list[PrivateKey]],
    timeout_seconds: float,
) -> None:
    """Change the private keys of one name in `.env.keys`; it is created if it does not exist.

    Args:
        decrypter: of the file.
        name: the name of the private key.
        change: returns the new keys for those in the file; equal ones are written once.
        timeout_seconds: how long to wait for another process.

    Raises:
        SourceError: the file cannot be read or written, or others can read it.
    """
    shown = display_path(decrypter.key_file)
    folder, file_name = os.path.split(decrypter.key_file)
    path = os.path.join(real_path(folder, decrypter.root), file_name)
    try:
        with locked(path, timeout_seconds=timeout_seconds, follow=False):
            file = read_key_file(path, decrypter.root)  # refuses one that others can read
            entry = None if file is None else file.get(name)
            known = []
            if entry is not None and entry.value:
                where = f"{shown}:{entry.line}: {name}"
                known = parse_private_keys(Secret(entry.value), where=where)
            text, owner = _HEAD, None
            if file is not None:
                data, owner = read_own(path, LIMIT_BYTES)
                text = decode(data, path=shown)
            digits = dict.fromkeys(one.text.reveal() for one in change(known))
            changed = set_value(text, name, ",".join(digits), path=shown)
            write_own(path, encode(changed), owner=owner)
    except OSError as error:
        lasting = lasting_failure(error, shown)
        if lasting is not None:
            raise lasting from None
        kind = DeniedError if isinstance(error, PermissionError) else UnavailableError
        raise kind(f"cannot write {shown}: {reason_of(error)}") from None
