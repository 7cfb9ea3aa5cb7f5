"""Versions and times after the `@` of a side."""

import time
from datetime import UTC, datetime

import pytest

from envkit.comparison.point_in_time import parse_point
from envkit.errors import UsageError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class TestPoints:
    def test_a_point_in_history_may_be_a_version(self):
        assert parse_point("v12", NOW) == ("12", None)

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-11-01T00Z", datetime(2026, 11, 1, tzinfo=UTC)),
            ("2026-11-01T09:30Z", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
            ("2026-11-01T09:30+02:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ],
    )
    def test_a_point_in_history_may_be_a_time(self, text, moment):
        assert parse_point(text, NOW) == (None, moment.timestamp())

    def test_a_time_without_a_zone_is_local_by_the_rules_of_that_day(self, monkeypatch):
        monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        summer, winter = (parse_point(text, NOW).when for text in ("2026-07-01", "2026-01-15"))
        monkeypatch.undo()
        time.tzset()
        assert summer == datetime(2026, 6, 30, 22, tzinfo=UTC).timestamp()
        assert winter == datetime(2026, 1, 14, 23, tzinfo=UTC).timestamp()

    def test_a_time_in_the_future_is_refused(self):
        with pytest.raises(UsageError, match="in the future"):
            parse_point("2026-11-26", NOW)
