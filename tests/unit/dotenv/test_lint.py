"""Lines that other readers read differently are reported with a hint."""

import pytest

from envkit.dotenv.lint import in_profile, in_store

CANARY = "canary-30be"


def codes(text):
    return [(one.code, one.line, one.name) for one in in_store(text, path=".env")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('A="a\\$5"', "dotenv-escape"),
        ("A=a\\$5", "dotenv-escape"),
        ('A="\\${B}"', "dotenv-escape"),
        ('A="a$B"', "dotenv-dollar"),
        ("A=a$B", "dotenv-dollar"),
        ("export A=$B/x # note", "dotenv-dollar"),
        ("A=a$5", "dotenv-dollar"),
        ('A="a$$b"', "dotenv-dollar"),
        ("A=a$!b", "dotenv-dollar"),
        ('A="$?"', "dotenv-dollar"),
        ("A=$'a\\nb'", "dotenv-dollar"),
        ("A=${Y:?must}", "dotenv-dollar"),
        ('A="${Z:+yes}"', "dotenv-dollar"),
        ("A=${Y%x}", "dotenv-dollar"),
        ("A=`date`", "dotenv-backtick"),
        ('A="x `date`"', "dotenv-backtick"),
        ("A=a`b", "dotenv-backtick"),
        ('A="$(date)"', "dotenv-backtick"),
        ("A=${Z}", "dotenv-order"),
        ('A="${Z:-1}"', "dotenv-order"),
        ("A: 1", "dotenv-odd-line"),
        ("this is prose", "dotenv-odd-line"),
        ("A='x' y", "dotenv-odd-line"),
        ("export", "dotenv-odd-line"),
    ],
)
def test_a_line_that_readers_read_differently_is_reported(line, code):
    name = "" if code == "dotenv-odd-line" else "A"
    assert codes(f"# first\n{line}\nZ=1\n") == [(code, 2, name)]


@pytest.mark.parametrize(
    "line",
    [
        "A='a$B `x` \\$5 ${Z}'",
        "A=a$",
        "A=a$.b",
        'A="cost $"',
        'A="$\'x"',
        "A=${Y:-a}${Y-b}${Y}",
        "A=100$ # $HOME `x`",
        "# A=$B `x` ${Z}",
        "A=${Y}",
        'A="a\\\\ b"',
        "export Z",
        "discovery.type=x",
        "A=${NOWHERE:-x}",
    ],
)
def test_a_line_that_all_readers_read_alike_is_not_reported(line):
    assert codes(f"Y=1\n{line}\nZ=1\n") == []


@pytest.mark.parametrize("value", ["${Z}", '"x${Z}"', "${Z:-1}"])
def test_a_value_that_a_later_line_changes_is_told_though_an_earlier_one_sets_it(value):
    [one] = in_store(f"Z=0\nA={value}\nZ=1\n", path=".env")
    assert (one.code, one.line, one.name) == ("dotenv-order", 2, "A")
    assert one.message.startswith("A uses ${Z}, which line 3 sets again: ")


def test_only_the_last_definition_is_checked_for_its_order():
    assert codes("A=${Z}\nZ=1\nA=2\n") == []
    assert codes("A=${A}\nA=${A}:x\n") == []


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ('"${APP_NAME}"', "{{ APP_NAME }}"),
        ("${APP_NAME}", "{{ APP_NAME }}"),
        ('"x ${APP_NAME:-shop} y"', '{{ APP_NAME ?? "..." }}'),
        ("${APP_NAME-shop}", '{{ APP_NAME ?? "..." }}'),
        ("$APP_NAME", "{{ APP_NAME }}"),
        ('"postgres://$APP_NAME:x@db"', "{{ APP_NAME }}"),
    ],
)
def test_a_dollar_in_a_profile_is_reported_with_the_intended_placeholder(value, hint):
    [one] = in_profile(f"APP_NAME=shop\nA={value}\n", path="profiles/dev.env")
    assert (one.code, one.line, one.name) == ("profile-dollar", 2, "A")
    assert one.hint.startswith(f"write {hint}")


@pytest.mark.parametrize("value", ["'${APP_NAME}'", "a$5", "{{ APP_NAME }}", "$", "^x$"])
def test_a_dollar_in_a_profile_that_is_plain_text_is_not_reported(value):
    assert list(in_profile(f"A={value}\n", path="profiles/dev.env")) == []


def test_no_finding_shows_a_value():
    text = f'A={CANARY}$B\nC="{CANARY}`x` \\$5"\nD={CANARY}${{E}}\nE={CANARY}\nx {CANARY}\n'
    findings = [*in_store(text, path=".env")]
    assert len({one.code for one in findings}) == 5
    assert CANARY not in repr(findings)
