"""Which files a write refuses to replace, and its messages."""

import errno
import os
import shutil
import subprocess

import pytest

from envkit._internal.files import FileRefusedError
from envkit._internal.writing.atomic_write import write_atomic
from envkit._internal.writing.replaceable import (
    check_own,
    check_replaceable,
    is_mount_point,
    lasting_failure,
    mount_points,
)
from envkit.errors import LinkRefusedError, WriteRefusedError
from support.permissions import NOBODY, as_nobody

MOUNTS = b"""\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
63 22 254:0 /srv/app.env /app/.env rw,relatime shared:1 - ext4 /dev/vda rw
64 22 254:0 /srv /srv/with\\040blank\\134and\\011tab rw - ext4 /dev/vda rw
65 22 254:0 /b /b\\134040 rw - ext4 /dev/vda rw
short line
"""


@pytest.fixture
def mounted(file, monkeypatch):
    """The same file where the system says that it is mounted by itself, as in tests/extra."""
    table = file.parent / "mountinfo"
    table.write_bytes(MOUNTS.replace(b"/app/.env", os.fsencode(file)))
    monkeypatch.setattr("envkit._internal.writing.replaceable._MOUNTS", str(table))
    return file


def assert_refused(path, match, hint):
    """Assert that check and write refuse a file with the same message and change nothing."""
    before = path.read_bytes(), os.stat(path), sorted(os.listdir(path.parent))
    for attempt in (check_replaceable, lambda path: write_atomic(path, b"new")):
        with pytest.raises(WriteRefusedError, match=match) as raised:
            attempt(str(path))
        assert hint in raised.value.hint
        assert (raised.value.code, raised.value.exit_status) == ("write-refused", 6)
        assert not raised.value.retryable
    after = path.read_bytes(), os.stat(path), sorted(os.listdir(path.parent))
    assert after[0] == before[0]
    assert os.path.samestat(after[1], before[1])
    assert after[2] == before[2]


def test_a_file_with_hard_links_is_refused(file):
    os.link(file, file.parent / "other")
    assert_refused(file, "it has 2 names", "-samefile")


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o440, 0o000])
def test_a_read_only_file_is_refused_even_for_root(file, mode):
    file.chmod(mode)
    with pytest.raises(WriteRefusedError, match="it is read-only") as raised:
        write_atomic(str(file), b"new")
    assert "chmod u+w" in raised.value.hint
    file.chmod(0o600)
    assert file.read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mark a file")
@pytest.mark.parametrize(("flag", "kind"), [("i", "immutable"), ("a", "append-only")])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_immutable_or_append_only_file_is_refused(file, flag, kind, what):
    marked = file if what == "file" else file.parent
    assert shutil.which("chattr"), "install e2fsprogs"
    done = subprocess.run(["chattr", f"+{flag}", marked], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"chattr cannot mark files in {file.parent}: {done.stderr.decode()}")
    try:
        if (what, flag) == ("folder", "i"):
            with pytest.raises(OSError, match="Permission denied"):
                check_replaceable(str(file))
        else:
            with pytest.raises(WriteRefusedError, match=f"is {kind}") as raised:
                check_replaceable(str(file))
            assert f"chattr -{flag}" in raised.value.hint
    finally:
        subprocess.run(["chattr", f"-{flag}", marked], check=True)
    check_replaceable(str(file))


def test_mount_points_are_parsed_from_a_table_of_mounts():
    points = mount_points(MOUNTS)
    assert points == {b"/", b"/proc", b"/app/.env", b"/srv/with blank\\and\ttab", b"/b\\040"}


def test_the_mount_points_of_this_machine_are_found(file):
    assert is_mount_point("/proc")
    assert not is_mount_point(str(file))


def test_a_file_that_is_a_mount_point_is_refused(mounted):
    assert_refused(mounted, "mounted as a single file", "mount its folder")


def test_a_new_file_is_writable_when_its_folder_is(file, nobodys_folder):
    check_replaceable(str(file.parent / "new"))
    nobodys_folder.chmod(0o555)
    with as_nobody(), pytest.raises(PermissionError):
        check_replaceable(str(nobodys_folder / "new"))


def test_a_folder_or_pipe_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        for check in (check_own, check_replaceable):
            with pytest.raises(FileRefusedError, match="not a regular file"):
                check(str(tmp_path / name))


def test_a_file_that_envkit_creates_may_be_missing_or_a_plain_file(file):
    check_own(str(file))
    check_own(str(file) + ".nothing")
    (file.parent / "link").symlink_to("nowhere")
    with pytest.raises(LinkRefusedError):
        check_own(str(file.parent / "link"))


def test_a_file_that_envkit_creates_is_refused_as_a_mount_point(mounted):
    with pytest.raises(WriteRefusedError, match="mounted as a single file") as raised:
        check_own(str(mounted))
    assert "umount" in raised.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set up another user's file")
def test_a_file_that_only_its_owner_may_remove_is_refused(nobodys_folder):
    os.chown(nobodys_folder, 0, 0)
    nobodys_folder.chmod(0o1777)
    ours, theirs = nobodys_folder / "ours", nobodys_folder / "theirs"
    for path, owner in ((ours, NOBODY), (theirs, 0)):
        path.touch()
        os.chown(path, owner, owner)
    with as_nobody():
        check_own(str(ours))
        with pytest.raises(WriteRefusedError, match="it belongs to root") as raised:
            check_own(str(theirs))
    assert raised.value.hint == f"run: sudo -u root rm {theirs}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set up another user's file")
@pytest.mark.parametrize("mode", [0o660, 0o666])
def test_a_refused_file_of_another_user_names_who_can_write_it(nobodys_file, mode):
    """This applies even if the group may write, because a new file has a new owner."""
    nobodys_file.parent.chmod(0o2770)
    os.chown(nobodys_file, 12345, NOBODY)
    nobodys_file.chmod(mode)
    with as_nobody():
        assert_refused(nobodys_file, "belongs to another user", "'sudo -u '#12345' envkit ...'")


@pytest.mark.parametrize(
    "number",
    [
        *(errno.EROFS, errno.EBUSY, errno.ENOSPC, errno.EDQUOT),
        *(errno.ENOTDIR, errno.ENAMETOOLONG),
    ],
)
def test_a_lasting_failure_has_a_hint_and_is_not_retryable(number):
    refused = lasting_failure(OSError(number, os.strerror(number)), ".env.dev")
    assert refused.exit_status == 6
    assert not refused.retryable
    assert refused.message == f"cannot write .env.dev: {os.strerror(number).lower()}"
    assert refused.hint


def test_a_failure_that_may_pass_has_no_special_hint():
    assert lasting_failure(OSError(errno.EIO, "x"), ".env.dev") is None
