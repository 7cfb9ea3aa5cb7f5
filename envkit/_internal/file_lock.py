"""One writer of a file at a time."""

from __future__ import annotations

import errno
import os
import time
from fcntl import LOCK_EX, LOCK_NB, flock

from envkit._internal.clock import Deadline
from envkit._internal.files import link_refused, open_folder
from envkit._internal.leftovers import LOCK, sweep
from envkit._internal.replaceable import refuse_links
from envkit.errors import LockedError

_PAUSE_SECONDS = 0.01
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class locked:  # noqa: N801 - read as `with locked(path, ...):`
    """Keeps other processes that use `locked` from changing a file meanwhile.

    The lock is on a file beside it, since the file itself is replaced by every write.
    The kernel frees the lock of a process that dies, so one that is left behind is
    merely taken over. Who has the lock also removes what killed writers left in the folder.

    Args:
        path: the file, which need not exist; its folder must. A symbolic link and the file
            that it leads to have one lock.
        timeout_seconds: how long to wait for another process.

    Raises:
        LockedError: on entering, when another process held it all the time.
        LinkRefusedError: on entering, when a link is in the place of the lock.
        OSError: on entering, when the folder cannot be written.
    """

    def __init__(self, path: str, *, timeout_seconds: float) -> None:
        self._path = path
        self._target = os.path.realpath(path)
        self._timeout_seconds = timeout_seconds
        self._folder = -1
        self._descriptor = -1

    def __enter__(self) -> None:
        deadline = Deadline(self._timeout_seconds)
        folder, name = os.path.split(self._target)
        self._name = name + LOCK
        self._folder = open_folder(folder)
        try:
            self._descriptor = self._acquire(deadline)
            sweep(self._folder)
        except BaseException:
            self._release()
            raise

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        if self._descriptor >= 0:
            try:  # noqa: SIM105 - importing contextlib takes longer than all of this
                os.unlink(self._name, dir_fd=self._folder)
            except OSError:
                pass
            os.close(self._descriptor)
        os.close(self._folder)

    def _acquire(self, deadline: Deadline) -> int:
        while True:
            descriptor = self._open()
            try:
                flock(descriptor, LOCK_EX | LOCK_NB)
                # its last holder has removed it: then this is a lock that no other process sees
                there = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
                if os.path.samestat(os.fstat(descriptor), there):
                    return descriptor
            except (BlockingIOError, FileNotFoundError):
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            if deadline.expired:
                raise LockedError(
                    f"another process is changing {self._path}",
                    hint="run the command again in a moment",
                )
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> int:
        path = self._target + LOCK
        try:
            descriptor = os.open(self._name, _OPEN, 0o600, dir_fd=self._folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise link_refused(path) from None
            raise
        try:
            refuse_links(path, os.fstat(descriptor))
            self._give_to_owner(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _give_to_owner(self, descriptor: int) -> None:
        """Let the owner of the file wait for a lock of root's, who could not open it else."""
        if os.geteuid() != 0:
            return
        try:
            state = os.stat(os.path.basename(self._target), dir_fd=self._folder)
            os.fchown(descriptor, state.st_uid, -1)
        except OSError:
            pass  # there is no such file yet, or root is not allowed to
