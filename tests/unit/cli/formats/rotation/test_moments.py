"""Times for people and programs."""

from math import inf, nan

import pytest

from envkit.cli.formats.rotation.moments import before, iso, moment

NOW = 1_795_577_472.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, inf, -inf, nan, 1e12, 1e300])
def test_a_time_outside_the_calendar_is_shown_as_never(seconds):
    assert (moment(seconds), iso(seconds), before(seconds, NOW)) == ("", None, "")


def test_a_time_of_today_is_shown_without_its_date():
    midnight = NOW - NOW % 86_400
    assert before(midnight + 38_820, midnight) == "10:47 UTC"
    assert before(midnight + 86_400 + 38_820, midnight) == moment(midnight + 86_400 + 38_820)
