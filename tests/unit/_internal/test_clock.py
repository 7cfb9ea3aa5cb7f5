"""Deadlines end waiting, and their remaining time never grows; pauses after failures do."""

from __future__ import annotations

import pytest

from envkit._internal.clock import Deadline, pause_seconds

AN_HOUR = 3600.0


def test_a_future_deadline_has_time_left() -> None:
    deadline = Deadline(AN_HOUR)
    assert not deadline.expired
    assert 0 < deadline.remaining_seconds() <= AN_HOUR
    assert deadline.remaining_seconds(at_most=5.0) == 5.0
    assert deadline.timeout_seconds == AN_HOUR


def test_the_remaining_time_never_grows() -> None:
    deadline = Deadline(AN_HOUR)
    readings = [deadline.remaining_seconds() for _ in range(100)]
    assert readings == sorted(readings, reverse=True)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_past_deadline_has_no_time_left(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.expired
    assert deadline.remaining_seconds() == 0.0
    assert deadline.remaining_seconds(at_most=5.0) == 0.0


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 15), (2, 30), (3, 60), (8, 1920), (9, 3600), (10_000, 3600)]
)
def test_each_pause_doubles_up_to_a_limit(failures: int, seconds: float) -> None:
    assert pause_seconds(failures) == seconds


def test_a_caller_may_set_the_first_and_last_pause() -> None:
    assert [pause_seconds(n, first=1, last=3) for n in (1, 2, 3, 4)] == [1, 2, 3, 3]


def test_time_that_was_spent_before_counts():
    deadline = Deadline(10.0)
    deadline.spend(4.0)
    assert deadline.remaining_seconds() <= 6.0
    deadline.spend(6.0)
    assert deadline.expired
    assert deadline.timeout_seconds == 10.0, "messages name the whole timeout"
