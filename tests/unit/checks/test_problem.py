"""Problems: their order, their listing and the resulting exit status."""

import pytest

from envkit.checks.problem import Problem, Severity, exit_status, listed, merge_problems


def problem(code, **more):
    return Problem(code, "message", **more)


@pytest.mark.parametrize(
    ("codes", "status", "strict"),
    [
        ([], 0, 0),
        (["dynamic-read"], 0, 0),
        (["missing"], 0, 1),
        (["missing", "value-absent"], 1, 1),
        (["value-absent", "store-unavailable"], 5, 5),
        (["store-unavailable", "access-denied", "value-absent"], 6, 6),
    ],
)
def test_the_exit_status_follows_from_the_codes(codes, status, strict):
    problems = [problem(code) for code in codes]
    assert exit_status(problems) == status
    assert exit_status(problems, strict=True) == strict


def test_problems_are_sorted_by_severity_and_place_without_duplicates():
    problems = [
        problem("missing", file="/a", line=1),
        problem("value-absent", file="/b", line=2, environments=("dev",)),
        problem("value-absent", file="/b", line=1),
        problem("value-absent", file="/b", line=2, environments=("prod", "dev")),
        problem("dynamic-read", file="/a"),
    ]
    assert [(p.severity, p.file, p.line, p.environments) for p in merge_problems(problems)] == [
        (Severity.ERROR, "/b", 1, ()),
        (Severity.ERROR, "/b", 2, ("dev", "prod")),
        (Severity.WARNING, "/a", 1, ()),
        ("note", "/a", 0, ()),
    ]


def test_a_long_list_says_how_many_more_there_are():
    assert listed("abc") == "a, b and c"
    assert listed("a") == "a"
    assert listed("abcdefghij") == "a, b, c, d, e, f, g, h and 2 more"
