"""Temporary files: which ones have a live writer, and which ones a killed writer left.

A writer locks its temporary file for as long as it needs it, and the kernel unlocks
the files of a process that has died. So a file that can be locked has no writer any more,
in whatever container that ran, and the next writer in the folder removes it. Only files of
the caller with names of this form are looked at, and no link is followed.
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
    """Return a new name beside `name`, which a `.gitignore` with `.env*` covers as well."""
    return f"{name}.{os.urandom(_RANDOM_BYTES).hex()}{TEMPORARY}"


def known_name(name: str) -> str:
    """Return the one temporary name that is used by writers with the lock of their file.

    What one of them has left is found without listing the folder.
    """
    return f"{name}.{'0' * 2 * _RANDOM_BYTES}{TEMPORARY}"


def is_leftover_name(name: str) -> bool:
    """Return whether a file of this name may be a temporary one, or a lock."""
    if name.endswith(LOCK):
        return name != LOCK
    stem, _, random = name.removesuffix(TEMPORARY).rpartition(".")
    is_random = len(random) == 2 * _RANDOM_BYTES and not random.strip("0123456789abcdef")
    return name.endswith(TEMPORARY) and bool(stem) and is_random


def claim(descriptor: int) -> bool:
    """Lock an open file or folder, so that others see that its process lives.

    Returns:
        whether it is ours and still exists. On a file system without locks this is True, since
        no other process can lock it either.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return os.fstat(descriptor).st_nlink > 0


def sweep_beside(path: str, *, alone: bool = False) -> None:
    """Remove what killed writers left beside a file, for one that is written without a lock.

    Args:
        path: the file.
        alone: remove only what has the file's `known_name`, and do not list the folder.
    """
    try:
        folder = open_folder(os.path.dirname(os.path.realpath(path)))
    except OSError:
        return  # the write will say so
    try:
        if alone:
            remove(folder, [known_name(os.path.basename(path))])
        else:
            sweep(folder)
    finally:
        os.close(folder)


def sweep(folder: int) -> None:
    """Remove the temporary files and locks in an open folder that no process needs any more."""
    try:
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:  # it may be written and not listed
        return
    try:
        names = [
            name
            for name in os.listdir(listed)
            if name.endswith(_ENDINGS) and is_leftover_name(name)  # the first is fast
        ]
    finally:
        os.close(listed)
    remove(folder, names)


def remove(folder: int, names: Iterable[str]) -> None:
    """Remove those of the temporary files and locks with these names that no process needs."""
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
    # it may have got its last name between being opened and being locked
    if os.path.samestat(state, os.stat(name, dir_fd=folder, follow_symlinks=False)):
        os.unlink(name, dir_fd=folder)
