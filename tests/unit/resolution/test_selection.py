"""Which variables globs select."""

import pytest

from envkit.resolution.selection import select


@pytest.mark.parametrize(
    ("only", "exclude", "expected"),
    [
        ([], [], "DB_URL DB_USER REDIS_URL"),
        (["DB_*"], [], "DB_URL DB_USER"),
        (["*_URL"], ["DB_*"], "REDIS_URL"),
        ([], ["*_URL"], "DB_USER"),
        (["DB_USER", "RED*"], [], "DB_USER REDIS_URL"),
        (["db_*"], [], ""),
        (["D?_[UX]RL"], [], "DB_URL"),
        (["*"], ["*"], ""),
    ],
)
def test_globs_select(only, exclude, expected):
    assert select(["DB_URL", "DB_USER", "REDIS_URL"], only, exclude) == expected.split()
