"""When a rotation is due: intervals, cron schedules, jitter, overdue."""

import itertools
from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.rotation_state.schedule import (
    LATENESS_SECONDS,
    Timing,
    cron_after,
    due,
    due_times,
    jitter,
    shortest_pause,
)

BERLIN = "Europe/Berlin"
HOUR = 3600.0
DAY = 24 * HOUR


def at(text, zone=BERLIN, fold=0):
    """Return the Unix time of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def on_the_wall(seconds, zone=BERLIN):
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M%z")


def times_of(expression, start, end, zone=BERLIN):
    found, moment = [], start
    while (moment := cron_after(expression, zone, moment)) < end:
        found.append(on_the_wall(moment, zone))
    return found


# -------- every


def test_a_first_rotation_is_due_at_once():
    found = due(Timing(every_seconds=30 * DAY), "prod/db", last=0, now=1e9)
    assert (found.starts, found.overdue_at) == (1e9, inf)


def test_every_counts_from_the_last_rotation():
    found = due(Timing(every_seconds=30 * DAY), "prod/db", last=1e9, now=1e9 + 1)
    assert (found.at, found.starts, found.closes) == (1e9 + 30 * DAY, 1e9 + 30 * DAY, inf)


def test_a_missed_rotation_without_a_window_stays_due():
    found = due(Timing(every_seconds=DAY), "prod/db", last=1e9, now=1e9 + 9 * DAY)
    assert found.at == 1e9 + DAY


def test_a_missed_window_is_waited_out():
    timing = Timing(every_seconds=DAY, window_seconds=2 * HOUR)
    last = 1e9
    inside = due(timing, "prod/db", last=last, now=last + DAY + 2 * HOUR - 1)
    after = due(timing, "prod/db", last=last, now=last + DAY + 2 * HOUR)
    assert (inside.at, after.at) == (last + DAY, last + 2 * DAY)


def test_a_record_from_the_future_is_not_due():
    """The clock of the host that rotated was ahead of ours."""
    timing = Timing(every_seconds=DAY, window_seconds=HOUR)
    assert due(timing, "prod/db", last=1e9 + 5 * DAY, now=1e9).at == 1e9 + 6 * DAY


# -------- cron, and clocks that change


def test_a_time_skipped_by_a_clock_change_counts_right_after_it():
    days = times_of("30 2 * * *", at("2026-03-28 00:00"), at("2026-03-31 00:00"))
    assert days == ["2026-03-28 02:30+0100", "2026-03-29 03:00+0200", "2026-03-30 02:30+0200"]


def test_a_time_repeated_by_a_clock_change_counts_once():
    days = times_of("30 2 * * *", at("2026-10-24 00:00"), at("2026-10-27 00:00"))
    assert days == ["2026-10-24 02:30+0200", "2026-10-25 02:30+0200", "2026-10-26 02:30+0100"]


@pytest.mark.parametrize("minute", [0, 15, 29, 30, 31, 59])
def test_a_time_in_the_second_pass_of_an_hour_is_not_one_of_the_first(minute):
    moment = at(f"2026-10-25 02:{minute:02d}", fold=1)
    assert on_the_wall(cron_after("30 2 * * *", BERLIN, moment)) == "2026-10-26 02:30+0100"


def test_an_hourly_schedule_counts_every_hour_that_passes():
    spring = times_of("0 * * * *", at("2026-03-29 00:30"), at("2026-03-29 04:30"))
    autumn = times_of("0 * * * *", at("2026-10-25 00:30"), at("2026-10-25 03:30"))
    assert [text[11:16] for text in spring] == ["01:00", "03:00", "04:00"]
    assert [text[11:] for text in autumn] == [
        "01:00+0200",
        "02:00+0200",
        "02:00+0100",
        "03:00+0100",
    ]


def test_a_schedule_follows_half_hour_clock_changes_in_the_southern_hemisphere():
    zone = "Australia/Lord_Howe"  # by half an hour
    days = times_of("15 2 * * *", at("2026-10-03 00:00", zone), at("2026-10-06 00:00", zone), zone)
    assert [text[8:16] for text in days] == ["03 02:15", "04 02:30", "05 02:15"]


def test_the_window_of_a_skipped_time_is_as_long_as_any_other():
    timing = Timing(schedule="30 2 * * *", timezone=BERLIN, window_seconds=HOUR)
    last = at("2026-03-28 02:31")
    opens = at("2026-03-29 03:00")
    for now, expected in ((opens, opens), (opens + HOUR - 1, opens)):
        assert due(timing, "prod/db", last=last, now=now).at == expected
    assert due(timing, "prod/db", last=last, now=opens + HOUR).at == at("2026-03-30 02:30")


def test_a_first_rotation_with_a_schedule_waits_for_it():
    timing = Timing(schedule="0 3 * * SUN", window_seconds=2 * HOUR)
    tuesday = at("2026-11-24 12:00", "UTC")
    found = due(timing, "prod/db", last=0, now=tuesday)
    assert (found.at, found.overdue_at) == (at("2026-11-29 03:00", "UTC"), inf)
    sunday = at("2026-11-29 04:59", "UTC")
    assert due(timing, "prod/db", last=0, now=sunday).at == at("2026-11-29 03:00", "UTC")


@pytest.mark.parametrize("expression", ["61 * * * *", "x", "0 0 31 2 *", "* * * * MOO", ""])
def test_an_invalid_cron_expression_is_refused(expression):
    with pytest.raises(ValueError):
        cron_after(expression, "UTC", 0)


# -------- overdue


@pytest.mark.parametrize(
    ("timing", "late"),
    [
        (Timing(every_seconds=DAY, window_seconds=2 * HOUR, grace_seconds=900), 2 * HOUR + 900),
        (Timing(every_seconds=DAY, grace_seconds=900), LATENESS_SECONDS + 900),
        (Timing(every_seconds=DAY, jitter_seconds=2 * HOUR), LATENESS_SECONDS + 2 * HOUR),
    ],
)
def test_a_rotation_is_overdue_after_its_window_and_grace_period(timing, late):
    for days in (0, 1, 7):
        found = due(timing, "prod/db", last=1e9, now=1e9 + days * DAY)
        assert found.overdue_at == 1e9 + DAY + late, "it stays so until it is rotated"


def test_a_schedule_is_overdue_from_the_first_time_that_was_missed():
    timing = Timing(schedule="0 3 * * *", window_seconds=HOUR, grace_seconds=900)
    last = at("2026-11-20 03:10", "UTC")
    found = due(timing, "prod/db", last=last, now=last + 9 * DAY)
    assert found.overdue_at == at("2026-11-21 04:15", "UTC")


# -------- jitter


def test_ten_hosts_agree_on_the_jitter_and_ten_rotations_do_not():
    timing = Timing(every_seconds=DAY, jitter_seconds=HOUR)
    assert jitter(timing, "prod/a", 1e9) == jitter(timing, "prod/a", 1e9)
    names = [jitter(timing, f"prod/{index}", 1e9) for index in range(200)]
    assert all(0 <= seconds < HOUR for seconds in names)
    buckets = {int(seconds // 360) for seconds in names}
    assert buckets == set(range(10)), "they are spread over the whole of it"
    assert jitter(timing, "prod/a", 1e9 + DAY) != jitter(timing, "prod/a", 1e9)


# -------- properties

# not Lord Howe: where clocks change by half an hour, cronsim skips a time of `*/6` that day
_ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Asia/Tokyo"])
_CRONS = st.sampled_from(
    ["0 3 * * SUN", "30 2 * * *", "*/15 * * * *", "0 */6 * * *", "59 23 L * *", "0 0 1 1 *"]
)
_MOMENTS = st.integers(min_value=1_700_000_000, max_value=1_900_000_000).map(float)
_WINDOWS = st.sampled_from([60.0, HOUR, 5 * HOUR])


@st.composite
def timings(draw):
    common = {"jitter_seconds": draw(st.sampled_from([0.0, 59.0])), "grace_seconds": 900.0}
    if draw(st.booleans()):
        window = draw(st.none() | _WINDOWS)
        return Timing(
            every_seconds=draw(st.sampled_from([HOUR, DAY])), window_seconds=window, **common
        )
    return Timing(
        schedule=draw(_CRONS), timezone=draw(_ZONES), window_seconds=draw(_WINDOWS), **common
    )


@given(timings(), _MOMENTS, st.floats(min_value=0, max_value=40 * DAY))
def test_the_window_of_due_is_open_or_in_the_future(timing, last, later):
    now = last + later
    found = due(timing, "prod/db", last=last, now=now)
    assert found.at > last
    assert found.closes > now
    assert found.at <= found.starts < found.closes
    assert found.overdue_at > last


@given(timings(), _MOMENTS, st.floats(min_value=0, max_value=3 * DAY))
def test_a_rotation_that_is_done_when_due_is_never_overdue(timing, last, later):
    now = last + later
    for _ in range(3):
        found = due(timing, "prod/db", last=now, now=now)
        assert found.overdue_at > found.starts
        now = found.starts


@given(timings(), _MOMENTS)
def test_the_due_time_never_moves_back(timing, last):
    found = [
        due(timing, "prod/db", last=last, now=last + hours * HOUR / 2).at for hours in range(100)
    ]
    assert found == sorted(found)


@given(_CRONS, _ZONES, _MOMENTS)
def test_a_cron_expression_always_has_a_next_time(expression, zone, moment):
    found = [moment]
    for _ in range(5):
        found.append(cron_after(expression, zone, found[-1]))
    assert all(one < other for one, other in itertools.pairwise(found))


def test_due_times_of_a_year_are_correct():
    start = at("2026-01-01 00:00", "UTC")
    end = at("2027-01-01 00:00", "UTC")
    weekly = list(due_times(Timing(schedule="0 3 * * SUN"), last=start, until=end))
    assert len(weekly) == 52
    assert {datetime.fromtimestamp(one, UTC).weekday() for one in weekly} == {6}
    assert len(list(due_times(Timing(every_seconds=30 * DAY), last=start, until=end))) == 12


def test_shortest_pause_is_the_shortest_time_between_two_rotations():
    assert shortest_pause(Timing(every_seconds=DAY), 0) == DAY
    assert shortest_pause(Timing(schedule="0 3,4 * * *"), 0) == HOUR
