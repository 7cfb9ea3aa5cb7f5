"""Access control lists and attributes of files, as Linux has them; no program is needed."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32  # the tags of entries
_NO_ID = 0xFFFFFFFF

needs_lists = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these lists")


def acl(
    *, user: int, named: dict[int, int], group: int, mask: int, other: int = 0, version: int = 2
) -> bytes:
    """Return a list in binary form; permissions are 4, 2 and 1 as in a mode."""
    entries = [(USER_OBJ, user, _NO_ID)]
    entries += [(USER, permissions, uid) for uid, permissions in sorted(named.items())]
    entries += [(GROUP_OBJ, group, _NO_ID), (MASK, mask, _NO_ID), (OTHER, other, _NO_ID)]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    return struct.pack("<I", version) + packed


def acl_of(path: Path, kind: str = ACCESS) -> bytes | None:
    """Return the list of a file; None if the file has only a mode."""
    return os.getxattr(path, kind) if kind in os.listxattr(path) else None


def require(folder: Path) -> None:
    """Fail if a folder's file system does not support lists and attributes."""
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
        os.setxattr(probe, ACCESS, acl(user=6, named={1: 4}, group=0, mask=4))
    except OSError as error:
        pytest.fail(
            f"{folder} keeps no attributes ({error.strerror}): run pytest with --basetemp=FOLDER "
            "on ext4, xfs, btrfs, or a tmpfs of Linux 6.6 or later"
        )
    probe.unlink()
