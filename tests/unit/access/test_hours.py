"""Hours of profiles: what contains a moment, and what is not a text for hours."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from envkit.access.hours import HoursError, parse_hours

OFFICE = "Mon-Fri 08:00-19:00 Europe/Madrid"
NIGHT = "Fri 22:00-06:00 Europe/Madrid"
# the last Sundays of March and October: the clock skips 02:00-03:00, and repeats it
NARROW = "Sun 02:00-03:00 Europe/Madrid"


def moment(text: str, zone: str = "Europe/Madrid", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("hours", "at", "inside"),
    [
        (OFFICE, "2026-11-30T08:00", True),  # a Monday
        (OFFICE, "2026-11-30T07:59:59", False),
        (OFFICE, "2026-11-30T18:59:59", True),
        (OFFICE, "2026-11-30T19:00", False),
        (OFFICE, "2026-11-29T12:00", False),  # a Sunday
        (OFFICE, "2026-07-03T18:30", True),  # in summer, the same wall clock
        ("Sat,Sun 00:00-24:00 Europe/Madrid", "2026-11-29T23:59:59", True),
        ("Sat,Sun 00:00-24:00 Europe/Madrid", "2026-11-30T00:00", False),
        ("fri-mon 09:00-10:00 Europe/Madrid", "2026-11-30T09:30", True),
        ("fri-mon 09:00-10:00 Europe/Madrid", "2026-12-01T09:30", False),
        (NIGHT, "2026-11-27T22:00", True),  # a Friday
        (NIGHT, "2026-11-28T05:59", True),  # the night of Friday
        (NIGHT, "2026-11-28T06:00", False),
        (NIGHT, "2026-11-28T22:30", False),
        (NIGHT, "2026-11-27T05:00", False),  # the night of Thursday
        (NARROW, "2026-03-29T03:00", False),
        (NARROW, "2026-10-25T02:30", True),
    ],
)
def test_hours_contain_the_moments_that_the_wall_clock_of_their_zone_says(hours, at, inside):
    assert parse_hours(hours).contain(moment(at)) is inside


def test_an_hour_that_the_clock_repeats_is_within_the_hours_both_times():
    assert parse_hours(NARROW).contain(moment("2026-10-25T02:30", fold=1))


def test_hours_in_utc_need_no_time_zone_data():
    assert parse_hours("Mon 08:00-09:00 UTC").contain(moment("2026-11-30T08:30", "UTC"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not days, times and a time zone"),
        ("Mon-Fri 08:00-19:00", "is not days, times and a time zone"),
        ("Mon-Fry 08:00-19:00 UTC", "'Fry' is not a day"),
        ("Mon,,Tue 08:00-19:00 UTC", "'' is not a day"),
        ("Mon 8:00-19:00 UTC", "'8:00-19:00' is not two times"),
        ("Mon 08:00-24:01 UTC", "ends after 24:00"),
        ("Mon 24:00-08:00 UTC", "is not two times"),
        ("Mon 0٣:00-08:00 UTC", "is not two times"),
        ("Mon 08:00-08:00 UTC", "is empty"),
        ("Mon 08:00-19:00 Europe/Madird", "unknown time zone 'Europe/Madird'"),
        ("Mon 08:00-19:00 ../../etc/passwd", "unknown time zone"),
    ],
)
def test_text_that_does_not_name_hours_is_refused_with_the_part_that_is_wrong(text, said):
    with pytest.raises(HoursError, match=said) as caught:
        parse_hours(text)
    assert caught.value.hint


def test_a_misspelled_time_zone_gets_the_closest_one_as_a_hint():
    with pytest.raises(HoursError) as caught:
        parse_hours("Mon 08:00-19:00 Europe/Madird")
    assert "Europe/Madrid" in str(caught.value.hint)
