"""Word the failure to write a file of a repository, such as `.gitignore` or a hook."""

from __future__ import annotations

from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit._internal.replaceable import lasting_failure
from envkit.errors import DeniedError, SourceError, WriteRefusedError


def write_failure(path: str, error: OSError) -> SourceError:
    """Return the error for a file that cannot be read or written.

    Args:
        path: the absolute path of the file.
        error: the error from the system.
    """
    shown = display_path(path)
    lasting = lasting_failure(error, shown)
    if lasting is not None:
        return lasting
    message = f"cannot write {shown}: {reason_of(error)}"
    if isinstance(error, PermissionError):
        return DeniedError(message, hint=f"run 'ls -ld {shown}' to see who may write it")
    return WriteRefusedError(message)
