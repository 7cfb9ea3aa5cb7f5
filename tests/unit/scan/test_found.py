"""Findings, their fingerprints, what accepts them, and the exit status."""

import pytest

from envkit.checks.ignore_file import Rule
from envkit.errors import AuthError, UnavailableError, VariableFailure
from envkit.scan.content import Occurrence
from envkit.scan.forms import Form
from envkit.scan.found import Finding, FindingCode, Report, Scope, Unread, findings_of
from envkit.scan.values import Label, Owner

VALUE = Finding(FindingCode.VALUE, "/shop/src/app.py", 3, "plain", "DB_PASSWORD", ("dev",))
TOKEN = Finding(FindingCode.TOKEN, "/shop/tests/key.pem", 1, "a private key")
MESSAGE = VALUE._replace(file="", commit="1a2b")


def report(*findings, unread=(), failures=()):
    return Report(Scope.TREE, "/shop", findings, (), (), {}, unread, failures, (), 1)


def test_a_value_is_a_finding_for_each_variable_with_all_its_environments():
    owners = (Owner("dev", "A"), Owner("prod", "B"), Owner("prod", "A"))
    found = list(findings_of(Occurrence(3, Label(Form.URL, owners)), "/f", "1a2b"))
    assert found == [
        Finding(FindingCode.VALUE, "/f", 3, "url-encoded", "A", ("dev", "prod"), "1a2b"),
        Finding(FindingCode.VALUE, "/f", 3, "url-encoded", "B", ("prod",), "1a2b"),
    ]


def test_a_fingerprint_stays_when_lines_commits_and_environments_change():
    moved = VALUE._replace(line=9, commit="1a2b", environments=("prod",), what="base64")
    assert moved.fingerprint("/shop") == VALUE.fingerprint("/shop")
    elsewhere = VALUE._replace(file="/home/shop/src/app.py")
    assert elsewhere.fingerprint("/home/shop") == VALUE.fingerprint("/shop")


def test_fingerprints_of_other_files_variables_and_kinds_differ():
    others = [
        VALUE,
        TOKEN,
        MESSAGE,
        VALUE._replace(file="/shop/a"),
        VALUE._replace(variable="A"),
        TOKEN._replace(what="a GitHub token"),
    ]
    assert len({one.fingerprint("/shop") for one in others}) == len(others)


@pytest.mark.parametrize(
    ("glob", "code", "left"),
    [
        ("DB_*", "leaked-value", [TOKEN, MESSAGE]),
        ("src/*", "leaked-value", [TOKEN, MESSAGE]),
        (VALUE.fingerprint("/shop"), "leaked-value", [TOKEN, MESSAGE]),
        ("tests/*", "leaked-token", [VALUE, MESSAGE]),
        ("*", "leaked-token", [VALUE, MESSAGE]),
        ("tests/*", "leaked-value", [VALUE, TOKEN, MESSAGE]),
        ("", "leaked-value", [VALUE, TOKEN, MESSAGE]),
    ],
)
def test_a_rule_accepts_findings_by_variable_file_or_fingerprint(glob, code, left):
    rule = Rule(glob, (code,), "why", "here")
    message = MESSAGE._replace(variable="OTHER")
    accepted = report(VALUE, TOKEN, message).accepting([rule])
    expected = [message if one is MESSAGE else one for one in left]
    assert list(accepted.findings) == expected
    assert all(accepting is rule for _, accepting in accepted.ignored)
    assert len(accepted.findings) + len(accepted.ignored) == 3


def failure(error):
    return VariableFailure("A", "here", error)


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (report(), 0),
        (report(TOKEN), 1),
        (report(TOKEN, unread=[Unread("f", "why")], failures=[failure(AuthError("no"))]), 1),
        (report(unread=[Unread("f", "why")]), 6),
        (report(failures=[failure(UnavailableError("no"))]), 5),
        (report(failures=[failure(UnavailableError("no")), failure(AuthError("no"))]), 6),
    ],
)
def test_the_exit_status_is_1_for_findings_and_else_that_of_what_is_missing(made, status):
    assert made.exit_status == status
