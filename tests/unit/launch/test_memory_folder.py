"""Where values that are files lie: in memory, in a folder that no other user can change."""

import os
import stat

import pytest

from envkit.launch import memory_folder
from envkit.launch.memory_folder import FileVariableError, files_folder


@pytest.fixture
def session(tmp_path):
    """A folder in memory like that of a session, which the test removes."""
    folder = f"/dev/shm/envkit-test-{os.getpid()}"
    os.mkdir(folder, 0o700)
    yield folder
    for path, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            os.rmdir(os.path.join(path, name))
    os.rmdir(folder)


def opened(chosen, **environ):
    path, descriptor = files_folder(chosen, environ)
    os.close(descriptor)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    return path


def refused(chosen, **environ):
    with pytest.raises(FileVariableError) as caught:
        files_folder(chosen, environ)
    assert "--files DIR" in caught.value.hint or "mkdir" in caught.value.hint
    return caught.value.message


def test_the_folder_of_the_session_is_used_if_it_is_in_memory(session):
    assert opened(None, XDG_RUNTIME_DIR=session) == f"{session}/envkit-files"


@pytest.mark.parametrize("unfit", ["", "relative", "/no/such/folder", "/tmp", "mode", "above"])
def test_shared_memory_is_used_if_the_folder_of_the_session_is_not_private_memory(session, unfit):
    if unfit == "mode":
        os.chmod(session, 0o750)
        unfit = session
    elif unfit == "above":
        unfit = f"{session}/mine"
        os.mkdir(unfit, 0o700)
        os.chmod(session, 0o777)  # another user could replace the folder in it
    expected = f"/dev/shm/envkit-files-{os.geteuid()}"
    assert opened(None, XDG_RUNTIME_DIR=unfit) == expected


def test_nothing_is_written_to_a_disk_without_being_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_folder, "SHARED", str(tmp_path))
    assert "neither $XDG_RUNTIME_DIR nor /dev/shm is in memory" in refused(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_chosen_folder_is_created_for_its_owner_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        assert opened(str(tmp_path / "files")) == str(tmp_path / "files")
    finally:
        os.umask(before)
    assert "no such file" in refused(str(tmp_path / "no" / "files"))
    assert refused("") == "--files names no folder"


@pytest.mark.parametrize("where", ["the folder", "a folder above it"])
def test_a_chosen_folder_that_others_could_change_is_refused(tmp_path, where):
    folder = tmp_path / "above" / "files"
    folder.mkdir(parents=True)
    open_to_others = folder if where == "the folder" else folder.parent
    open_to_others.chmod(0o777)
    assert refused(str(folder)).endswith(f"other users could change {open_to_others}")
    open_to_others.chmod(0o755)
    path, descriptor = files_folder(str(folder), {})
    os.close(descriptor)
    assert path == str(folder)


@pytest.mark.parametrize("kind", ["link", "file", "mode"])
def test_a_prepared_folder_of_another_kind_is_refused(session, tmp_path, kind):
    path = f"{session}/envkit-files"
    if kind == "link":
        os.symlink(tmp_path, path)
    elif kind == "file":
        os.close(os.open(path, os.O_CREAT))
    else:
        os.mkdir(path)
        os.chmod(path, 0o755)
    try:
        refused(None, XDG_RUNTIME_DIR=session)
        assert list(tmp_path.iterdir()) == []
    finally:
        os.rmdir(path) if kind == "mode" else os.unlink(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_a_folder_of_another_user_is_refused(session):
    os.mkdir(f"{session}/envkit-files", 0o700)
    os.chown(f"{session}/envkit-files", 1, 1)
    assert "other users could change" in refused(None, XDG_RUNTIME_DIR=session)
