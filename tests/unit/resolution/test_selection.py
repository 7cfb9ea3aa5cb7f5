"""Which variables globs select, and which of them are typos."""

import pytest

from envkit.errors import UsageError
from envkit.resolution.selection import choose, globs, select


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
def test_globs_select_variables(only, exclude, expected):
    assert select(["DB_URL", "DB_USER", "REDIS_URL"], only, exclude) == expected.split()


def test_a_single_glob_may_be_given_as_text():
    assert globs("DB_*") == ["DB_*"]
    assert globs(["A", "B"]) == ["A", "B"]


KNOWN = ("DB_URL", "DB_USER", "REDIS_URL", "A", "B")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "DB_URL DB_USER REDIS_URL A B"),
        ({"only": ["DB_URL", "NO_*"]}, "DB_URL"),
        ({"only": ["DB_*", "no_*"], "exclude": ["NO_*", "?"]}, "DB_URL DB_USER"),
        ({"exclude": ["NO_*"]}, "DB_URL DB_USER REDIS_URL A B"),
        ({"names": ["A"], "only": ["REDIS_*"]}, "REDIS_URL A"),
        ({"names": ["B", "A"], "exclude": ["A"]}, "B"),
        ({"only": ["NO_*"], "kept": ["X"]}, ""),
        ({"exclude": ["*"], "kept": ["X"]}, ""),
    ],
)
def test_a_glob_may_match_nothing_while_another_matches(options, expected):
    assert choose(KNOWN, "prod", **options) == expected.split()


@pytest.mark.parametrize("exclude", [[], ["NO_*"], ["*"]])
def test_a_profile_without_variables_accepts_globs_that_match_nothing(exclude):
    assert choose((), "prod", exclude=exclude) == []


EACH_BY_ITSELF = "write one {option} for each name: {option} A {option} B"


@pytest.mark.parametrize("option", ["--only", "--except"])
@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("A,B", EACH_BY_ITSELF),
        ("A, B", EACH_BY_ITSELF),
        ("A B", EACH_BY_ITSELF),
        ("A\tB", EACH_BY_ITSELF),
        ("A\nB\n", EACH_BY_ITSELF),
        (",A,B,", EACH_BY_ITSELF),
        ("A;B", EACH_BY_ITSELF),
        ("A|B", EACH_BY_ITSELF),
        ("A:B", EACH_BY_ITSELF),
        ("{A,B}", EACH_BY_ITSELF),
        ("A-B", EACH_BY_ITSELF),
        ("A/B", EACH_BY_ITSELF),
        ("A+B", EACH_BY_ITSELF),
        ("NO,NEITHER", "write one {option} for each name: {option} NO {option} NEITHER"),
        ("DB-URL", "did you mean 'DB_URL'?"),
        ("DB.URL", "did you mean 'DB_URL'?"),
        ("DB_ULR", "did you mean 'DB_URL'?"),
        ("db_url", "did you mean 'DB_URL'?"),
        ("Db_User", "did you mean 'DB_USER'?"),
        (" DB_URL", "did you mean 'DB_URL'?"),
        ("DB_URL\r", "did you mean 'DB_URL'?"),
        ("$DB_URL", "did you mean 'DB_URL'?"),
        ("!DB_URL", "use {other} DB_URL"),
        ("^DB_URL", "use {other} DB_URL"),
        ("-DB_URL", "use {other} DB_URL"),
        ("DB_URL=x", "did you mean 'DB_URL'?"),
        ("%", "use one of: A, B, DB_URL, DB_USER, REDIS_URL"),
        ("ÄÖ", "use one of: A, B, DB_URL, DB_USER, REDIS_URL"),
    ],
)
def test_a_name_without_a_wildcard_must_exist(option, given, hint):
    options = {"only" if option == "--only" else "exclude": ["DB_*", given]}
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", **options)
    assert caught.value.message == f"no variable '{given}' in prod"
    other = "--except" if option == "--only" else "--only"
    assert caught.value.hint == hint.format(option=option, other=other)


@pytest.mark.parametrize("given", ["", " ", "\t", "\n"])
def test_an_empty_glob_is_refused(given):
    with pytest.raises(UsageError, match="an empty glob matches no variable"):
        choose(KNOWN, "prod", exclude=[given])


@pytest.mark.parametrize("given", ["DB_*,RE*", "DB_* RE*", "NO_*,DB_URL", "DB_?;A", "[AB],DB_*"])
def test_several_globs_in_one_text_are_refused_even_for_exclusion(given):
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", exclude=[given])
    assert caught.value.message == f"no variable in prod matches '{given}'"
    assert caught.value.hint.startswith("write one --except for each name: --except ")


@pytest.mark.parametrize("option", ["only", "exclude"])
@pytest.mark.parametrize("given", ["DB.*", ".*", "DB-*", "$A*", "\\*", "DB[", "[A", "*/A", "{A*}"])
def test_a_glob_that_fits_no_name_is_refused_even_where_something_is_left(option, given):
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", **{option: [given], "names": ["A"]})
    assert caught.value.message == f"no variable in prod matches '{given}'"
    assert caught.value.hint.startswith("use '*', ")


@pytest.mark.parametrize("given", ["[^A]*", "DB_[^U]*", "*[^X]"])
def test_a_set_that_a_shell_would_negate_is_refused_with_what_is_meant(given):
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", exclude=[given])
    assert caught.value.hint == f"use --except '{given.replace('^', '!')}'"


def test_sets_are_globs():
    assert choose(KNOWN, "prod", only=["[AB]"]) == ["A", "B"]
    assert choose(KNOWN, "prod", only=["[!A-D]*"]) == ["REDIS_URL"]
    assert choose(("x.y", "A"), "both", only=["x.*"]) == ["x.y"]


@pytest.mark.parametrize(
    ("options", "given", "hint"),
    [
        ({"only": ["NO_*"]}, "--only 'NO_*'", "choose from: A, B"),
        ({"only": ["db_*"]}, "--only 'db_*'", "did you mean --only 'DB_*'?"),
        ({"only": ["NO_*", "??_"]}, "--only 'NO_*' --only '??_'", "choose from: A, B"),
        ({"exclude": ["*"]}, "--except '*'", "choose from: A, B"),
        ({"only": ["A"], "exclude": ["A"]}, "--only 'A' --except 'A'", "choose from: A, B"),
        ({"names": ["A"], "exclude": ["?"]}, "--except '?'", "choose from: A, B"),
    ],
)
def test_globs_that_leave_nothing_are_refused(options, given, hint):
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", **options)
    assert caught.value.message == f"no variable in prod remains after {given}"
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("name", ["DB_*", "?", "[A]", "A,B", "A B", "", "db_url"])
def test_an_argument_of_get_is_a_name_and_never_a_glob(name):
    with pytest.raises(UsageError) as caught:
        choose(KNOWN, "prod", names=["A", name])
    assert caught.value.message == f"no variable '{name}' in prod"
    assert "--only" not in caught.value.hint
