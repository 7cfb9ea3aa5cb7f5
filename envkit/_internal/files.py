"""Read files with a size limit and without following links to other places.

The rules depend on who chose the name of a file:

- the user, on the command line: links are followed (`read_capped`, `read_with_stat`)
- a repository, in a profile or as one of its files: links are followed inside the
  project, and beyond it only if the user trusts that (`read_in_project`, `real_path`)
- envkit, for files that it stores next to others: links are never followed (`read_own`)

Guarantees: only regular files are read, never a folder or device; a pipe is read only if
the caller sets a time limit for its writer; a link that another process creates in the
path at the same time is not followed. Writing is in `atomic_write`, which starting an app does
not import.
"""

from __future__ import annotations

import errno
import os
import stat

from envkit._internal.paths import display_path
from envkit.errors import LinkRefusedError, UntrustedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline

# without O_NONBLOCK, opening a pipe blocks until it has a writer
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# O_PATH works without permission to list the folder
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
# errors for a link that is not followed; a folder's link gives ENOTDIR
_LINK_ERRORS = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


class FileRefusedError(OSError):
    """The path is not a file that envkit can read; `strerror` says why."""


def _always(_root: str, _target: str) -> bool:
    return True


_may_leave: Callable[[str, str], bool] = _always
_projects: dict[str, str] = {}  # see `narrow_project`


def set_leaving(allowed: Callable[[str, str], bool] | None) -> Callable[[str, str], bool]:
    """Set the function that decides whether file names in a repository may leave its project.

    The decision is the same for the whole process: a program that uses envkit as a library is the
    repository's own code and may read any file. The command line asks for the user's
    trust.

    Args:
        allowed: takes the real paths of the project's folder and of the file and returns whether
            access is allowed; None to always refuse.

    Returns:
        the previous function.
    """
    global _may_leave  # noqa: PLW0603 - see above
    before = _may_leave
    _may_leave = (lambda _root, _target: False) if allowed is None else allowed
    return before


def narrow_project(root: str, project: str) -> None:
    """Declare that a folder contains only one project folder and that nothing else belongs to it.

    If a repository is itself a folder of profiles, the folder around the repository and its
    other content must not count as part of the project.

    Args:
        root: the outer folder.
        project: the project's folder inside it.
    """
    _projects[root] = project


def is_narrowed(root: str) -> bool:
    """Return whether `narrow_project` was called for a folder."""
    return root in _projects


def project_of(root: str) -> str:
    """Return the real path of the folder that contains the files of a project.

    Args:
        root: the folder that contains the folder of profiles.
    """
    return resolved(_projects.get(root, root))


def read_capped(path: str, limit_bytes: int, *, pipe_until: Deadline | None = None) -> bytes:
    """Return the content of a regular file of at most `limit_bytes`.

    Args:
        path: the file.
        limit_bytes: the size limit.
        pipe_until: how long to wait for the writer of a named pipe; None to refuse pipes.

    Raises:
        FileRefusedError: the file is larger or not a regular file.
        OSError: the file cannot be read.
    """
    return _read(os.open(path, _READ), path, limit_bytes, pipe_until)[0]


