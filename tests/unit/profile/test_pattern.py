"""A pattern matches as in `re`, and never takes longer than its limit."""

import re
from contextlib import suppress

import pytest

from envkit.profile import pattern
from envkit.profile.pattern import MatchTimeoutError, matches

# typical patterns: all of them are matched in this process
USUAL = [
    *(r"^https://", r"^postgres(ql)?://", r"^\d{4}-\d{2}$", r"^[A-Za-z0-9_-]{20,64}$"),
    *(r"^sk_(live|test)_[0-9a-zA-Z]+$", r"^[^@\s]+@[^@\s]+$", r"(?i)^(debug|info)$"),
]
# for forty letters each takes years
SLOW = [r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"^(.*a){12}$", r"(a*)*b", r"^(?:(?:a+)b?)*$"]


@pytest.mark.parametrize("text", USUAL)
def test_an_ordinary_pattern_needs_no_process(text, monkeypatch):
    monkeypatch.setattr(pattern, "_matches_in_a_process", None)
    for value in ("https://x", "postgres://x", "2026-11", "sk_live_4", "a@b", "INFO", "", "a" * 40):
        assert matches(text, value) == (re.search(text, value) is not None)


@pytest.mark.parametrize("text", SLOW)
def test_a_pattern_that_may_take_years_times_out_and_still_matches_quick_values(text, monkeypatch):
    assert matches(text, "a" * 12) == (re.search(text, "a" * 12) is not None)
    monkeypatch.setattr(pattern, "MATCH_SECONDS", 0.2)
    with suppress(MatchTimeoutError):
        assert not matches(text, "a" * 40 + "!")


def test_a_long_value_of_a_quadratic_pattern_is_matched_in_a_process(monkeypatch):
    asked = []
    monkeypatch.setattr(pattern, "_matches_in_a_process", lambda *given: asked.append(given))
    matches(".*a.*b", "x" * 4096)
    assert not asked
    matches(".*a.*b", "x" * 4097)
    assert asked


@pytest.mark.parametrize("value", ["\udcff", "\n", "\0", "caf\u00e9", ""])
def test_the_pattern_process_gets_the_value_unchanged(value):
    assert matches(f"^(?:{re.escape(value)}|(x+)+y)$", value)
