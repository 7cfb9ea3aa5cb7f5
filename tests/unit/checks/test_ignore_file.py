"""Accepted differences, each with a reason."""

import pytest

from envkit.checks.ignore_file import accept, accept_problems, load_rules
from envkit.checks.problem import Problem
from envkit.comparison.compare import diff
from envkit.errors import ProfileError
from support.sides import side, unavailable

SIDES = (
    side(
        "dev",
        {"REUSED": "a-long-secret"},
        {"MODE": "a", "DEBUG": "1", "SAME": "1"},
        failing={"LOST": unavailable()},
    ),
    side(
        "prod", {"REUSED": "a-long-secret", "LOST": "x"}, {"MODE": "b", "DSN_A": "x", "SAME": "1"}
    ),
)
FOUND = diff(*SIDES)


@pytest.fixture
def rules(project):
    def load(text):
        path = project.root / ".envkit-ignore"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_rules(str(path))

    return load


def left(rules):
    return [entry.name for entry in accept(FOUND, rules).diff.entries]


def test_a_rule_has_a_pattern_statuses_a_reason_and_a_line(rules):
    loaded = rules("\ufeff# comment\n\n  A_* missing,reused # because  \nB#reason # two\n")
    assert [tuple(rule) for rule in loaded] == [
        ("A_*", ("missing", "reused"), "because", ".envkit-ignore:3"),
        ("B", ("missing", "different"), "reason # two", ".envkit-ignore:4"),
    ]


def test_an_accepted_difference_is_removed_and_listed_with_its_reason(rules):
    accepted = accept(FOUND, rules("MODE # quieter\nD* missing # only here\n"))
    assert [entry.name for entry in accepted.diff.entries] == ["REUSED", "LOST", "SAME"]
    ignored = [f"{entry.name} {rule.reason}" for entry, rule in accepted.ignored]
    assert ignored == ["DEBUG only here", "DSN_A only here", "MODE quieter"]
    assert accepted.idle == ()


def test_reused_and_unreadable_are_accepted_by_name_only(rules):
    assert left(rules("* # everything\n")) == ["REUSED", "LOST", "SAME"]
    assert left(rules("* reused unreadable # known\n")) == ["DEBUG", "DSN_A", "MODE", "SAME"]


def test_one_of_two_statuses_of_a_variable_may_be_accepted(rules):
    sides = [side(label, {"KEY": "a-long-secret"}) for label in ("dev", "staging")]
    found = diff(*sides, side("prod"))
    accepted = accept(found, rules("KEY reused # one account\n"))
    [kept] = accepted.diff.entries
    assert (kept.statuses, kept.findings) == (("missing",), ())
    assert [(entry.name, entry.status) for entry, _ in accepted.ignored] == [("KEY", "reused")]
    accepted = accept(found, rules("KEY # only before production\n"))
    [kept] = accepted.diff.entries
    assert kept == found.entries[0]._replace(also=())
    assert accepted.idle == ()
    accepted = accept(found, rules("KEY reused missing # both\n"))
    assert accepted.diff.entries == ()
    assert len(accepted.ignored) == 1


def test_a_partly_accepted_entry_is_sorted_by_its_remaining_status(rules):
    sides = [side(label, {"KEY": "a-long-secret", "A": label}) for label in ("dev", "staging")]
    found = diff(*sides, side("prod", {"A": "prod"}, failing={"B": unavailable()}))
    assert [entry.name for entry in found.entries] == ["KEY", "B", "A"]
    left = accept(found, rules("KEY reused # one account\n")).diff.entries
    assert [entry.name for entry in left] == ["B", "KEY", "A"]


def test_a_rule_that_accepts_nothing_is_idle(rules):
    accepted = accept(FOUND, rules("GONE # was there\nSAME # is the same now\nMODE reused # no\n"))
    assert [rule.glob for rule in accepted.idle] == ["GONE", "SAME", "MODE"]
    assert accepted.diff == FOUND


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MODE\n", ".envkit-ignore:1: MODE is ignored without a reason"),
        ("MODE #  \n", ".envkit-ignore:1: MODE is ignored without a reason"),
        ("\nMODE diferent # x\n", ".envkit-ignore:2: 'diferent' cannot be ignored"),
        ("MODE same # x\n", ".envkit-ignore:1: 'same' cannot be ignored"),
        (b"\xff\n", ".envkit-ignore: not UTF-8"),
    ],
)
def test_an_invalid_rule_is_reported_with_its_line(rules, text, message):
    with pytest.raises(ProfileError) as raised:
        rules(text)
    assert raised.value.message == message
    assert raised.value.hint


def test_a_missing_ignore_file_is_an_error(project):
    with pytest.raises(ProfileError, match="cannot read none: no such file"):
        load_rules("none")


def problem(code, **more):
    return Problem(code, "message", **more)


def test_accepted_problems_are_those_whose_code_and_variables_a_rule_names(project):
    path = project.root / ".envkit-ignore"
    path.write_text(
        "SENTRY_*              # only where it is deployed\n"
        "*_TOKEN literal-secret,reused  # a sandbox\n"
        "src/old/* dynamic-read # goes away\n"
    )
    accepted = [
        problem("missing", variables=("SENTRY_DSN",)),
        problem("literal-secret", variables=("A_TOKEN",)),
        problem("reused", variables=("A_TOKEN", "B_TOKEN")),
        problem("dynamic-read", file=str(project.root / "src/old/a.py")),
    ]
    kept = [
        problem("value-absent", variables=("SENTRY_DSN",)),
        problem("reused", variables=("A_TOKEN", "OTHER")),
        problem("dynamic-read", file=str(project.root / "src/new/a.py")),
        problem("store-unavailable"),
    ]
    left, ignored = accept_problems([*kept, *accepted], load_rules(str(path)), str(project.root))
    assert left == kept
    assert [one for one, _ in ignored] == accepted
    assert ignored[0][1].reason == "only where it is deployed"