def read_with_stat(path: str, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return the content like `read_capped`, and the file's state from before the read."""
    return _read(os.open(path, _READ), path, limit_bytes)


def read_in_project(
    path: str, root: str, limit_bytes: int, *, pipe_until: Deadline | None = None
) -> tuple[bytes, os.stat_result]:
    """Do what `read_with_stat` does, for a file named in a repository.

    Args:
        path: the file.
        root: the project's folder.
        limit_bytes: the size limit.
        pipe_until: as for `read_capped`.

    Raises:
        UntrustedError: the path leads out of the project; the file was not opened.
        OSError: as for `read_with_stat`.
    """
    descriptor = _open_beneath(path, root)
    if descriptor is None:
        descriptor = _open_real(real_path(path, root))
    return _read(descriptor, path, limit_bytes, pipe_until)


def read_real(path: str, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """Do what `read_with_stat` does, for a path that `real_path` returned.

    Raises:
        OSError: as for `read_with_stat`, or another process has created a link in the path.
    """
    return _read(_open_real(path), path, limit_bytes)


def read_own(path: str, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """Do what `read_with_stat` does, for a file whose name envkit chose.

    Args:
        path: absolute, in a folder without links, such as the folder of a `real_path`.
        limit_bytes: the size limit.

    Raises:
        LinkRefusedError: the file is a symbolic or hard link.
        OSError: as for `read_with_stat`.
    """
    try:
        content, state = read_real(path, limit_bytes)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise link_refused(path) from None
        raise
    if state.st_nlink > 1:
        raise link_refused(path, hard=True)
    return content, state


def real_path(path: str, root: str) -> str:
    """Return the real path of a path named in a repository.

    Args:
        path: a file or folder that may not exist.
        root: the project's folder.

    Raises:
        UntrustedError: the path leads out of the project, and the user has not allowed it; or
            another process is replacing links in the path.
    """
    target, inside = resolved(path), project_of(root)
    if target == inside or target.startswith(inside.rstrip("/") + "/"):
        return target
    if not _may_leave(inside, target):
        raise UntrustedError(
            f"{display_path(path)} leads out of the project, to {target}: "
            "envkit opens it only if you trust it",
            hint="run 'envkit trust' to allow it, or move the file into the project",
        )
    return target


def resolved(path: str) -> str:
    """Return the real path of a path, without restrictions.

    Raises:
        UntrustedError: another process is replacing links in the path.
    """
    try:
        return os.path.realpath(path)
    except OSError:  # a link in the path was replaced during the call
        raise UntrustedError(
            f"cannot see where {display_path(path)} leads: another process is replacing links",
            hint="run the command again when that process is done",
        ) from None


def version_of(state: os.stat_result) -> str:
    """Return a version that changes with every write and reveals nothing about the content."""
    return f"{state.st_mtime_ns:x}-{state.st_size:x}-{state.st_ino:x}"


def open_folder(folder: str) -> int:
    """Open a folder for use as `dir_fd` without following links in its path.

    Args:
        folder: absolute, without links, as `os.path.realpath` returns it.

    Raises:
        OSError: the folder does not exist, or its path now contains a link.
    """
    return _walk(os.open("/", _FOLDER), folder.split("/"))


def link_refused(path: str, *, hard: bool = False) -> LinkRefusedError:
    """Return the error for a link in place of a file whose name envkit chose."""
    shown = display_path(path)
    kind = "has a second name (a hard link)" if hard else "is a symbolic link"
    return LinkRefusedError(
        f"{shown} {kind}: envkit stores its own file under that name, and never opens it "
        "through a link",
        hint=f"run 'ls -l {shown}' to see where it leads, then 'rm {shown}'",
    )


def _open_beneath(path: str, root: str) -> int | None:
    """Open a file below a folder; return None if a link or `..` is in the path.

    Most paths have neither, and this is cheaper than resolving the path.
    """
    root = _projects.get(root, root)
    prefix = root.rstrip("/") + "/"
    if not path.startswith(prefix):
        return None
    *folders, name = path[len(prefix) :].split("/")
    if ".." in folders or name in ("", ".", ".."):
        return None
    try:
        if folders:
            return _open_in(_walk(os.open(root, _FOLDER), folders), name)
        return os.open(path, _READ | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in _LINK_ERRORS:
            return None
        raise


def _open_real(path: str) -> int:
    """Open a file by an absolute path that has no links."""
    folder, name = os.path.split(path)
    return _open_in(open_folder(folder), name)


def _walk(folder: int, names: list[str]) -> int:
    """Open nested folders and return the last one; the given descriptor is closed."""
    for name in names:
        if name not in ("", "."):
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            finally:
                os.close(folder)
            folder = below
    return folder


def _open_in(folder: int, name: str) -> int:
    """Open a file in an open folder for reading; the folder is closed."""
    try:
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _read(
    descriptor: int, path: str, limit_bytes: int, pipe_until: Deadline | None = None
) -> tuple[bytes, os.stat_result]:
    """Read an open file and close it."""
    try:
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode):
            content = _content(descriptor, limit_bytes + 1)
        elif stat.S_ISFIFO(state.st_mode) and pipe_until is not None:
            from envkit._internal.fifo import read_fifo

            content = read_fifo(descriptor, limit_bytes, pipe_until)
        else:
            raise FileRefusedError(errno.EINVAL, "not a regular file", path)
    finally:
        os.close(descriptor)
    if len(content) > limit_bytes:
        raise FileRefusedError(errno.EFBIG, f"larger than {limit_bytes} bytes", path)
    return content, state


def _content(descriptor: int, left: int) -> bytes:
    chunks = []
    while left > 0 and (chunk := os.read(descriptor, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
