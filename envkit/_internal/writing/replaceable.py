"""Decide which files a write may replace, before it changes anything.

A write creates a new file and renames it to the name of the old one. That does not work for a
file with a second hard link, a file that is a mount point, or an immutable file. These
are refused with a hint.
"""

from __future__ import annotations

import errno
import os
import stat

from envkit._internal.files import FileRefusedError, link_refused
from envkit._internal.paths import display_path
from envkit.errors import WriteRefusedError

_MOUNTS = "/proc/self/mountinfo"
_MOUNT_POINT = 4  # index of the field in mountinfo
_GETFLAGS = 0x80086601  # FS_IOC_GETFLAGS of ext4, xfs, btrfs and others
_FLAGS = ((0x10, "immutable", "i"), (0x20, "append-only", "a"))
# errors that do not go away by themselves, with the remedy
_REMEDIES = {
    errno.EROFS: "mount its file system read-write, or change the original of the file",
    errno.EBUSY: "stop the process that uses it; if it is mounted as a single file, mount "
    "its folder instead",
    errno.ENOSPC: "free some space: 'df -h' shows which disk is full",
    errno.EDQUOT: "free some space: 'quota -s' shows how much you may use",
    errno.ENAMETOOLONG: "give it a shorter name: envkit writes files with longer names beside it",
    errno.ENOTDIR: "a file has the name of the folder that should contain it: rename one of them",
}


def check_replaceable(path: str) -> None:
    """Refuse a file that a write cannot replace. Changes nothing.

    Args:
        path: absolute and without links; the file may not exist yet.

    Raises:
        WriteRefusedError: a person must change something first.
        FileRefusedError: the path is not a regular file.
        OSError: the folder cannot be written.
    """
    folder = os.path.dirname(path)
    if not stat.S_ISDIR(os.stat(folder).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    if read_only or not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), path)
    _refuse_marked(folder, path)
    try:
        state = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return
    refuse_irreplaceable(path, state)


def check_own(path: str) -> None:
    """Refuse a name that envkit chose if something else has that name. Changes nothing.

    Raises:
        LinkRefusedError: the path is a link.
        FileRefusedError: the path is not a regular file.
        WriteRefusedError: a person must remove the file first.
    """
    try:
        state = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return
    refuse_links(path, state)
    shown = display_path(path)
    if is_mount_point(path):
        raise _refused(path, "it is mounted as a single file", f"run: umount {shown}")
    _refuse_marked(path, path)
    folder = os.stat(os.path.dirname(path))
    users = (0, state.st_uid, folder.st_uid)
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in users:
        name = user_name(state.st_uid)
        reason = (
            f"it belongs to {name}, and in this folder (sticky bit) only its owner can replace it"
        )
        raise _refused(path, reason, f"run: sudo -u {name} rm {shown}")


def refuse_links(path: str, state: os.stat_result) -> None:
    """Refuse a link; see `check_own`.

    Args:
        path: the file.
        state: the state of the path itself, not of a link's target.
    """
    if stat.S_ISLNK(state.st_mode):
        raise link_refused(path)
    _refuse_irregular(path, state)
    if state.st_nlink > 1:
        raise link_refused(path, hard=True)


def refuse_irreplaceable(path: str, state: os.stat_result) -> None:
    """Refuse an existing file that cannot be replaced; see `check_replaceable`."""
    _refuse_irregular(path, state)
    shown = display_path(path)
    if is_mount_point(path):
        raise _refused(
            path,
            "it is mounted as a single file, which can only be overwritten in place",
            "mount its folder, not the file",
        )
    if state.st_nlink > 1:
        raise _refused(
            path,
            f"it has {state.st_nlink} names (hard links), and a write would separate them",
            f"find them with 'find . -samefile {shown}', and remove all but one",
        )
    if not state.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise _refused(path, "it is read-only", f"run: chmod u+w {shown}")
    if os.geteuid() not in (0, state.st_uid):
        raise owner_refused(path, state.st_uid)
    _refuse_marked(path, path)
    if not os.access(path, os.W_OK, effective_ids=True):
        raise _refused(path, "you may not write it", f"run 'ls -l {shown}' to see who may")


def owner_refused(path: str, uid: int) -> WriteRefusedError:
    """Return the error for a file whose owner would change with a write.

    Args:
        path: the file.
        uid: the owner of the file.
    """
    return _refused(
        path,
        "it belongs to another user, and a write would make it yours",
        f"run the command again as its owner: 'sudo -u {user_name(uid)} envkit ...'",
    )


def user_name(uid: int) -> str:
    """Return the name of a user for `sudo -u`; `#1000` for a user without a name."""
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"'#{uid}'"


def lasting_failure(error: OSError, shown: str, verb: str = "write") -> WriteRefusedError | None:
    """Return the error for a failure that a retry cannot fix; None for other failures.

    Args:
        error: the error from the system.
        shown: the file's path for messages.
        verb: the operation that failed.
    """
    from envkit._internal.os_errors import reason_of

    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    return WriteRefusedError(f"cannot {verb} {shown}: {reason_of(error)}", hint=remedy)


def is_mount_point(path: str) -> bool:
    """Return whether a path is a mount point; a single file can be one.

    (`os.path.ismount` does not detect mounts from the same file system.)

    Args:
        path: absolute and without links.
    """
    try:
        with open(_MOUNTS, "rb") as file:
            return os.fsencode(path) in mount_points(file.read())
    except OSError:
        return False


def mount_points(table: bytes) -> set[bytes]:
    """Return the mount points from the text of a `mountinfo` file. Pure.

    Reference: proc_pid_mountinfo(5): blanks and backslashes are escaped as three octal digits.
    """
    found = set()
    for line in table.splitlines():
        fields = line.split(b" ")
        if len(fields) > _MOUNT_POINT:
            point = fields[_MOUNT_POINT]
            for code in (b"040", b"011", b"012", b"134"):  # the backslash last
                point = point.replace(b"\\" + code, bytes([int(code, 8)]))
            found.add(point)
    return found


def _refuse_marked(marked: str, path: str) -> None:
    """Refuse a path that `chattr` has marked: the file or its folder."""
    from fcntl import ioctl

    try:
        descriptor = os.open(marked, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # the path is writable but not readable
    try:
        flags = int.from_bytes(ioctl(descriptor, _GETFLAGS, bytes(8))[:4], "little")
    except OSError:
        return  # the file system does not support these flags
    finally:
        os.close(descriptor)
    for bit, kind, letter in _FLAGS:
        if flags & bit:
            whose = "it" if marked == path else "its folder"
            command = f"chattr -{letter} {display_path(marked)}"
            raise _refused(path, f"{whose} is {kind}", f"run '{command}' as root")


def _refuse_irregular(path: str, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise FileRefusedError(errno.EINVAL, "not a regular file", path)


def _refused(path: str, reason: str, hint: str) -> WriteRefusedError:
    return WriteRefusedError(f"cannot replace {display_path(path)}: {reason}", hint=hint)
