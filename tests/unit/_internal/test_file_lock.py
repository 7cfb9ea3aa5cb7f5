"""File locks: one writer at a time, and no lock through a link."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from envkit._internal.file_lock import locked
from envkit._internal.writing.atomic_write import write_atomic
from envkit.errors import LinkRefusedError, LockedError
from support.permissions import NOBODY, as_nobody
from support.process import run_spawned


class TestLock:
    def test_a_second_lock_is_refused_and_the_first_leaves_no_file(self, tmp_path):
        path = str(tmp_path / "file")
        with locked(path, timeout_seconds=0):
            with pytest.raises(LockedError, match="another process is changing") as caught:
                take(path)
            assert caught.value.exit_status == 7
        assert os.listdir(tmp_path) == []
        take(path)

    def test_a_lock_is_released_after_an_error(self, tmp_path):
        path = str(tmp_path / "file")
        with pytest.raises(KeyError), locked(path, timeout_seconds=0):
            raise KeyError
        take(path)

    def test_a_link_and_its_target_share_one_lock(self, tmp_path):
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        with locked(str(tmp_path / "link"), timeout_seconds=0), pytest.raises(LockedError):
            take(str(tmp_path / "file"))

    def test_processes_that_increment_a_locked_counter_lose_nothing(self, tmp_path):
        path = tmp_path / "count"
        path.write_bytes(b"0")
        assert run_spawned(*[(count_up, path, 50)] * 3) == [0, 0, 0]
        assert path.read_bytes() == b"150"
        assert os.listdir(tmp_path) == ["count"]


def take(path):
    with locked(path, timeout_seconds=0.05):
        pass


def count_up(path: Path, times: int):
    for _ in range(times):
        with locked(str(path), timeout_seconds=60):
            write_atomic(str(path), str(int(path.read_bytes()) + 1).encode())


@pytest.mark.parametrize("kind", ["dangling", "file", "hard"])
def test_a_link_in_place_of_a_lock_file_is_refused(clone, kind):
    lock, outside = clone / "file.envkit-lock", clone.parent / "outside"
    if kind == "hard":
        os.link(outside / "file", lock)
    else:
        lock.symlink_to(outside / ("file" if kind == "file" else "new"))
    with (
        pytest.raises(LinkRefusedError, match="envkit-lock"),
        locked(str(clone / "file"), timeout_seconds=0),
    ):
        pass
    assert os.path.lexists(lock)
    assert os.listdir(outside) == ["file"]


class TestTwoUsers:
    pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

    def test_a_lock_of_another_user_who_was_killed_is_taken_over(self, nobodys_folder):
        os.chown(nobodys_folder, 1001, NOBODY)
        nobodys_folder.chmod(0o770)
        lock = nobodys_folder / "file.envkit-lock"
        with as_nobody(), locked(str(nobodys_folder / "file"), timeout_seconds=0):
            left = lock.stat()
            assert stat.S_IMODE(left.st_mode) == 0o660
        lock.touch()
        os.chown(lock, 1001, left.st_gid)
        lock.chmod(left.st_mode)
        with as_nobody():
            take(str(nobodys_folder / "file"))
        assert os.listdir(nobodys_folder) == []

    def test_a_lock_in_use_by_another_user_is_waited_for(self, nobodys_folder):
        nobodys_folder.chmod(0o770)
        lock = nobodys_folder / "file.envkit-lock"
        with lock.open("w") as living:
            os.chown(lock, 1001, NOBODY)
            lock.chmod(0o660)
            fcntl.flock(living, fcntl.LOCK_EX)
            with as_nobody(), pytest.raises(LockedError):
                take(str(nobodys_folder / "file"))
        assert lock.exists()

    def test_a_lock_that_cannot_be_opened_is_named_with_its_owner(self, nobodys_folder):
        lock = nobodys_folder / "file.envkit-lock"
        lock.touch(0o600)
        with as_nobody(), pytest.raises(LockedError) as raised:
            take(str(nobodys_folder / "file"))
        assert f"if root is not running envkit, run 'rm -f {lock}'" in raised.value.hint
        with as_nobody():
            lock.unlink()  # as the hint says
            take(str(nobodys_folder / "file"))

    @pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777])
    def test_a_lock_file_is_private_in_a_folder_where_others_cannot_remove_it(self, tmp_path, mode):
        tmp_path.chmod(mode)
        with locked(str(tmp_path / "file"), timeout_seconds=0):
            (lock,) = tmp_path.iterdir()
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
