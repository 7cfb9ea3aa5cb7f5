"""Replace the key pair of a file, and remove old private keys later.

`envkit.encryption.rotate_key` does it. This module finds the files, and refuses early.
"""

from __future__ import annotations

import os

from envkit._internal.writing.replaceable import check_own
from envkit.encryption.at_hand import PrivateKeyState
from envkit.encryption.reading import wrong
from envkit.encryption.rotate_key import drop_old_keys, rotate_key
from envkit.env_files.change import require
from envkit.env_files.contents import contents, read_text
from envkit.env_files.status import decrypter_of, private_key
from envkit.git.ignore_rules import keep_private
from envkit.sources.dotenv_files.errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from envkit.encryption.rotate_key import RotatedKey
    from envkit.env_files.locate import EnvFile

    R = TypeVar("R")


def replace_key(file: EnvFile, environ: Mapping[str, str], *, timeout_seconds: float) -> RotatedKey:
    """Give a file a new key pair; the old private key stays in `.env.keys`.

    Raises:
        NoPublicKeyError: the file has no public key.
        UnreadableValueError: a value cannot be decrypted; nothing was changed.
        SourceError: a file cannot be written.
    """
    return _change(rotate_key, file, environ, timeout_seconds)


def drop_old(file: EnvFile, environ: Mapping[str, str], *, timeout_seconds: float) -> int:
    """Remove all private keys of a file but the current one from `.env.keys`; return their number.

    Raises:
        NoPublicKeyError: the file has no public key.
        UnreadableValueError: a value is encrypted to another key; nothing was removed.
        SourceError: a file cannot be read or written.
    """
    return _change(drop_old_keys, file, environ, timeout_seconds)


def _change(
    change: Callable[..., R], file: EnvFile, environ: Mapping[str, str], timeout_seconds: float
) -> R:
    _prepare(file, environ)
    try:
        return change(
            # the keys are looked for again, since another process may have replaced them
            decrypter_of(file, environ),
            file.path,
            file.previous,
            timeout_seconds=timeout_seconds,
        )
    except OSError as error:
        raise failure("write", file.name, error) from None


def _prepare(file: EnvFile, environ: Mapping[str, str]) -> None:
    """Refuse what would fail later, and make git ignore the private keys."""
    text = read_text(file)
    require(file, text)
    decrypter = decrypter_of(file, environ)
    found = contents(text or "", path=file.name)
    lookup = decrypter.lookup(found.public_keys)
    if private_key(file, found, environ).state is PrivateKeyState.WRONG:
        raise wrong(file.name, lookup)
    try:
        check_own(decrypter.key_file)
    except OSError as error:
        raise failure("write", decrypter.key_file, error) from None
    keep_private(os.path.dirname(file.beside), environ)
