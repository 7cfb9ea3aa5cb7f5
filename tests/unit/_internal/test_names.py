"""Which names a variable can have."""

from __future__ import annotations

import difflib  # noqa: F401 - imported by a mistyped filter; here so that it opens no file later

import pytest

from envkit._internal.names import is_name, odd_character, reserved_for


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("A", True),
        ("_", True),
        ("a1_B", True),
        ("", False),
        ("1A", False),
        ("A-B", False),
        ("A B", False),
        ("É", False),
        ("A\n", False),
    ],
)
def test_is_name_accepts_only_names_of_variables(text: str, is_one: bool) -> None:
    assert is_name(text) is is_one


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("hvs.abc", ""),
        ("a'b\"c", ""),
        ("'a", ""),
        ("'", ""),
        ("", ""),
        ("'a'", "quotes"),
        ('"a"', "quotes"),
        ('""', "quotes"),
        ("'a\"", ""),
        ("a\u00a0", "a no-break space"),
        ("\ufeffa", "a byte order mark"),
        ("a\x1b", "a control character"),
        ("\u200ba", "a character that is not ASCII"),
        ("a\udcff", "a character that is not ASCII"),
    ],
)
def test_a_character_that_no_token_or_address_has_is_named(text: str, odd: str) -> None:
    assert odd_character(text) == odd


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("DOTENV_PRIVATE_KEY", True),
        ("DOTENV_PRIVATE_KEY_PROD", True),
        ("ENVKIT_TRUST", True),
        ("DOTENV_PATH", False),
        ("MY_ENVKIT_ENV", False),
    ],
)
def test_a_name_is_reserved_for_keys_and_for_envkit(name: str, *, reserved: bool) -> None:
    assert bool(reserved_for(name)) is reserved
