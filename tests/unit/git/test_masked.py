"""`git diff` shows names and marks of values, never a value, and every change of a value."""

import pytest

from envkit.encryption.keys import generate
from envkit.encryption.values import encrypt
from envkit.git.masked import masked

PUBLIC = generate().public_key()


def shown(text):
    return masked(text.encode("utf-8", "surrogateescape"), path=".env.prod")


def a_file(*lines):
    return f"DOTENV_PUBLIC_KEY_PROD={PUBLIC}\n" + "".join(f"{line}\n" for line in lines)


def test_an_encrypted_value_is_shown_as_a_mark_that_changes_with_its_line():
    first, second = encrypt("canary", PUBLIC), encrypt("canary", PUBLIC)
    one, same, other = (shown(a_file(f"A='{value}'")) for value in (first, first, second))
    assert one == same != other
    assert one.splitlines()[1].startswith("A=encrypted ")
    assert len(one.splitlines()[1]) == len("A=encrypted 01234567")


def test_a_plain_value_of_an_encrypted_file_is_masked_and_its_change_is_visible():
    one, other = shown(a_file("A=canary")), shown(a_file("A=canary2"))
    assert one != other
    assert one.splitlines()[1].startswith("A=******** (not encrypted) ")


@pytest.mark.parametrize(
    "line",
    [
        "A=canary",
        "export A='canary'",
        "# A=canary",
        "# old password: canary",
        "#A = canary",
        "A='canary",
        "canary",
        "A=x canary=y canary",
        "A='two\ncanary'",
        "<<<<<<< HEAD\nA=canary\n=======\nA=canary\n>>>>>>> other",
        "A=canary\r",
        "A=\udcffcanary",
        "DOTENV_PRIVATE_KEY_PROD=canary",
    ],
    ids=repr,
)
def test_no_value_is_shown(line):
    assert "canary" not in shown(a_file(line))


def test_names_comments_and_plain_values_that_stay_plain_are_shown():
    text = a_file("", "# the database", "LOG_LEVEL_PLAIN=info", "EMPTY=")
    assert shown(text).splitlines()[1:] == ["", "# the database", "LOG_LEVEL_PLAIN=info", "EMPTY="]


def test_a_plain_value_cannot_control_the_terminal():
    assert "\x1b" not in shown(a_file('A_PLAIN="\x1b[2J"'))


def test_a_key_file_is_masked():
    assert shown("DOTENV_PRIVATE_KEY=canary\n").startswith("DOTENV_PRIVATE_KEY=******** ")


@pytest.mark.parametrize("text", ["", "A=1\n", "no dotenv file\n"])
def test_a_file_without_encrypted_values_is_shown_as_it_is(text):
    assert shown(text) == text


def test_a_file_in_another_encoding_is_named_as_such():
    assert (
        masked("A=1".encode("utf-16"), path="x") == "# cannot be read: x:1: not UTF-8 but UTF-16\n"
    )
