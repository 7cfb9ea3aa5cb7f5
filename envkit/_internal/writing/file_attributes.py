"""Copy mode, owner and attributes of a file to its replacement.

The attributes are the mode, the owner and group, the access control list and the `user.*`
attributes. Guarantee: at no time can a user read or write the new file who could not do so with
the old one. If that prevents copying the rest, users lose access and never gain it.

Reference: acl(5), and the binary form of a list in Linux' `posix_acl_xattr.h`.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from envkit._internal.named_tuple import NamedTuple

_ACL = "system.posix_acl_access"
_USER = "user."
_ENTRY = struct.Struct("<HHI")  # tag, permissions, id; follows a 4-byte version
_VERSION_BYTES = 4
_GROUP_OBJ, _MASK, _OTHER = 0x04, 0x10, 0x20  # tags that apply to sets of users
_ALL = 7
_NONE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
# beyond EPERM: an id not mapped into a user namespace, a file system without owners
_NOT_GIVEN = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOVERFLOW, *_NONE)
_XATTRS = hasattr(os, "getxattr")  # Linux


class Attributes(NamedTuple):
    """The attributes of a file; `acl` is None if the mode says everything."""

    state: os.stat_result
    acl: bytes | None
    user: tuple[tuple[str, bytes], ...]


class OwnerLostError(OSError):
    """The new file cannot be given to the owner of the old one."""


def read(descriptor: int) -> Attributes:
    """Return the attributes of an open file.

    Raises:
        OSError: they cannot be read.
    """
    user = []
    if _XATTRS:
        try:
            names = os.listxattr(descriptor)
        except OSError as error:
            if error.errno not in _NONE:
                raise
            names = []
        user = [(n, os.getxattr(descriptor, n)) for n in sorted(names) if n.startswith(_USER)]
    return Attributes(os.fstat(descriptor), _acl_of(descriptor), tuple(user))


def apply(descriptor: int, attributes: Attributes, *, mode: int | None) -> None:
    """Give a new file, which only its owner may read so far, the attributes of the old file.

    Args:
        descriptor: the new file.
        attributes: the attributes of the file that it will replace.
        mode: permission bits to use instead of the old mode and access control list.

    Raises:
        OwnerLostError: the file cannot get the same owner.
        OSError: the file cannot get another attribute.
    """
    state, acl, user = attributes
    for name, value in user:
        os.setxattr(descriptor, name, value)
    has_group = _give(descriptor, state)
    if mode is None and acl is not None:
        os.setxattr(descriptor, _ACL, acl if has_group else _without_group(acl))
        return
    mode = stat.S_IMODE(state.st_mode) if mode is None else mode
    set_mode(descriptor, mode if has_group else _mode_without_group(mode))


def set_mode(descriptor: int, mode: int) -> None:
    """Set the mode of a new file, and remove an access control list inherited from its folder."""
    if _acl_of(descriptor) is not None:
        os.removexattr(descriptor, _ACL)
    os.fchmod(descriptor, mode)


def give_to(descriptor: int, owner: os.stat_result) -> None:
    """As root, give a new file that only its owner may read to the owner of another file."""
    if os.geteuid() == 0:
        _give(descriptor, owner)


def _give(descriptor: int, state: os.stat_result) -> bool:
    """Set owner and group; return whether the group matches."""
    now = os.fstat(descriptor)
    if now.st_uid != state.st_uid:
        try:
            os.fchown(descriptor, state.st_uid, -1)
        except OSError as error:
            if error.errno not in _NOT_GIVEN:
                raise
            raise OwnerLostError(errno.EPERM, "it belongs to another user") from None
    if now.st_gid != state.st_gid:
        try:
            os.fchown(descriptor, -1, state.st_gid)
        except OSError as error:
            if error.errno not in _NOT_GIVEN:
                raise
            return False
    return True


def _acl_of(descriptor: int) -> bytes | None:
    if not _XATTRS:
        return None
    try:
        return os.getxattr(descriptor, _ACL)
    except OSError as error:
        if error.errno not in _NONE:
            raise
        return None


def _mode_without_group(mode: int) -> int:
    """Return a mode that gives no permissions to the file's group.

    Members of the old group now count as others and must not gain permissions.
    """
    group = (mode & stat.S_IRWXG) >> 3
    return mode & ~stat.S_IRWXG & ~(stat.S_IRWXO & ~group)


def _without_group(acl: bytes) -> bytes:
    """Return an access control list that does the same as `_mode_without_group`."""
    entries = list(_ENTRY.iter_unpack(acl[_VERSION_BYTES:]))
    permissions = {tag: found for tag, found, _ in entries}
    group = permissions.get(_GROUP_OBJ, 0) & permissions.get(_MASK, _ALL)
    limits = {_GROUP_OBJ: 0, _OTHER: group}
    kept = (_ENTRY.pack(tag, p & limits.get(tag, _ALL), id_) for tag, p, id_ in entries)
    return acl[:_VERSION_BYTES] + b"".join(kept)
