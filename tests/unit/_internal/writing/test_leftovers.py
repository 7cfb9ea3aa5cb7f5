"""Leftovers of killed writers are removed; files of running writers are not."""

import fcntl
import os
import signal

import pytest

from envkit._internal.file_lock import locked
from envkit._internal.writing.atomic_write import write_atomic, write_own
from envkit._internal.writing.leftovers import claim, is_leftover_name, known_name, temporary_name
from support.permissions import NOBODY
from support.process import run_spawned

DEAD = f".env.prod.{'0' * 12}.envkit-tmp"


def sweep(folder):
    with locked(str(folder / ".env.dev"), timeout_seconds=1):
        pass


def die_before_renaming(path, write):
    os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    write(path, b"secret")


def die_with_lock(path):
    with locked(path, timeout_seconds=1):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("die", "more"),
    [
        (die_before_renaming, [write_atomic]),
        (die_before_renaming, [write_own]),
        (die_with_lock, []),
    ],
    ids=["a file", "a file of envkit's own", "a lock"],
)
@pytest.mark.parametrize("name", [".env.dev", ".env.prod", "out.env"])
def test_a_sweep_removes_the_leftovers_of_a_killed_writer_of_any_file(tmp_path, die, more, name):
    assert run_spawned((die, str(tmp_path / name), *more)) == [-signal.SIGKILL]
    assert len(os.listdir(tmp_path)) == 1
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_sweep_leaves_the_file_of_a_running_writer(tmp_path):
    with (tmp_path / DEAD).open("w") as living:
        assert claim(living.fileno())
        sweep(tmp_path)
        assert os.listdir(tmp_path) == [DEAD]
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_writer_whose_new_file_is_swept_at_once_creates_another(tmp_path, monkeypatch):
    """The sweep happens between creating the file and locking it."""
    swept = []

    def flock(descriptor, kind):
        if not swept:
            for name in os.listdir(tmp_path):
                swept.append(name)
                (tmp_path / name).unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    write_atomic(str(tmp_path / "file"), b"new")
    assert len(swept) == 1
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "name",
    [
        ".env.envkit-tmp",
        f".env.{'0' * 11}.envkit-tmp",
        f".env.{'g' * 12}.envkit-tmp",
        f".env.{'0' * 12}.envkit-tmp.bak",
        ".env.dev.envkit-previous",
        ".envkit-lock",
        ".env",
    ],
)
def test_a_sweep_leaves_other_names_alone(tmp_path, name):
    (tmp_path / name).touch()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_a_sweep_leaves_links_folders_and_pipes_alone(tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / f"a.{'0' * 12}.envkit-tmp").symlink_to("target")
    (tmp_path / f"b.{'0' * 12}.envkit-tmp").mkdir()
    os.mkfifo(tmp_path / f"c.{'0' * 12}.envkit-tmp")
    sweep(tmp_path)
    assert len(os.listdir(tmp_path)) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_sweep_leaves_files_of_other_users_alone(tmp_path):
    (tmp_path / DEAD).touch()
    os.chown(tmp_path / DEAD, NOBODY, NOBODY)
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [DEAD]


def test_a_sweep_recognises_every_temporary_name():
    assert is_leftover_name(temporary_name(".env"))
    assert not is_leftover_name(temporary_name(""))


def test_a_writer_with_known_names_finds_its_leftovers_without_listing_the_folder(
    tmp_path, monkeypatch
):
    def list_nothing(*_):
        raise AssertionError("the folder was listed")

    path, other = tmp_path / ".env.prod", tmp_path / known_name(".env.other")
    assert is_leftover_name(known_name(".env.prod"))
    (tmp_path / known_name(".env.prod")).write_text("secret")
    other.touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", list_nothing)
        with locked(str(path), timeout_seconds=1, written=[".env.prod"]):
            write_own(str(path), b"new", alone=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        other.name,
        ".env.prod",
    ]


@pytest.mark.parametrize("taken", ["file", "link", "folder"])
def test_a_known_name_that_is_in_use_is_left_alone(tmp_path, taken):
    path, known = tmp_path / ".env.prod", tmp_path / known_name(".env.prod")
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    if taken == "file":
        known.write_text("theirs")
    elif taken == "link":
        known.symlink_to(victim)
    else:
        known.mkdir()
    write_own(str(path), b"new", alone=True)
    assert path.read_bytes() == b"new"
    assert victim.read_text() == "theirs"
    assert os.path.lexists(known)
