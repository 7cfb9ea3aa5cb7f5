"""A folder of this process alone, for files that must not outlive it.

    with private_folder("envkit-edit-", "/dev/shm") as folder:
        ...

The folder has mode 0700, and is wiped at the end with all its files. A process that is killed
cannot do that: the next one with the same prefix does. A lock protects folders in use.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import contextmanager, suppress

from envkit._internal.writing.leftovers import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def private_folder(prefix: str, parent: str | None = None) -> Iterator[str]:
    """Yield the path of a new folder, and wipe it afterwards.

    Args:
        prefix: how the names of all folders with this purpose begin.
        parent: where it is created; default: TMPDIR.

    Raises:
        OSError: it cannot be created.
    """
    usual = tempfile.gettempdir()
    for one in {parent or usual, usual}:
        _sweep(one, prefix)
    folder, descriptor = _create(prefix, parent or usual)
    try:
        yield folder
    finally:
        wipe(folder)
        os.close(descriptor)


def wipe(folder: str) -> None:
    """Overwrite and remove a folder with all its files, including those that others added.

    If a file cannot be removed, the others still are.
    """
    with suppress(OSError):
        os.chmod(folder, 0o700)  # otherwise its files cannot be removed
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    wipe(entry.path)
                else:
                    _wipe_file(entry.path)
        os.rmdir(folder)


def _create(prefix: str, parent: str) -> tuple[str, int]:
    """Create and lock a folder; return its path and the descriptor that locks it."""
    while True:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        try:
            descriptor = os.open(folder, _FOLDER)
        except FileNotFoundError:  # another process swept it before it was locked
            continue
        if claim(descriptor):
            return folder, descriptor
        os.close(descriptor)


def _sweep(parent: str, prefix: str) -> None:
    """Wipe the user's folders that no process has locked: their processes were killed."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        folder = os.path.join(parent, name)
        try:
            descriptor = os.open(folder, _FOLDER)
        except OSError:  # a link, a file, or another user's folder
            continue
        try:
            state = os.fstat(descriptor)
            if state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) == 0o700:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                wipe(folder)
        except OSError:
            pass  # it is in use, or cannot be removed
        finally:
            os.close(descriptor)


def _wipe_file(path: str) -> None:
    with suppress(OSError):  # a link, a pipe, or not writable: it is removed without overwriting
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "wb") as file:
            state = os.fstat(descriptor)
            if stat.S_ISREG(state.st_mode) and state.st_nlink == 1:
                file.write(b"\0" * state.st_size)
    with suppress(OSError):
        os.unlink(path)
