"""Which names a variable can have."""

from __future__ import annotations

import difflib  # noqa: F401 - imported by a mistyped filter; here so that it opens no file later

import pytest

from envkit._internal.names import is_name


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
def test_names(text: str, is_one: bool) -> None:
    assert is_name(text) is is_one
