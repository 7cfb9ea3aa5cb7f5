"""Deadlines end waiting, and their remaining time never grows."""

from __future__ import annotations

import pytest

from envkit._internal.clock import Deadline

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
