"""The page of rotations: marks of the timeline and days of the calendar."""

from datetime import UTC, datetime

import pytest

from envkit.cli.formats.rotation import page
from envkit.cli.formats.rotation.months import months
from envkit.cli.formats.rotation.timeline import LEGEND, dues, rows, span_around, ticks
from envkit.rotation.status import RotationStatus
from support.rotation_page import DAY, NOW, sample
from support.team import team_rotations

SPAN = span_around(NOW)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


def standing(name="prod/db", **fields):
    return RotationStatus(name, **{"state": "waiting", **fields})


def marks(one, due=()):
    [row] = rows([one], {one.rotation: due}, SPAN)
    return [mark.classes for mark in row.marks if mark.classes != "grid"]


@pytest.fixture
def found(project):
    standings, rotations = sample(project)
    written = {one.full_name: one for one in rotations}
    due = {
        one.rotation: dues(one, written[one.rotation], SPAN)
        for one in standings
        if one.rotation in written
    }
    return standings, due


def test_the_timeline_names_the_months_and_now():
    assert [tick.word for tick in ticks(SPAN)] == ["Nov", "Jan", "now"]  # December is too near
    assert ticks(SPAN)[-1].style == "left:42.86%"


def test_the_timeline_begins_with_the_most_severe(found):
    standings, due = found
    states = [row.state for row in rows(standings, due, SPAN)]
    assert states[:4] == ["unreadable", "quarantined", "overdue", "failing"]
    assert states[-1] == "waiting"


def test_a_waiting_rotation_shows_its_last_and_future_times():
    one = standing(last_rotated_at=NOW - 12 * DAY, due_at=NOW + 18 * DAY)
    assert marks(one, [NOW + 18 * DAY, NOW + 48 * DAY]) == [
        *("bar life", "bar rest", "mark ring", "mark ring later", "mark dot", "line"),
    ]


def test_an_overdue_rotation_has_a_bar_from_when_it_became_overdue():
    one = standing(
        state="overdue", last_rotated_at=NOW - 40 * DAY, due_at=NOW - DAY, overdue_at=NOW - DAY / 2
    )
    assert "bar late" in marks(one)


def test_a_rotation_that_is_due_very_often_has_a_band_instead_of_rings():
    shown = marks(standing(due_at=NOW), [NOW + hour * 3600 for hour in range(41)])
    assert "bar often" in shown
    assert "mark ring" not in shown


def test_a_rotation_in_progress_has_a_mark_where_it_began():
    one = standing(state="in-progress", phase="set", started_at=NOW - 60)
    assert marks(one) == ["mark dot busy", "line"]


def test_a_failing_rotation_has_a_cross_and_is_not_due(found):
    standings, due = found
    [row] = [row for row in rows(standings, due, SPAN) if row.state == "failing"]
    classes = [mark.classes for mark in row.marks]
    assert "mark cross" in classes
    assert not {"mark ring", "mark dot busy"}.intersection(classes)
    assert (row.next, row.next_at) == ("retrying", "")


def test_a_rotation_that_fails_to_start_is_not_due_now(found, project):
    [one] = [one for one in found[0] if one.rotation == "prod/stripe-webhook"]
    assert found[1][one.rotation][0] == NOW
    failing = one._replace(state="failing", tries=3)
    _, rotations = sample(project)
    [rotation] = [each for each in rotations if each.full_name == one.rotation]
    assert dues(failing, rotation, SPAN) == []  # the next time is beyond the page
    days = months([failing], {one.rotation: []}, NOW).months[1]
    [today] = [day for week in days.weeks for day in week if day and "today" in day.classes]
    assert (today.classes, today.words) == ("today late", "failing: prod/stripe-webhook")


def test_a_rotation_that_waits_for_a_person_is_not_retried():
    [row] = rows([standing(state="failing", stopped=True, due_at=NOW)], {}, SPAN)
    assert row.next == ""


def test_the_legend_explains_every_mark(found, project):
    standings, due = found
    many, _ = team_rotations(project)
    shown = [*rows(standings, due, SPAN), *rows(many, {}, SPAN)]
    assert {mark.classes for row in shown for mark in row.marks} == set(LEGEND)


def test_a_time_before_the_timeline_is_shown_at_its_edge():
    one = standing(state="overdue", last_rotated_at=NOW - 400 * DAY, due_at=NOW, overdue_at=NOW)
    [row] = rows([one], {}, SPAN)
    assert row.marks[2].classes == "bar life"
    assert row.marks[2].style == "left:0.00%;width:42.86%"


def test_a_location_may_break_only_between_its_parts():
    [row] = rows([standing(location="vault:kv/it's/db#pass")], {}, SPAN)
    assert row.place == ["vault:kv/", "it's/", "db", "#pass"]


def test_only_a_rotation_that_needs_attention_shows_its_error():
    [quiet, failing] = rows(
        [standing("a", error="no"), standing("b", state="failing", error="no", hint="do")], {}, SPAN
    )[::-1]
    assert (quiet.error, quiet.hint) == ("", "")
    assert (failing.error, failing.hint) == ("no", "do")


def test_a_quarantined_rotation_has_no_future_time(found):
    standings, due = found
    assert due["staging/cache"] == []
    [row] = rows([one for one in standings if one.rotation == "staging/cache"], due, SPAN)
    assert row.next == ""


def test_the_calendar_has_the_last_month_this_one_and_the_next_two():
    titles = [month.title for month in months([], {}, NOON).months]
    assert titles == ["October 2026", "November 2026", "December 2026", "January 2027"]


def test_the_calendar_has_the_days_of_each_month_in_weeks_from_monday():
    november = months([], {}, NOON).months[1]
    assert [day.number for week in november.weeks for day in week if day] == list(range(1, 31))
    assert all(len(week) == 7 for week in november.weeks)
    assert november.weeks[0][:6] == [None] * 6  # the first is a Sunday


def test_a_day_of_the_calendar_shows_what_was_rotated_and_what_is_due():
    one = standing("prod/a", last_rotated_at=NOON - DAY)
    late = standing("prod/b", state="overdue", due_at=NOON)
    due = {"prod/a": [NOON + DAY], "prod/b": [NOON]}
    november = months([one, late], due, NOON).months[1]
    days = {day.number: day for week in november.weeks for day in week if day}
    assert (days[24].classes, days[24].words) == ("done", "rotated: prod/a")
    assert (days[25].classes, days[25].words) == ("today late", "due: prod/b")
    assert (days[26].classes, days[26].words, days[26].events) == ("coming", "due: prod/a", 1)
    assert (days[27].classes, days[27].words, days[27].events) == ("", "", 0)


def test_a_rotation_that_is_due_too_often_is_named_below_the_calendar():
    calendar = months([], {"prod/keys": [NOON + hour * 3600 for hour in range(41)]}, NOON)
    assert calendar.often == ["prod/keys"]
    days = [day for month in calendar.months for week in month.weeks for day in week if day]
    assert not any(day.events for day in days)


def test_the_page_shows_an_empty_project():
    html = page.render([], [], NOW)
    assert "<h1>0 rotations</h1>" in html
    assert "Generated by envkit" in html
