"""Add private keys to `.env.keys`, and write a copy for recovery.

Guarantees: both files have mode 0600 from their first byte, and neither is written through a link;
a key that is in `.env.keys` stays in it; the copy never replaces a file, and is never in the
working tree of a repository.
"""

from __future__ import annotations

import os

from envkit._internal.atomic_write import write_own
from envkit._internal.file_lock import locked
from envkit._internal.files import read_own
from envkit._internal.git import find_repository
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.dotenv.editor import set_value
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.parser import decode, encode
from envkit.encryption.key_lookup import KEY_FILE
from envkit.errors import UsageError
from envkit.git.write_failure import write_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.encryption.keys import PrivateKey

_HEAD = """\
# Private keys. Each one can read the values of its file.
# Never commit this file. Keep a copy in a safe place: a lost key cannot be recovered.
"""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def add_key(path: str, name: str, key: PrivateKey, *, timeout_seconds: float) -> None:
    """Add a private key to a file of keys; the caller knows that the name is not in it.

    Args:
        path: the absolute path of the file, in a folder without links.
        name: the name of the key's variable.
        key: the key.
        timeout_seconds: how long to wait for another process.

    Raises:
        DotenvError: the file cannot be read in its current form.
        SourceError: the file cannot be written.
    """
    shown = display_path(path)
    try:
        with locked(path, timeout_seconds=timeout_seconds, follow=False):
            try:
                text = decode(read_own(path, LIMIT_BYTES)[0], path=shown)
            except FileNotFoundError:
                text = _HEAD
            changed = set_value(text, name, key.text.reveal(), path=shown)
            write_own(path, encode(changed))
    except OSError as error:
        raise write_failure(path, error) from None


def check_recovery_path(path: str, environ: Mapping[str, str]) -> None:
    """Refuse a path for a recovery copy that exists, or that could be committed.

    Raises:
        UsageError: the path cannot be used; nothing was written.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.lexists(path):
        raise UsageError(
            f"{path} exists already; nothing was written", hint="name a new file with --recovery"
        )
    if not os.path.isdir(folder):
        raise UsageError(
            f"no folder {folder}; nothing was written", hint="name a file in an existing folder"
        )
    if find_repository(folder, environ) is not None:
        raise UsageError(
            f"{path} is in the working tree of a git repository; nothing was written",
            hint="name a file outside of it, such as one on a USB drive",
        )


def write_recovery(path: str, name: str, key: PrivateKey, shown: str) -> None:
    """Write a copy of a private key to a new file.

    Args:
        path: the path of the copy; see `check_recovery_path`.
        name: the name of the key's variable.
        key: the key.
        shown: the path of the `.env` file, for people.

    Raises:
        UsageError: the file cannot be written.
    """
    text = (
        f"# The private key of {shown}. Store it offline.\n"
        f"# To use it, add the line to {KEY_FILE} beside that file.\n"
        f"{name}={key.text.reveal()}\n"
    )
    try:
        with open(os.open(path, _NEW, 0o600), "wb") as file:
            file.write(encode(text))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {reason_of(error)}") from None
