"""Write a copy of a private key to recover from the loss of the others.

Guarantees: the copy has mode 0600 from its first byte, never replaces a file, is not written
through a link, and is never in the working tree of a repository.
"""

from __future__ import annotations

import os

from envkit._internal.git import find_repository
from envkit._internal.os_errors import reason_of
from envkit.dotenv.parser import encode
from envkit.encryption.key_lookup import KEY_FILE
from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.encryption.keys import PrivateKey

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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
