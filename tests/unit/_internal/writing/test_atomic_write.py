"""Writing files under faults: full disks, killed writers, links under made-up names."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from envkit._internal.file_lock import locked
from envkit._internal.files import FileRefusedError, read_real
from envkit._internal.writing.atomic_write import write_atomic, write_own, write_with_copy
from envkit.errors import LinkRefusedError, WriteRefusedError
from support.process import run_python
from support.refusals import raising
from support.small_disk import SmallDisk


class TestWrite:
    def test_a_new_file_is_private(self, tmp_path):
        before = os.umask(0)
        try:
            write_atomic(str(tmp_path / "new"), b"x")
            write_atomic(str(tmp_path / "public"), b"x", mode=0o644)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "public").stat().st_mode) == 0o644
        assert sorted(os.listdir(tmp_path)) == ["new", "public"]

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o604])
    def test_a_write_preserves_the_mode_of_the_old_file(self, file, mode):
        file.chmod(mode)
        write_atomic(str(file), b"new")
        assert file.read_bytes() == b"new"
        assert stat.S_IMODE(file.stat().st_mode) == mode
        write_atomic(str(file), b"newer", mode=0o600)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_a_write_through_a_symbolic_link_replaces_the_target(self, tmp_path):
        (tmp_path / "folder").mkdir()
        target = tmp_path / "folder" / "file"
        target.write_bytes(b"old")
        link = tmp_path / "link"
        link.symlink_to("folder/file")
        write_atomic(str(link), b"new")
        assert link.is_symlink()
        assert target.read_bytes() == b"new"
        assert sorted(os.listdir(tmp_path)) == ["folder", "link"]
        assert os.listdir(tmp_path / "folder") == ["file"]

    @pytest.mark.parametrize("kind", ["folder", "pipe"])
    def test_a_folder_or_pipe_is_not_replaced(self, tmp_path, kind):
        path = tmp_path / "thing"
        path.mkdir() if kind == "folder" else os.mkfifo(path)
        with pytest.raises(FileRefusedError, match="not a regular file"):
            write_atomic(str(path), b"x")
        assert not path.is_file()
        assert os.listdir(tmp_path) == ["thing"]

    def test_each_write_has_a_later_time_than_the_one_before(self, tmp_path):
        path = str(tmp_path / "file")
        states = [write_atomic(path, b"same size") for _ in range(50)]
        times = [state.st_mtime_ns for state in states]
        assert times == sorted(set(times))
        assert os.path.samestat(states[-1], os.stat(path))
        assert times[-1] == os.stat(path).st_mtime_ns
        future = times[-1] + 10**18
        os.utime(path, ns=(future, future))
        assert write_atomic(path, b"same size").st_mtime_ns > future

    def test_a_full_disk_leaves_the_old_file_unchanged(self, file):
        ran = run_python(
            "import resource, sys\n"
            "from envkit._internal.writing.atomic_write import write_atomic\n"
            "sys.dont_write_bytecode = True\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "try:\n"
            "    write_atomic(sys.argv[1], b'x' * 10000)\n"
            "except OSError as error:\n"
            "    print(error.strerror)\n",
            str(file),
        )
        assert ran.stdout.strip() == "File too large", ran.stderr
        assert file.read_bytes() == b"old"
        assert os.listdir(file.parent) == ["file"]

    def test_a_killed_writer_leaves_the_old_file_unchanged(self, file):
        ran = run_python(
            "import os, signal, sys\n"
            "from envkit._internal.writing.atomic_write import write_atomic\n"
            "from envkit._internal.file_lock import locked\n"
            "def die(*_, **__):\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "os.replace = die\n"  # everything is written, nothing is renamed yet
            "with locked(sys.argv[1], timeout_seconds=1):\n"
            "    write_atomic(sys.argv[1], b'new')\n",
            str(file),
            check=False,
        )
        assert ran.returncode == -signal.SIGKILL
        assert file.read_bytes() == b"old"
        [left] = file.parent.glob("*.envkit-tmp")
        assert stat.S_IMODE(left.stat().st_mode) == 0o600


@pytest.mark.parametrize("target", ["../outside/file", "../outside/new", "nowhere/x", "own"])
def test_write_own_does_not_follow_a_symbolic_link(clone, target):
    (clone / "own").symlink_to(target)
    with pytest.raises(LinkRefusedError):
        write_own(str(clone / "own"), b"secret")
    assert os.readlink(clone / "own") == target
    assert os.listdir(clone) == ["own"]
    assert os.listdir(clone.parent / "outside") == ["file"]
    assert (clone.parent / "outside" / "file").read_text() == "theirs"


def test_write_own_does_not_change_a_hard_link(clone):
    os.link(clone.parent / "outside" / "file", clone / "own")
    with pytest.raises(LinkRefusedError):
        write_own(str(clone / "own"), b"secret")
    assert (clone / "own").read_text() == "theirs"


def lock(path):
    with locked(path, timeout_seconds=0, follow=False):
        pass


@pytest.mark.parametrize(
    "use",
    [
        lambda path: write_atomic(path, b"secret", follow=False),
        lambda path: write_own(path, b"secret"),
        lambda path: write_with_copy(path, b"secret", path + ".copy", b"before"),
        lambda path: read_real(path, 100),
        lock,
    ],
    ids=["write_atomic", "write_own", "write_with_copy", "read_real", "locked"],
)
@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_replaces_a_checked_path_is_not_followed(clone, use, swapped):
    """Another process replaces a file or folder with a link after `real_path` returned."""
    outside = clone.parent / "outside"
    if swapped == "folder":
        (clone / "folder").symlink_to(outside)
    else:
        (clone / "folder").mkdir()
        (clone / "folder" / "file").symlink_to(outside / "file")
    if (use, swapped) == (lock, "file"):
        lock(str(clone / "folder" / "file"))  # it is on the name beside the file
    else:
        with pytest.raises((OSError, LinkRefusedError)):
            use(str(clone / "folder" / "file"))
    assert os.listdir(outside) == ["file"]
    assert (outside / "file").read_text() == "theirs"


class TestCopies:
    def test_the_copy_has_the_time_of_the_file_and_is_private(self, file):
        file.chmod(0o640)
        before = file.stat()
        write_with_copy(str(file), b"new", f"{file}.copy", b"old")
        copy = file.with_name("file.copy")
        assert (file.read_bytes(), copy.read_bytes()) == (b"new", b"old")
        assert copy.stat().st_mtime_ns == before.st_mtime_ns
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.stat().st_mode) == 0o640

    def test_a_new_file_has_no_copy(self, tmp_path):
        write_with_copy(str(tmp_path / "file"), b"new", str(tmp_path / "copy"), b"")
        assert os.listdir(tmp_path) == ["file"]

    def test_a_rehearsed_write_changes_nothing(self, file):
        state = file.stat()
        write_with_copy(str(file), b"new", f"{file}.copy", b"old", rehearsal=True)
        assert file.read_bytes() == b"old"
        assert file.stat() == state
        assert os.listdir(file.parent) == ["file"]

    @pytest.mark.parametrize("pages", [0, 1])
    @pytest.mark.parametrize("rehearsal", [False, True])
    def test_a_full_disk_changes_neither_the_file_nor_its_older_copy(
        self, tmp_path, pages, rehearsal
    ):
        with SmallDisk(tmp_path / "disk") as disk:
            if not disk.mounted:
                pytest.skip("no file system can be mounted here, which only root may do")
            file, copy = disk.folder / "file", disk.folder / "copy"
            file.write_bytes(b"old")
            copy.write_bytes(b"older")
            disk.fill(but=pages * 4096)
            with pytest.raises(OSError, match="No space"):
                write_with_copy(str(file), b"new", str(copy), b"old", rehearsal=rehearsal)
            assert (file.read_bytes(), copy.read_bytes()) == (b"old", b"older")
            assert not list(disk.folder.glob("*.envkit-tmp"))

    def test_a_refused_copy_leaves_the_file_unchanged(self, file):
        file.with_name("copy").symlink_to("file")
        with pytest.raises(LinkRefusedError):
            write_with_copy(str(file), b"new", str(file.with_name("copy")), b"old")
        assert file.read_bytes() == b"old"
        assert sorted(os.listdir(file.parent)) == ["copy", "file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has this right to lose")
def test_root_without_the_right_to_change_owners_gets_a_hint(file):
    """A container with `cap_drop: ALL` has such a root."""
    os.chown(file, 1001, 1001)
    file.chmod(0o666)
    command = ["setpriv", "--inh-caps=-chown", "--bounding-set=-chown", sys.executable, "-c"]
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import os\n"
        "from envkit._internal.writing.atomic_write import write_atomic, write_own\n"
        "from envkit.errors import WriteRefusedError\n"
        "for write in (write_atomic, lambda path, data: write_own(\n"
        "        path + '.own', data, owner=os.stat(path))):\n"
        "    try:\n"
        "        write(sys.argv[1], b'new')\n"
        "    except WriteRefusedError as error:\n"
        "        print(error.message, error.hint)\n"
    )
    done = subprocess.run(
        [*command, code, file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.count("it belongs to another user") == 2, done.stderr
    assert done.stdout.count("sudo -u") == 2
    assert file.read_bytes() == b"old"
    assert os.listdir(file.parent) == ["file"]


def test_an_owner_that_a_user_namespace_does_not_have_is_refused(file, monkeypatch):
    """The kernel then reports an invalid owner instead of a missing permission."""
    if os.geteuid() == 0:
        os.chown(file, 1001, -1)
    monkeypatch.setattr(os, "fchown", raising(OSError(22, "Invalid argument")))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if file.stat().st_uid == os.getuid():
        pytest.skip("only root can give files away")
    with pytest.raises(WriteRefusedError, match="belongs to another user"):
        write_atomic(str(file), b"new")
    assert file.read_bytes() == b"old"
