"""Who may use a profile when."""

from __future__ import annotations

import pytest

from envkit.access.admission import OutsideHoursError, admit, is_closed, refuse_outside_hours
from envkit.access.hours import parse_hours
from envkit.access.rules import Rules
from envkit.profile.model import Profile

MONDAY_NOON = 1_796_040_000.0  # 2026-11-30T12:00:00Z


def rules(name: str, hours: str | None) -> Rules:
    parsed = None if hours is None else parse_hours(hours)
    return Rules(Profile(name, f"/x/profiles/{name}.toml"), hours=parsed)


def test_profiles_are_refused_outside_the_hours_of_any_of_them():
    open_ = rules("base", "Mon 08:00-19:00 UTC")
    refuse_outside_hours([open_, rules("dev", None)], MONDAY_NOON)
    with pytest.raises(OutsideHoursError) as caught:
        refuse_outside_hours([open_, rules("prod", "Tue 08:00-19:00 UTC")], MONDAY_NOON)
    assert caught.value.message == (
        "outside the hours for people: prod is open Tue 08:00-19:00 UTC"
    )
    assert "--break-glass --reason" in str(caught.value.hint)


def test_a_profile_without_hours_admits_a_person_at_any_time():
    profile = Profile("prod", "/x/profiles/prod.toml")
    assert admit([profile], {}, break_glass=False) == [Rules(profile)]
    assert not is_closed(profile)
