"""A file that changes in any way has another signature."""

import os
import time

import pytest

from envkit.agent.freshness import is_fresh, signature, signatures, were_old


def _rewrite(path):
    path.write_text("b")


def _replace(path):
    other = path.with_suffix(".new")
    other.write_text("a")
    os.replace(other, path)


def _backdate(path):
    before = path.stat()
    path.write_text("b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_relative_path_is_compared_where_it_was_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = signatures(["f"])
    monkeypatch.chdir("/")
    assert is_fresh(files)
    (tmp_path / "f").write_text("a")
    assert not is_fresh(files)


@pytest.mark.parametrize(
    "change", [_rewrite, _replace, _backdate, os.unlink, lambda path: path.chmod(0o600)]
)
def test_a_changed_file_is_not_fresh(tmp_path, change):
    path = tmp_path / "f"
    path.write_text("a")
    files = signatures([str(path), str(tmp_path / "none"), "a\0b"])
    assert is_fresh(files)
    while path.stat().st_ctime_ns + 5e7 > time.time_ns():
        time.sleep(0.01)  # another tick
    change(path)
    assert not is_fresh(files)


def test_a_file_that_appears_and_a_link_that_is_turned_are_not_fresh(tmp_path):
    files = signatures([str(tmp_path / "new"), str(tmp_path / "link")])
    (tmp_path / "new").touch()
    assert not is_fresh(files)
    for name in "ab":
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("a")
    files = signatures([str(tmp_path / "link")])
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert not is_fresh(files)


def test_a_file_that_was_just_written_is_too_young_to_be_kept(tmp_path):
    path = tmp_path / "f"
    path.touch()
    changed = path.stat().st_ctime_ns / 1e9
    files = {str(path): signature(str(path)), "none": None}
    assert not were_old(files, changed)
    assert not were_old(files, changed + 0.04)
    assert were_old(files, changed + 0.06)


def test_a_file_whose_time_is_in_whole_seconds_must_be_older():
    whole = 1_700_000_000
    files = {"f": (1, 1, 1, whole * 10**9, whole * 10**9)}
    assert not were_old(files, whole + 2.0)
    assert were_old(files, whole + 2.2)
