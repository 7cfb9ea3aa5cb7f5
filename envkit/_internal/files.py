"""Files that hold secrets: read with a limit, replaced as a whole, one writer at a time.

What always holds: a reader sees the old content or the new, never a part; a new
file is 0600 from its first byte; whatever goes wrong, the old file is as it was.
Only regular files are read or replaced, never a folder, pipe or device. The
standard library's `tempfile` is not used: its import costs more than a profile.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from envkit._internal.clock import Deadline
from envkit.errors import LockedError

_TEMPORARY = ".envkit-tmp"
_LOCK = ".envkit-lock"
_LOCK_PAUSE_SECONDS = 0.01
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems


class FileRefusedError(OSError):
    """What the path names is not a file that envkit works with; `strerror` says why."""


def read_capped(path: str, limit_bytes: int) -> bytes:
    """Return the content of a regular file of at most `limit_bytes`.

    Raises:
        FileRefusedError: it is larger, or no regular file.
        OSError: it cannot be read.
    """
    return read_with_stat(path, limit_bytes)[0]


def read_with_stat(path: str, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return what `read_capped` does, and the file's state from before it was read."""
    # without O_NONBLOCK, opening a pipe waits for its writer
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        _refuse_irregular(state, path)
        chunks = []
        left = limit_bytes + 1
        while left > 0 and (chunk := os.read(descriptor, min(left, 1 << 20))):
            chunks.append(chunk)
            left -= len(chunk)
    finally:
        os.close(descriptor)
    if left <= 0:
        raise FileRefusedError(errno.EFBIG, f"larger than {limit_bytes} bytes", path)
    return b"".join(chunks), state


def write_atomic(path: str, data: bytes, *, mode: int | None = None) -> os.stat_result:
    """Make `data` the content of a file, in one step and for good.

    A symbolic link stays one: the file that it leads to is replaced. The new file is
    always younger than the one it replaces, however fast they follow each other, so
    that its times and size tell the two apart.

    Args:
        path: the file; its folder must exist.
        data: the whole new content.
        mode: permission bits; None keeps those of the file that is replaced, and is
            0600 for a new one.

    Returns:
        the state of the new file.

    Raises:
        OSError: nothing was changed. (A writer that is killed leaves a temporary file
            beside the target, no more readable than that; the next `locked` removes it.)
    """
    target = os.path.realpath(path)
    replaced = os.stat(target) if os.path.lexists(target) else None
    if replaced is not None:
        _refuse_irregular(replaced, path)
    temporary = _temporary(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            _write_all(descriptor, data)
            state = _finish(descriptor, replaced, mode)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise
    _sync_folder(os.path.dirname(target))
    return state


class locked:  # noqa: N801 - read as `with locked(path, ...):`
    """Keeps other processes that use `locked` from changing a file meanwhile.

    The lock is on a file beside it, since the file itself is replaced by every write.
    The kernel frees the lock of a process that dies, so one that is left behind is
    merely taken over.

    Args:
        path: the file, which need not exist; its folder must.
        timeout_seconds: how long to wait for another process.

    Raises:
        LockedError: on entering, when another process held it all the time.
        OSError: on entering, when the folder cannot be written.
    """

    def __init__(self, path: str, *, timeout_seconds: float) -> None:
        self._path = path
        self._target = os.path.realpath(path)
        self._timeout_seconds = timeout_seconds
        self._descriptor = -1

    def __enter__(self) -> None:
        deadline = Deadline(self._timeout_seconds)
        self._descriptor = _acquire(self._target + _LOCK, self._path, deadline)
        remove_leftovers(self._target)

    def __exit__(self, *_: object) -> None:
        _remove(self._target + _LOCK)
        os.close(self._descriptor)


def remove_leftovers(target: str) -> None:
    """Remove what writers of a file left that were killed: they held the lock that we hold now.

    (One that writes without the lock, at this very moment, fails and says so.)

    Args:
        target: the file itself, and no symbolic link to it.
    """
    folder, name = os.path.split(target)
    length = len(_temporary(name))  # `.env` has nothing to do with what `.env.staging` left
    try:
        others = os.listdir(folder)
    except PermissionError:  # it may be written and not listed
        return
    for other in others:
        if other.startswith(name + ".") and other.endswith(_TEMPORARY) and len(other) == length:
            _remove(os.path.join(folder, other))


def _acquire(lock: str, path: str, deadline: Deadline) -> int:
    from fcntl import LOCK_EX, LOCK_NB, flock

    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            # whoever held it has unlinked it: then this is a lock that nobody else can see
            if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if deadline.expired:
            raise LockedError(
                f"another process is changing {path}", hint="run the command again in a moment"
            )
        time.sleep(_LOCK_PAUSE_SECONDS)


def _remove(path: str) -> None:
    try:  # noqa: SIM105 - importing contextlib takes longer than all of this
        os.unlink(path)
    except OSError:
        pass


def _temporary(target: str) -> str:
    """Return a new name beside the target, which a `.gitignore` with `.env*` covers as well."""
    return f"{target}.{os.urandom(6).hex()}{_TEMPORARY}"


def _refuse_irregular(state: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise FileRefusedError(errno.EINVAL, "not a regular file", path)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _finish(descriptor: int, replaced: os.stat_result | None, mode: int | None) -> os.stat_result:
    """Give the new file its owner, mode and time, and have it on the disk."""
    now = time.time_ns()
    if mode is None:
        mode = 0o600 if replaced is None else stat.S_IMODE(replaced.st_mode)
    if replaced is not None:
        now = max(now, replaced.st_mtime_ns + 1)
        try:
            owner = replaced.st_uid if os.geteuid() == 0 else -1
            os.fchown(descriptor, owner, replaced.st_gid)
        except PermissionError:
            mode &= ~stat.S_IRWXG  # it was for a group that the new file does not have
    os.fchmod(descriptor, mode)
    os.utime(descriptor, ns=(now, now))
    os.fsync(descriptor)
    return os.fstat(descriptor)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
