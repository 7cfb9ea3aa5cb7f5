"""What a write makes of a `.env` file, and the copy that it keeps of the file before."""

from __future__ import annotations

import os

from envkit._internal.files import remove_leftovers, write_atomic
from envkit.dotenv.editor import remove_value, set_value
from envkit.dotenv.file import LIMIT_BYTES
from envkit.errors import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.secret import Secret


def change(text: str, values: Mapping[str, Secret | None], *, path: str) -> tuple[bytes, list[str]]:
    """Return the new content of a file, and what its owner should know; often nothing.

    Args:
        text: the content so far.
        values: per variable what it is set to; None to remove it.
        path: how messages call the file.

    Raises:
        DotenvError: the file cannot be read as it is.
        InvalidValueError: no `.env` file can hold the value.
    """
    warnings = []
    for variable, value in values.items():
        if value is None:
            text = remove_value(text, variable, path=path)
            continue
        text, count = set_value(text, variable, value.reveal(), path=path)
        if len(text.encode()) > LIMIT_BYTES:
            raise InvalidValueError(f"{variable} makes {path} too large to be read again")
        if count > 1:
            warnings.append(f"{path}: of {count} lines that set {variable}, the last was changed")
    return text.encode(), warnings


def keep(path: str, data: bytes, modified_ns: int) -> None:
    """Write the copy of a file that is about to be changed, with the time of the file.

    Whoever calls this holds the lock of the file, under which all of its copies are written.

    Raises:
        OSError: the copy cannot be written.
    """
    remove_leftovers(os.path.realpath(path))
    write_atomic(path, data, mode=0o600)
    os.utime(path, ns=(modified_ns, modified_ns))
