"""Which variables globs select, and which of them are typos."""

import pytest

from envkit.errors import UsageError
from envkit.resolution.selection import globs, refuse_unknown, select


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


def test_one_glob_that_is_a_text_is_a_list_of_one():
    assert globs("DB_*") == ["DB_*"]
    assert globs(["A", "B"]) == ["A", "B"]


@pytest.mark.parametrize("given", [[], ["DB_URL"], ["db_*"], ["NO_*"], ["?"], ["DB_URL", "*"]])
def test_a_glob_may_match_nothing_and_a_known_name_is_one(given):
    refuse_unknown(given, ["DB_URL"], "prod")


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("DB_ULR", "no variable 'DB_ULR' in prod", "did you mean 'DB_URL'?"),
        ("", "an empty glob matches no variable", "write --only 'DB_*'"),
    ],
)
def test_a_name_that_is_not_there_is_a_typo(given, message, hint):
    with pytest.raises(UsageError) as caught:
        refuse_unknown(["DB_*", given], ["DB_URL", "REDIS_URL"], "prod")
    assert (caught.value.message, caught.value.hint) == (message, hint)
