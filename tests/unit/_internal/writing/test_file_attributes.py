"""A write preserves the owner, access control list and attributes of the old file."""

import os
import stat

import pytest

from envkit._internal.writing.atomic_write import write_atomic, write_own
from support.attributes import ACCESS, DEFAULT, acl, acl_of, needs_lists, require
from support.permissions import NOBODY, as_nobody
from support.refusals import raising

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
LIST = acl(user=6, named={1001: 4, 1002: 6}, group=0, mask=4)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@needs_lists
class TestAccessControlLists:
    def test_a_write_preserves_the_acl_and_gives_the_group_no_rights_of_its_mask(self, file):
        """With `group::---` and `mask::r--` the mode says 0640, and the group may not read."""
        require(file.parent)
        os.setxattr(file, ACCESS, LIST)
        os.chown(file, -1, os.getegid())
        for content in (b"once", b"twice"):
            write_atomic(str(file), content)
            assert file.read_bytes() == content
            assert acl_of(file) == LIST
            assert mode_of(file) == 0o640, "the group bits of the mode are the mask"

    def test_an_explicit_mode_replaces_the_acl(self, file):
        require(file.parent)
        os.setxattr(file, ACCESS, LIST)
        write_atomic(str(file), b"new", mode=0o600)
        assert acl_of(file) is None
        assert mode_of(file) == 0o600

    @pytest.mark.parametrize("write", [write_atomic, write_own])
    def test_the_default_acl_of_a_folder_does_not_open_a_new_file(self, tmp_path, write):
        require(tmp_path)
        os.setxattr(tmp_path, DEFAULT, acl(user=7, named={1001: 6}, group=5, mask=7))
        write(str(tmp_path / "new"), b"x")
        assert acl_of(tmp_path / "new") is None
        assert mode_of(tmp_path / "new") == 0o600

    def test_the_default_acl_of_a_folder_does_not_open_a_replaced_file(self, file):
        require(file.parent)
        file.chmod(0o640)
        os.setxattr(file.parent, DEFAULT, acl(user=7, named={1001: 6}, group=5, mask=7))
        write_atomic(str(file), b"new")
        assert acl_of(file) is None
        assert mode_of(file) == 0o640

    @as_root
    @pytest.mark.parametrize(
        ("before", "after"),
        [({"group": 4}, {}), ({"group": 7, "other": 6}, {"other": 4})],
        ids=["rights of others stay", "group members gain no rights of others"],
    )
    def test_a_group_that_cannot_be_preserved_loses_its_entry(self, nobodys_file, before, after):
        require(nobodys_file.parent)
        os.setxattr(nobodys_file, ACCESS, acl(user=6, named={1001: 4}, mask=4, **before))
        os.chown(nobodys_file, NOBODY, 0)
        with as_nobody():
            write_atomic(str(nobodys_file), b"new")
        assert nobodys_file.stat().st_gid != 0
        assert acl_of(nobodys_file) == acl(user=6, named={1001: 4}, group=0, mask=4, **after)


@as_root
@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o604, 0o600), (0o646, 0o604), (0o664, 0o604), (0o622, 0o602), (0o640, 0o600)],
)
def test_a_lost_group_opens_the_file_to_no_other_user(nobodys_file, mode, expected):
    os.chown(nobodys_file, NOBODY, 0)
    nobodys_file.chmod(mode)
    with as_nobody():
        write_atomic(str(nobodys_file), b"new")
    assert nobodys_file.stat().st_gid != 0
    assert mode_of(nobodys_file) == expected


@needs_lists
class TestUserAttributes:
    def test_a_write_preserves_user_attributes(self, file):
        require(file.parent)
        wanted = {"user.empty": b"", "user.backup": b"no", "user.bytes": bytes(range(256))}
        for name, value in wanted.items():
            os.setxattr(file, name, value)
        write_atomic(str(file), b"new")
        kept = {name: os.getxattr(file, name) for name in os.listxattr(file)}
        assert kept == wanted

    def test_nothing_is_written_when_an_attribute_cannot_be_preserved(self, file, monkeypatch):
        require(file.parent)
        os.setxattr(file, "user.backup", b"no")
        monkeypatch.setattr(os, "setxattr", raising(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            write_atomic(str(file), b"new")
        assert file.read_bytes() == b"old"
        assert os.listdir(file.parent) == ["file"]


class TestOwner:
    @as_root
    def test_a_write_by_root_preserves_owner_and_mode(self, file):
        os.chown(file, 65534, 65533)
        file.chmod(0o640)
        write_atomic(str(file), b"new")
        assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65533)
        assert mode_of(file) == 0o640

    @as_root
    def test_a_file_that_root_writes_beside_another_has_its_owner(self, file):
        os.chown(file, 1001, 1002)
        write_own(str(file) + ".own", b"x", owner=file.stat())
        kept = os.stat(str(file) + ".own")
        assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (1001, 1002, 0o600)
