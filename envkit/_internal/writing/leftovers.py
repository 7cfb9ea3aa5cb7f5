"""Distinguish temporary files in use from those that killed writers left behind.

A writer locks its temporary file while using it, and the kernel releases the locks
of a process that dies. So a file that can be locked has no writer,
even if the writer ran in another container, and the next writer in the folder removes it. Only
the caller's own files with names of this form are considered, and no link is followed.
"""

from __future__ import annotations

import fcntl
import os
import stat

from envkit._internal.files import open_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

TEMPORARY = ".envkit-tmp"
LOCK = ".envkit-lock"
_ENDINGS = (TEMPORARY, LOCK)
_RANDOM_BYTES = 6
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def temporary_name(name: str) -> str:
    """Return a new temporary name for `name`; a `.gitignore` with `.env*` covers it."""
    return f"{name}.{os.urandom(_RANDOM_BYTES).hex()}{TEMPORARY}"


def known_name(name: str) -> str:
    """Return the temporary name that writers use if they have the lock of the file.

    Because the name is fixed, leftovers can be found without listing the folder.
    """
    return f"{name}.{'0' * 2 * _RANDOM_BYTES}{TEMPORARY}"


def is_leftover_name(name: str) -> bool:
    """Return whether a name has the form of a temporary file or a lock."""
    if name.endswith(LOCK):
        return name != LOCK
    stem, _, random = name.removesuffix(TEMPORARY).rpartition(".")
    is_random = len(random) == 2 * _RANDOM_BYTES and not random.strip("0123456789abcdef")
    return name.endswith(TEMPORARY) and bool(stem) and is_random


def claim(descriptor: int) -> bool:
    """Lock an open file or folder to show other processes that it is in use.

    Returns:
        whether we have the lock and the file still exists. True on a file system without locks,
        since no other process can lock it either.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return os.fstat(descriptor).st_nlink > 0


def sweep_beside(path: str, *, alone: bool = False) -> None:
    """Remove the leftovers of killed writers next to a file that is written without a lock.

    Args:
        path: the file.
        alone: remove only the file's `known_name`, without listing the folder.
    """
    try:
        folder = open_folder(os.path.dirname(os.path.realpath(path)))
    except OSError:
        return  # the write will report this
    try:
        if alone:
            remove(folder, [known_name(os.path.basename(path))])
        else:
            sweep(folder)
    finally:
        os.close(folder)


def sweep(folder: int) -> None:
    """Remove the temporary files and locks in an open folder that no process uses."""
    try:
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:  # the folder is writable but not readable
        return
    try:
        names = [
            name
            for name in os.listdir(listed)
            if name.endswith(_ENDINGS) and is_leftover_name(name)  # the cheap test first
        ]
    finally:
        os.close(listed)
    remove(folder, names)


def remove(folder: int, names: Iterable[str]) -> None:
    """Remove the temporary files and locks with these names that no process uses."""
    for name in names:
        try:
            descriptor = os.open(name, _OPEN, dir_fd=folder)
        except OSError:
            continue
        try:
            _remove_dead(folder, name, descriptor)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def _remove_dead(folder: int, name: str, descriptor: int) -> None:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # it may have been renamed to its final name between open and lock
    if os.path.samestat(state, os.stat(name, dir_fd=folder, follow_symlinks=False)):
        os.unlink(name, dir_fd=folder)
