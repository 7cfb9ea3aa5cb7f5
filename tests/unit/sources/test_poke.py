"""Pokes: what a write tells the watchers of the same user."""

import os

import pytest

from envkit.sources.poke import last_poke, poke
from support.process import run_python


@pytest.fixture
def state(tmp_path, monkeypatch):
    """The folder of envkit's state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "envkit"


def test_every_poke_is_seen_also_two_in_a_row(state):
    seen = [last_poke()]
    for _ in range(5):
        poke()
        seen.append(last_poke())
    assert seen[0] is None
    assert len(set(seen)) == 6


def test_a_poke_of_another_process_is_seen(state):
    poke()
    before = last_poke()
    run_python("from envkit.sources.poke import poke; poke()")
    assert last_poke() != before


def test_the_file_is_empty_and_private(state):
    poke()
    assert (state / "poke").read_bytes() == b""
    assert (state / "poke").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def a_link(state):
    (state / "other").write_text("theirs")
    (state / "poke").symlink_to(state / "other")


def a_pipe(state):
    os.mkfifo(state / "poke")


def a_folder(state):
    (state / "poke").mkdir()


@pytest.mark.parametrize("make", [a_link, a_pipe, a_folder])
def test_a_poke_that_fails_is_silent_and_changes_nothing_else(state, make):
    state.mkdir()
    make(state)
    before = {path: path.stat().st_mtime_ns for path in state.iterdir()}
    poke()
    assert {path: path.stat().st_mtime_ns for path in state.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_silent(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    poke()
    assert last_poke() is None
