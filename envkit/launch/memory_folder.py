"""Find a private folder whose files are only in memory, for values that an app reads as files.

    $XDG_RUNTIME_DIR/envkit-files      # of the user's session
    /dev/shm/envkit-files-1000         # of the user

A folder that others could replace is refused: the app would read what they wrote.
"""

from __future__ import annotations

import os
import stat

from envkit.errors import EnvkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED = "/dev/shm"  # noqa: S108 - it is checked
_NAME = "envkit-files"
_IN_MEMORY = frozenset((b"tmpfs", b"ramfs"))
_HINT = "name a folder for them: envkit exec --files DIR ..."


class FileVariableError(EnvkitError):
    """A variable with `as = "file"` cannot be written to a file that only its owner can read."""

    code = "file-variable-failed"
    exit_status = 126


def files_folder(chosen: str | None, environ: Mapping[str, str]) -> tuple[str, int]:
    """Open the folder for the files of all apps of this user; create it if it is missing.

    Args:
        chosen: the folder of `--files`, which may be on a disk.
        environ: the process environment.

    Returns:
        its path and an open descriptor of it.

    Raises:
        FileVariableError: there is no such folder, or another user could change it.
    """
    path = _chosen(chosen) if chosen is not None else _in_memory(environ)
    try:
        try:  # noqa: SIM105 - contextlib would delay the start of the app
            make_private(path)
        except FileExistsError:
            pass
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        from envkit._internal.os_errors import reason_of

        raise FileVariableError(
            f"cannot put variables into files: {path}: {reason_of(error)}", hint=_HINT
        ) from None
    state = os.fstat(descriptor)
    others = stat.S_IMODE(state.st_mode) & (0o022 if chosen is not None else 0o077)
    if state.st_uid != os.geteuid() or others:
        os.close(descriptor)
        raise _refused(path)
    return path, descriptor


def make_private(path: str, inside: int | None = None) -> None:
    """Create a folder with mode 0700, whatever the umask is.

    Raises:
        OSError: as for `os.mkdir`.
    """
    os.mkdir(path, 0o700, dir_fd=inside)
    os.chmod(path, 0o700, dir_fd=inside)


def _chosen(path: str) -> str:
    """Return the real path of a folder; every folder above it must be safe from other users."""
    if not path:
        raise FileVariableError("--files names no folder", hint=_HINT)
    path = os.path.realpath(path)
    try:
        changeable = _changeable_above(path)
    except OSError as error:
        from envkit._internal.os_errors import reason_of

        above = os.path.dirname(path)
        raise FileVariableError(
            f"cannot put variables into files: {above}: {reason_of(error)}",
            hint=f"create the folder first: mkdir -p {above}",
        ) from None
    if changeable:
        raise _refused(changeable)
    return path


def _changeable_above(path: str) -> str:
    """Return the first folder above a real path that other users could change, or an empty text."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        state = os.stat(path)
        writable = state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX
        if state.st_uid not in (0, os.geteuid()) or writable:
            return path
    return ""


def _in_memory(environ: Mapping[str, str]) -> str:
    session = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(session) and _is_own(session) and _is_in_memory(session):
        return os.path.join(os.path.realpath(session), _NAME)
    if _is_in_memory(SHARED) and os.stat(SHARED).st_mode & stat.S_ISVTX:
        return os.path.join(SHARED, f"{_NAME}-{os.geteuid()}")
    raise FileVariableError(
        "cannot put variables into files: neither $XDG_RUNTIME_DIR nor /dev/shm is in memory",
        hint=_HINT,
    )


def _is_own(path: str) -> bool:
    try:
        state = os.stat(path)
        changeable = _changeable_above(os.path.realpath(path))
    except OSError:
        return False
    return state.st_uid == os.geteuid() and not state.st_mode & 0o077 and not changeable


def _is_in_memory(path: str) -> bool:
    """Return whether the file system of a folder never writes to a disk, except to swap.

    Reference: proc_pid_mountinfo(5)
    """
    try:
        device = os.stat(path).st_dev
        with open("/proc/self/mountinfo", "rb") as file:
            mounts = file.read().splitlines()
    except OSError:  # not Linux
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    for mount in mounts:
        if mount.split(b" ", 3)[2] == wanted:
            return mount.partition(b" - ")[2].split(b" ")[0] in _IN_MEMORY
    return False


def _refused(path: str) -> FileVariableError:
    return FileVariableError(
        f"cannot put variables into files: other users could change {path}",
        hint=f"correct its owner and mode, or {_HINT}",
    )
