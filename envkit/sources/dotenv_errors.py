"""What it means that the system does not let us read or write a `.env` file."""

from __future__ import annotations

import errno

from envkit._internal.files import FileRefusedError
from envkit._internal.os_errors import reason_of
from envkit._internal.replaceable import lasting_failure
from envkit.errors import DeniedError, DotenvError, SourceError, UnavailableError

# the name leads to what is no file, and never will by itself
_NO_FILE = (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


def failure(verb: str, name: str, error: OSError) -> SourceError:
    """Return the error for a file that the system does not let us read or write."""
    reason = reason_of(error)
    if isinstance(error, FileRefusedError):
        return DotenvError(f"{name}: {reason}")
    message = f"cannot {verb} {name}: {reason}"
    if isinstance(error, PermissionError):
        return DeniedError(message, hint=f"run 'ls -l {name}' to see who may {verb} it")
    if verb == "write":
        lasting = lasting_failure(error, name)
        if lasting is not None:
            return lasting
    elif isinstance(error, FileNotFoundError):
        return DotenvError(
            f"cannot read {name}: a link on its path leads nowhere",
            hint=f"run 'ls -l {name}', then remove the link or make what it leads to",
        )
    elif error.errno in _NO_FILE:
        return DotenvError(
            message, hint=f"name a file, or rename what is in its place: run 'ls -ld {name}'"
        )
    missing = verb == "write" and isinstance(error, FileNotFoundError)
    failure = UnavailableError(message, hint="make its folder with 'mkdir'" if missing else None)
    failure.retryable = False
    return failure
