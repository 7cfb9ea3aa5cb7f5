"""Values that an app reads as files: who may read them, how they change, when they go."""

import os
import shutil
import stat
import subprocess
import sys
import threading

import pytest

from envkit.launch.app_files import AppFiles
from envkit.launch.memory_folder import FileVariableError, files_folder
from envkit.launch.overlay import FileContent
from support.small_disk import SmallDisk

CANARY = b"\x00\xff canary \n"


@pytest.fixture
def base(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def made(base):
    files = AppFiles(*files_folder(str(base), {}))
    yield files
    files.remove()


def content(data, mode=0o400):
    return FileContent(data, mode)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def folders(base):
    return [path for path in base.iterdir() if path.is_dir()]


@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_file_has_the_value_byte_for_byte_and_only_its_owner_can_read_it(base, made, umask):
    before = os.umask(umask)
    try:
        paths = made.write({b"CERT": content(CANARY), b"KEY": content(b"", 0o600)})
    finally:
        os.umask(before)
    assert {name: read(path) for name, path in paths.items()} == {b"CERT": CANARY, b"KEY": b""}
    modes = {name: stat.S_IMODE(os.stat(path).st_mode) for name, path in paths.items()}
    assert modes == {b"CERT": 0o400, b"KEY": 0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (base, *folders(base))] == [0o700] * 2


def test_write_replaces_changed_files_removes_absent_ones_and_leaves_the_others(made):
    paths = made.write({name: content(b"1") for name in (b"SAME", b"NEW", b"GONE")})
    same = os.stat(paths[b"SAME"])
    again = made.write({b"SAME": content(b"1"), b"NEW": content(b"2", 0o600)})
    assert again == {name: paths[name] for name in (b"SAME", b"NEW")}
    assert os.stat(paths[b"SAME"]) == same
    assert read(paths[b"NEW"]) == b"2"
    assert sorted(os.listdir(os.path.dirname(paths[b"NEW"]))) == [b"NEW", b"SAME"]


@pytest.mark.parametrize("removed", ["file", "folder"])
def test_what_the_app_has_removed_is_written_again(made, removed):
    paths = made.write({b"X": content(b"1"), b"Y": content(b"2")})
    if removed == "file":
        os.unlink(paths[b"X"])
    else:
        shutil.rmtree(os.path.dirname(paths[b"X"]))
    assert made.write({b"X": content(b"1"), b"Y": content(b"3")}) == paths
    assert [read(path) for path in paths.values()] == [b"1", b"3"]


def test_a_reader_during_replacements_sees_a_whole_value(made):
    old, new = b"a" * 300_000, b"b" * 200_000
    path = made.write({b"X": content(old)})[b"X"]
    torn, done = [], threading.Event()

    def read_again():
        while not done.is_set():
            found = read(path)
            if found not in (old, new):
                torn.append(len(found))

    reader = threading.Thread(target=read_again)
    reader.start()
    for turn in range(200):
        made.write({b"X": content(new if turn % 2 else old)})
    done.set()
    reader.join()
    assert torn == []


def test_a_full_disk_leaves_the_old_value_and_nothing_of_the_new_one(tmp_path):
    with SmallDisk(tmp_path / "disk") as disk:
        files = AppFiles(*files_folder(str(disk.folder / "files"), {}))
        try:
            path = files.write({b"X": content(b"old")})[b"X"]
            disk.fill()
            with pytest.raises(FileVariableError, match="cannot write X: ") as caught:
                files.write({b"X": content(CANARY * 100_000)})
            assert "canary" not in str(caught.value)
            assert read(path) == b"old"
            assert os.listdir(os.path.dirname(path)) == [b"X"]
        finally:
            files.remove()


def test_remove_leaves_nothing_and_the_child_of_a_fork_removes_nothing(base, made):
    path = made.write({b"X": content(b"1")})[b"X"]
    pid = os.fork()
    if pid == 0:
        made.remove()
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.path.exists(path)
    made.remove()
    assert list(base.iterdir()) == []


LEAVES = """
import sys
from envkit.launch.app_files import AppFiles
from envkit.launch.overlay import FileContent
from envkit.launch.memory_folder import FileVariableError, files_folder
AppFiles(*files_folder(sys.argv[1], {})).write({b"X": FileContent(b"canary", 0o400)})
print(flush=True)
sys.stdin.read()
"""


def test_a_start_removes_the_folders_of_dead_apps_and_no_others(base, tmp_path):
    app = subprocess.Popen(
        [sys.executable, "-c", LEAVES, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    app.stdout.readline()
    (left,) = folders(base)
    other = base / left.name.replace("-", "-0", 1)  # the same id, started at another time
    elsewhere = base / f"{left.name}_of_another_host"
    unknown = base / "notes"
    outside = tmp_path / "outside"
    for folder in (other, elsewhere, unknown, outside):
        folder.mkdir()
        (folder / "X").touch()
    link = base / "1-1-link"
    link.symlink_to(outside)
    AppFiles(*files_folder(str(base), {})).remove()
    assert sorted(base.iterdir()) == sorted([left, elsewhere, unknown, link])
    app.communicate()
    AppFiles(*files_folder(str(base), {})).remove()
    assert sorted(base.iterdir()) == sorted([elsewhere, unknown, link])
    assert list(outside.iterdir()) == [outside / "X"]


def test_the_content_of_a_file_is_not_shown():
    assert "canary" not in repr(content(CANARY))
