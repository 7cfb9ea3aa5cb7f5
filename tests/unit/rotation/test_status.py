"""The status of a rotation follows from its record and the time."""

from math import inf

import pytest

from envkit._internal.clock import Deadline
from envkit.rotation.catalog import collect
from envkit.rotation.status import ALARMS, RotationState, broken, status_of
from envkit.rotation_state.record import Record
from support.rotating import DAY, one_rotation, table

NOW = 1_795_577_472.0
HOUR, GRACE = 3600.0, 900.0
NAME = "prod/key"


@pytest.fixture
def rotation(project):
    return one_of(project, table("key", "KEY"))


def one_of(project, *tables):
    project.profile("prod.toml", "".join(tables))
    return one_rotation(project.profiles)


def record(**fields):
    return Record(NAME, id="1", **fields)


def under_way(phase, **fields):
    fields = {"last_rotated_at": NOW - 29 * DAY, "started_at": NOW - 60, **fields}
    return record(phase=phase, **fields)


LONG_SINCE = {"last_rotated_at": NOW - 40 * DAY}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, "due"),
        (record(), "due"),
        (record(last_rotated_at=NOW - DAY), "waiting"),
        (record(last_rotated_at=NOW - 30 * DAY), "due"),
        (record(last_rotated_at=NOW - 30 * DAY - HOUR - GRACE + 1), "due"),
        (record(last_rotated_at=NOW - 30 * DAY - HOUR - GRACE), "overdue"),
        (under_way("claimed"), "in-progress"),
        (under_way("tested"), "in-progress"),
        (under_way("claimed", tries=1, error="create: hook-failed"), "failing"),
        (under_way("claimed", tries=0, error="the target refused the new value"), "in-progress"),
        (under_way("set", **LONG_SINCE), "overdue"),
        (under_way("set", tries=9, error="test: x", **LONG_SINCE), "overdue"),
        (under_way("promoted", promoted_at=NOW - 5, **LONG_SINCE), "grace"),
        (under_way("grace", promoted_at=NOW - 5, retire_at=NOW + 5, **LONG_SINCE), "grace"),
        (under_way("retiring", promoted_at=NOW - 5, tries=2, error="retire: x"), "failing"),
        (under_way("reverting"), "in-progress"),
        (record(phase="quarantined", error="refused"), "quarantined"),
        (record(phase="quarantined", error="refused", **LONG_SINCE), "quarantined"),
        # an aborted rotation is not repeated at once, but it is overdue
        (record(last_rotated_at=NOW - 30 * DAY, given_up_at=NOW - 9), "waiting"),
        (record(given_up_at=NOW - 9, **LONG_SINCE), "overdue"),
    ],
)
def test_status_has_a_state_for_each_record(rotation, found, state):
    seen = status_of(rotation, found, NOW)
    assert seen.state == state
    assert seen.needs_attention is (state in ALARMS)
    assert (seen.rotation, seen.location, seen.rotator) == (NAME, ".env.prod#KEY", "random")


def test_statuses_are_sorted_by_severity():
    assert tuple(RotationState)[: len(ALARMS)] == ALARMS


def test_status_of_an_idle_rotation_has_its_times(rotation):
    last = NOW - 3 * DAY
    seen = status_of(rotation, record(last_rotated_at=last), NOW)
    assert (seen.last_rotated_at, seen.due_at, seen.closes_at) == (last, last + 30 * DAY, inf)
    assert seen.overdue_at == last + 30 * DAY + HOUR + GRACE
    assert (seen.started_at, seen.promoted_at, seen.retire_at) == (0, 0, 0)


def test_status_of_a_rotation_that_was_never_done_has_its_times(rotation):
    seen = status_of(rotation, None, NOW)
    assert (seen.last_rotated_at, seen.due_at, seen.overdue_at) == (0, NOW, inf)
    assert seen.phase == ""


def test_status_in_the_grace_period_has_the_times_of_the_new_value(rotation):
    found = under_way("grace", promoted_at=NOW - 5, retire_at=NOW + 5, **LONG_SINCE)
    seen = status_of(rotation, found, NOW)
    assert (seen.promoted_at, seen.retire_at) == (NOW - 5, NOW + 5)
    assert seen.due_at == NOW - 5 + 30 * DAY
    assert seen.overdue_at == NOW - 5 + 30 * DAY + HOUR + GRACE, "it is overdue no longer"


def test_status_reports_a_missed_window(project):
    rotation = one_of(project, table("key", "KEY", 'window = "2h"'))
    last = NOW - 31 * DAY
    seen = status_of(rotation, record(last_rotated_at=last), NOW)
    assert seen.state == "overdue"
    assert (seen.due_at, seen.closes_at) == (last + 60 * DAY, last + 60 * DAY + 2 * HOUR)
    assert seen.overdue_at == last + 30 * DAY + 2 * HOUR + GRACE


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (record(**LONG_SINCE), "run: envkit rotate prod/key"),
        (under_way("set", tries=1, error="test: x"), "run: envkit rotate prod/key"),
        (record(phase="quarantined"), "find out why, and run 'envkit rotate prod/key'"),
        (record(last_rotated_at=NOW - DAY), ""),
        (under_way("set"), ""),
    ],
)
def test_status_has_a_hint_for_each_state(rotation, found, hint):
    assert status_of(rotation, found, NOW).hint == hint


def test_broken_rotations_are_listed_beside_the_others(project):
    project.profile("prod.toml", table("key", "KEY") + table("no", "KEY", "nonsense = 1"))
    project.profile("worse.toml", "= no TOML")
    collected = collect(str(project.profiles), environ={}, deadline=Deadline(5))
    first, second = broken(collected)
    assert (first.rotation, first.state, first.needs_attention) == ("prod/no", "unreadable", True)
    assert "unknown key 'nonsense'" in first.error
    assert second.rotation == "worse"
