"""Texts that change with the files of a `.env` source."""

from __future__ import annotations

import os

import pytest

from envkit.errors import SourceError
from envkit.profile.placeholder import Reference
from envkit.sources.base import VersionCheck
from support.permissions import as_nobody, folder_of_nobody
from tests.unit.sources.test_dotenv import source, write

BARE = Reference("dotenv", "", "A")
FILES = [".env.shared", ".env.staging"]


def version(root, ref=BARE):
    made = source(root, settings={"path": FILES})
    assert isinstance(made, VersionCheck)
    return made.versions([ref])[ref]


def rewritten_in_place(root):
    path = root / ".env.staging"
    before = path.stat()
    path.write_text("A=2\n")
    # the same inode, size and modification time
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def replaced(root):
    write(root / "new", "A=2\n")
    (root / "new").rename(root / ".env.staging")


def leads_elsewhere(root):
    write(root / "other", "A=1\n")
    (root / "link").symlink_to("other")
    (root / "link").rename(root / ".env.staging")


@pytest.mark.parametrize(
    "change",
    [
        rewritten_in_place,
        replaced,
        leads_elsewhere,
        lambda root: (root / ".env.staging").unlink(),
        lambda root: write(root / ".env.shared", "B=1\n"),
    ],
    ids=["written in place", "replaced", "another link", "removed", "another file appears"],
)
def test_the_text_changes_with_each_file_of_the_source_and_only_then(tmp_path, change):
    write(tmp_path / ".env.staging", "A=1\n")
    before = version(tmp_path)
    assert version(tmp_path) == before
    change(tmp_path)
    assert version(tmp_path) != before


def test_a_file_that_a_reference_names_and_a_saved_copy_have_their_own_texts(tmp_path):
    named = Reference("dotenv", ".env.other", "A")
    copy = Reference("dotenv", "", "A", "previous")
    before = [version(tmp_path, ref) for ref in (BARE, named, copy)]
    write(tmp_path / ".env.other", "A=1\n")
    write(tmp_path / ".env.staging.envkit-previous", "A=0\n")
    after = [version(tmp_path, ref) for ref in (BARE, named, copy)]
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True]


def test_without_a_path_every_file_that_may_be_read_is_looked_at(tmp_path):
    made = source(tmp_path, aliases=("stg",))
    write(tmp_path / ".env.stg", "A=1\n")
    before = made.versions([BARE])[BARE]
    write(tmp_path / ".env.staging", "A=1\n")
    assert made.versions([BARE])[BARE] != before


def test_a_pipe_does_not_change_and_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / ".env.staging")
    before = version(tmp_path)
    (tmp_path / ".env.staging").touch()
    assert version(tmp_path) == before


def test_a_folder_that_cannot_be_entered_is_an_error_and_no_text():
    with folder_of_nobody() as folder, as_nobody():
        folder.chmod(0)
        found = version(folder)
        folder.chmod(0o700)
    assert isinstance(found, SourceError)
