"""A clone and a folder beside it, which a link could lead to."""

import pytest


@pytest.fixture
def clone(tmp_path):
    root = tmp_path / "clone"
    root.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    return root
