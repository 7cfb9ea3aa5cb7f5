"""Who can read a file, according to its owner, group and mode."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.sources.readers import READ, WRITE, Reader, Readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ACL = "system.posix_acl_access"
_ROOT = "root, and everyone who can read the disk or its backups"


def file_readers(path: str) -> Readers:
    """Return who can read and write a file, as far as its mode says.

    Args:
        path: absolute path; a link is followed.
    """
    place = display_path(path)
    try:
        state = os.stat(path)
        folders = [os.stat(folder) for folder in _folders(os.path.realpath(path))]
    except OSError as error:
        return Readers(place, (), (f"the file: {reason_of(error, 'unreadable')}",))
    readers = [Reader(f"user {_user(state.st_uid)}", _rights(state.st_mode >> 6), "owner")]
    if group := _rights(state.st_mode >> 3):
        reached = all(_lets_pass(one, state.st_gid) for one in folders)
        by = "group" if reached else "group, but a folder above keeps some of them out"
        readers.append(Reader(_group(state.st_gid), group, by))
    if others := _rights(state.st_mode):
        reached = all(one.st_mode & stat.S_IXOTH for one in folders)
        by = "mode" if reached else "mode, but a folder above keeps some of them out"
        readers.append(Reader("every user of this machine", others, by))
    return Readers(place, tuple(one for one in readers if one.rights), tuple(_hidden(path)))


def _hidden(path: str) -> Iterator[str]:
    yield _ROOT
    try:
        os.getxattr(path, _ACL)
    except OSError:
        return
    yield f"an access control list grants more: run getfacl {display_path(path)}"


def _folders(path: str) -> Iterator[str]:
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _lets_pass(folder: os.stat_result, group: int) -> bool:
    same = folder.st_gid == group and folder.st_mode & stat.S_IXGRP
    return bool(same or folder.st_mode & stat.S_IXOTH)


def _rights(bits: int) -> tuple[str, ...]:
    return tuple(right for right, bit in ((READ, 4), (WRITE, 2)) if bits & bit)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return f"group {gid}"
    members = ", ".join(group.gr_mem)
    return f"group {group.gr_name}" + (f" ({members})" if members else "")
