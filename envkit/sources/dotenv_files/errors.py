"""Errors of `.env` files: a read or write that failed, or a path that is not valid."""

from __future__ import annotations

import errno

from envkit._internal.files import FileRefusedError
from envkit._internal.names import is_name
from envkit._internal.os_errors import reason_of
from envkit._internal.writing.replaceable import lasting_failure
from envkit.errors import (
    DeniedError,
    DotenvError,
    InvalidReferenceError,
    SourceError,
    UnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference

# the path is not that of a file, and a retry does not help
_NO_FILE = (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)


def failure(verb: str, name: str, error: OSError) -> SourceError:
    """Return the error for a failed read or write of a file."""
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
            f"cannot read {name}: its path contains a dangling link",
            hint=f"run 'ls -l {name}', then remove the link or create its target",
        )
    elif error.errno in _NO_FILE:
        return DotenvError(
            message, hint=f"name a file, or rename what is in its place: run 'ls -ld {name}'"
        )
    missing = verb == "write" and isinstance(error, FileNotFoundError)
    failure = UnavailableError(message, hint="create its folder with 'mkdir'" if missing else None)
    failure.retryable = False
    return failure


def check_reference(ref: Reference, variable: str, source: str) -> None:
    """Refuse a reference that is not valid for a `.env` file.

    Args:
        ref: the reference to look up.
        variable: the variable that it names.
        source: the name of the source.

    Raises:
        InvalidReferenceError: it has a version that files do not have, or it does not name a
            variable or a file.
    """
    if ref.stage is not None or not _is_version(ref.version):
        raise InvalidReferenceError(
            f"{ref} has a version, but envkit saves only the previous version of a .env file",
            hint="use '?version=previous'",
        )
    if "\0" in ref.path:
        raise InvalidReferenceError(f"{ref}: no file has a NUL character in its name")
    if ref.field is not None:
        refuse_shell_path(ref.path, str(ref), InvalidReferenceError)
    like_a_file = variable.startswith(".") or "/" in variable or variable.endswith(".env")
    if not variable or "\0" in variable or (ref.field is None and like_a_file):
        hint = None
        if ref.field is None:
            hint = f"for a variable of a file, write {source}:{ref.path}#NAME"
        raise InvalidReferenceError(f"{ref}: '{variable}' is not a variable name", hint=hint)


def _is_version(version: str | None) -> bool:
    parts = (version or "").split("-")
    return version in (None, "previous") or (
        len(parts) == 3 and all(part and not part.strip("0123456789abcdef") for part in parts)
    )


def refuse_shell_path(path: str, where: str, error: type[EnvkitError]) -> None:
    """Refuse a path with shell syntax, and a text that is not a single path.

    Examples: `~/x`, `$HOME/x`, `%HOME%/x`, `*.env`, `.env,.env.local`, `file://x` and ` .env`. No
    file has such a name, so all variables would silently be absent.

    Args:
        path: relative to the project; write `./~` for a file of that name.
        where: what has the path, for messages.
        error: the class of the error to raise.
    """
    first, slash, rest = path.partition("/")
    variable = "HOME" if first == "~" else first[1:].removeprefix("{").removesuffix("}")
    percent = first.startswith("%") and first.endswith("%")
    if first.startswith("~") and first != "~":
        instead = "the folder's full path"
    elif first.startswith(("~", "$")) and is_name(variable):
        instead = f"{{{{ env:{variable} }}}}{slash}{rest}"
    elif percent and is_name(first[1:-1]):
        instead = f"{{{{ env:{first[1:-1]} }}}}{slash}{rest}"
    elif path.startswith(("/", "./", "../")):
        return
    elif path != path.strip():
        first, instead = path, f"'{path.strip()}'"
    elif "://" in path:
        first, instead = f"{path.partition('://')[0]}://", "the path alone"
    elif "," in path:
        parts = ", ".join(f'"{part.strip()}"' for part in path.split(",") if part.strip())
        first, instead = ",", f"[{parts}] as the 'path' of the source"
    elif mark := "*" if "*" in path else "?" if "?" in path else "":
        first, instead = mark, "each file's name, in a list"
    else:
        return
    raise error(
        f"{where}: '{first}' is not expanded in a path",
        hint=f"write {instead}; for a file with exactly that name, write ./{path}",
    )
