"""Lock a file so that only one process writes it at a time."""

from __future__ import annotations

import errno
import os
import stat
import time
from fcntl import LOCK_EX, LOCK_NB, flock

from envkit._internal.clock import Deadline
from envkit._internal.files import link_refused, open_folder
from envkit._internal.paths import display_path
from envkit._internal.writing.leftovers import LOCK, known_name, remove, sweep
from envkit._internal.writing.replaceable import refuse_links, user_name
from envkit.errors import LockedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_PAUSE_SECONDS = 0.01
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class locked:  # noqa: N801 - read as `with locked(path, ...):`
    """Prevent other processes that use `locked` from changing a file.

    The lock is a separate file next to it, since each write replaces the file itself.
    The kernel releases the lock of a process that dies, so the next process can take
    over its lock file. The owner of the lock also removes what killed writers left in the folder.
    Users who may write in the folder may open the lock file, since they could remove it anyway.
    Otherwise a lock file left by one user would block all others.

    Args:
        path: the file, which may not exist yet; its folder must exist. A symbolic link and its
            target share one lock.
        timeout_seconds: how long to wait for another process.
        follow: False for a path that was checked and has no links; a link is then an error.
        written: the names of all files that will be written in the folder under this lock, each
            with its `known_name`. Only their leftovers are removed, without listing the folder.

    Raises:
        LockedError: on entering, if another process has the lock until the timeout.
        LinkRefusedError: on entering, if the path of the lock is a link.
        OSError: on entering, if the folder cannot be written.
    """

    def __init__(
        self,
        path: str,
        *,
        timeout_seconds: float,
        follow: bool = True,
        written: Collection[str] | None = None,
    ) -> None:
        self._path = path
        self._target = os.path.realpath(path) if follow else path
        self._timeout_seconds = timeout_seconds
        self._written = written
        self._folder = -1
        self._descriptor = -1

    def __enter__(self) -> None:
        deadline = Deadline(self._timeout_seconds)
        folder, name = os.path.split(self._target)
        self._name = name + LOCK
        self._folder = open_folder(folder)
        try:
            self._descriptor = self._acquire(deadline)
            if self._written is None:
                sweep(self._folder)
            else:
                remove(self._folder, map(known_name, self._written))
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
            if descriptor is not None:
                try:
                    flock(descriptor, LOCK_EX | LOCK_NB)
                    # if its last owner removed the file, no other process sees this lock
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
                raise self._refused()
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> int | None:
        """Open the lock file; return None if another user owns it and we may not open it."""
        path = self._target + LOCK
        try:
            descriptor = os.open(self._name, _OPEN, 0o600, dir_fd=self._folder)
        except PermissionError:
            if self._owner() in (None, os.geteuid()):
                raise
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise link_refused(path) from None
            raise
        try:
            state = os.fstat(descriptor)
            refuse_links(path, state)
            if state.st_uid == os.geteuid():
                self._share(descriptor, state)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _owner(self) -> int | None:
        """Return the owner of the lock file; None if there is no lock file."""
        try:
            return os.stat(self._name, dir_fd=self._folder, follow_symlinks=False).st_uid
        except FileNotFoundError:
            return None

    def _share(self, descriptor: int, state: os.stat_result) -> None:
        """Let the owner of the file, and users who may write in the folder, wait for our lock."""
        try:
            folder = os.fstat(self._folder)
            if not folder.st_mode & stat.S_ISVTX:
                if folder.st_mode & stat.S_IWGRP and state.st_gid != folder.st_gid:
                    os.fchown(descriptor, -1, folder.st_gid)
                may_write = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                mode = 0o600 | may_write | may_write << 1
                if stat.S_IMODE(state.st_mode) != mode:
                    os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                target = os.stat(
                    os.path.basename(self._target), dir_fd=self._folder, follow_symlinks=False
                )
                if target.st_uid != state.st_uid:
                    os.fchown(descriptor, target.st_uid, -1)
        except OSError:
            pass  # the file does not exist yet, or this is not permitted

    def _refused(self) -> LockedError:
        hint = "run the command again in a moment"
        owner = self._owner()
        if owner is not None and owner != os.geteuid():
            lock, name = display_path(self._target + LOCK), user_name(owner)
            hint = f"run it again in a moment; if {name} is not running envkit, run 'rm -f {lock}'"
        return LockedError(f"another process is changing {self._path}", hint=hint)
