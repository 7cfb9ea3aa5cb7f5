"""When each rotation is checked next."""

import pytest

from envkit._internal.clock import FIRST_PAUSE_SECONDS
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation.scheduler.timers import (
    LOOK_AGAIN_SECONDS,
    SOON_SECONDS,
    Timers,
    next_look,
)
from envkit.rotation_state.record import Phase, Record

NOW = 1_790_000_000.0
NAME = "prod/db"


@pytest.fixture
def timers():
    timers = Timers()
    timers.replace([NAME], NOW)
    return timers


def test_a_new_rotation_is_taken_at_once(timers):
    assert timers.next_at() == NOW
    assert timers.take(NOW, room=8) == [NAME]


def test_a_running_rotation_is_not_taken_twice(timers):
    timers.take(NOW, room=8)
    assert timers.take(NOW + 1e6, room=8) == []
    assert timers.next_at() == float("inf")


def test_no_more_rotations_are_taken_than_there_is_room_and_the_longest_waiting_first(timers):
    timers.replace(["a", "b", "c"], NOW)
    [first] = timers.take(NOW, room=1)
    timers.done(Outcome(first, OutcomeStatus.IN_GRACE, until=NOW + 5), NOW)
    assert timers.take(NOW + 10, room=2) == ["b", "c"]
    assert timers.take(NOW + 10, room=0) == []
    assert timers.take(NOW + 10, room=-1) == []
    assert timers.take(NOW + 10, room=1) == [first]


def test_a_known_due_time_survives_a_reload(timers):
    timers.take(NOW, room=8)
    timers.done(Outcome(NAME, OutcomeStatus.IN_GRACE, until=NOW + 60), NOW)
    assert timers.next_at() == NOW + 60
    assert timers.take(NOW + 59, room=8) == []
    assert timers.take(NOW + 60, room=8) == [NAME]


@pytest.mark.parametrize("status", tuple(OutcomeStatus))
@pytest.mark.parametrize("until", [0.0, NOW - 100, NOW, NOW + 60, NOW + 1e9, float("inf")])
def test_the_next_look_is_neither_late_nor_repeated_at_once(status, until):
    at = next_look(Outcome(NAME, status, until=until), NOW, failures=1)
    assert NOW + SOON_SECONDS <= at <= NOW + LOOK_AGAIN_SECONDS


@pytest.mark.parametrize("status", [OutcomeStatus.REFUSED, OutcomeStatus.QUARANTINED])
def test_a_rotation_that_waits_for_a_decision_is_checked_rarely(status):
    assert next_look(Outcome(NAME, status), NOW) == NOW + LOOK_AGAIN_SECONDS


def test_a_rotation_is_checked_again_soon_after_it_ran():
    assert next_look(Outcome(NAME, OutcomeStatus.ROTATED), NOW) == NOW + SOON_SECONDS


def test_a_failing_rotation_is_retried_with_growing_pauses(timers):
    pauses, now = [], NOW
    for _ in range(12):
        assert timers.take(now, room=1) == [NAME]
        timers.done(Outcome(NAME, OutcomeStatus.FAILED), now)
        pauses.append(timers.next_at() - now)
        now = timers.next_at()
    assert pauses[0] == FIRST_PAUSE_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LOOK_AGAIN_SECONDS, "a person may have put it right meanwhile"


def test_a_success_resets_the_retry_pause(timers):
    for status in (
        OutcomeStatus.FAILED,
        OutcomeStatus.FAILED,
        OutcomeStatus.NOT_DUE,
        OutcomeStatus.FAILED,
    ):
        now = max(timers.next_at(), NOW)
        timers.take(now, room=1)
        timers.done(Outcome(NAME, status), now)
    assert timers.next_at() - now == FIRST_PAUSE_SECONDS


def test_the_pause_of_the_record_has_priority():
    record = Record(NAME, "id", Phase.SET, tries=5, busy_until=NOW + 240)
    assert (
        next_look(Outcome(NAME, OutcomeStatus.FAILED, record=record), NOW, failures=1) == NOW + 240
    )


def test_a_rotation_of_another_process_is_checked_when_its_time_is_over():
    assert next_look(Outcome(NAME, OutcomeStatus.BUSY, until=NOW + 300), NOW) == NOW + 300


def test_a_rotation_that_left_the_profiles_is_forgotten_even_while_it_runs(timers):
    timers.take(NOW, room=1)
    timers.replace([], NOW)
    timers.done(Outcome(NAME, OutcomeStatus.IN_GRACE, until=NOW + 1), NOW)
    assert timers.next_at() == float("inf")
    assert not timers.running


def test_a_rotation_that_ran_during_a_reload_is_checked_again(timers):
    timers.take(NOW, room=1)
    timers.replace([NAME], NOW + 10)
    assert timers.take(NOW + 10, room=1) == []  # once at a time
    timers.done(Outcome(NAME, OutcomeStatus.NOT_DUE, until=NOW + 800), NOW + 20)
    assert timers.take(NOW + 20, room=1) == [NAME]
