"""How the command line names the sides of a comparison."""

import pytest

from envkit.comparison.selectors import parse_name
from envkit.comparison.sides import prepare_sides
from envkit.errors import UsageError


class TestNames:
    @pytest.mark.parametrize(
        ("text", "kind", "target"),
        [
            ("prod", "profile", "prod"),
            ("eu-1.prod", "profile", "eu-1.prod"),
            ("file:.env.local", "file", ".env.local"),
            ("file:a@b:c", "file", "a@b:c"),
            ("env:", "env", ""),
            ("pid:12", "pid", "12"),
        ],
    )
    def test_a_side_is_a_profile_a_file_or_a_process(self, text, kind, target):
        assert parse_name(text) == (text, kind, target, None)

    @pytest.mark.parametrize(
        "text",
        [
            *("file:", "env:X", "pid:", "pid:-1", "pid:x", "pid:٣", "vault:x", "http://h"),
            *("prod@", "prod@v", "prod@vx", "prod@12", "prod@2026-13-01"),
        ],
    )
    def test_a_meaningless_side_is_refused_with_a_hint(self, text):
        with pytest.raises(UsageError) as raised:
            parse_name(text)
        assert raised.value.hint

    @pytest.mark.parametrize("names", [[], ["prod"]])
    def test_a_comparison_needs_two_sides(self, names):
        with pytest.raises(UsageError, match="at least two"):
            prepare_sides(names)
