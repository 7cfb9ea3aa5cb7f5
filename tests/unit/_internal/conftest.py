"""Fixtures: a clone with a folder beside it that a link could point to, and files to replace."""

import pytest

from support.permissions import folder_of_nobody


@pytest.fixture
def clone(tmp_path):
    root = tmp_path / "clone"
    root.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    return root


@pytest.fixture
def file(tmp_path):
    """A private file with old content."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    return path


@pytest.fixture
def nobodys_folder():
    with folder_of_nobody() as folder:
        yield folder


@pytest.fixture
def nobodys_file(nobodys_folder):
    """A file with old content, in a folder that `as_nobody` can write."""
    path = nobodys_folder / "file"
    path.write_bytes(b"old")
    return path
