"""A simulation agrees with dates computed by hand."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from envkit.profile.loader import load
from envkit.rotation.scheduler.simulate import CONCURRENCY, Simulated, read_prices, run_simulation
from envkit.rotation_state.policy import policies
from support.rotating import DAY, table

START = datetime(2026, 11, 28, 5, 40, tzinfo=UTC)
HOUR = 3600.0
SUNDAYS = 'schedule = "0 3 * * SUN"'


@pytest.fixture
def simulated(project):
    """Return a function that simulates rotations, written as tables, over some days."""

    def run(*tables, days=365, last=0.0, store="vault", **options):
        project.profile("prod.toml", "".join(tables))
        written = policies(load("prod", str(project.profiles)))
        rotations = [Simulated(one, store, last) for one in written.values()]
        options = {"prices": read_prices(), "start": START.timestamp(), **options}
        return run_simulation(rotations, days=days, **options)

    return run


def days_from_start(found):
    return [(one.begins_at - found.start) / DAY for one in found.beginnings]


def test_a_first_rotation_is_simulated_at_once_and_then_by_its_interval(simulated):
    found = simulated(table("a", "A"))
    assert days_from_start(found) == [30 * n for n in range(13)]
    assert (found.end - found.start) / DAY == 365
    assert len(simulated(table("a", "A"), days=360).beginnings) == 12, "the end is not in it"


def test_the_last_rotation_determines_the_simulated_times(simulated):
    found = simulated(table("a", "A"), last=START.timestamp() - 10 * DAY)
    assert days_from_start(found) == [20 + 30 * n for n in range(12)]


def test_a_long_overdue_rotation_is_counted_from_when_it_is_done(simulated):
    found = simulated(table("a", "A"), last=START.timestamp() - 45 * DAY)
    assert days_from_start(found) == [30 * n for n in range(13)]
    assert found.beginnings[0].due_at == START.timestamp() - 15 * DAY


def test_a_missed_window_is_waited_out(simulated):
    found = simulated(table("a", "A", 'window = "2h"'), last=START.timestamp() - 45 * DAY)
    assert days_from_start(found) == [15 + 30 * n for n in range(12)]
    assert {one.closes_at - one.due_at for one in found.beginnings} == {2 * HOUR}


def test_a_schedule_follows_the_calendar(simulated):
    found = simulated(table("a", "A", when=SUNDAYS))
    day = START.replace(hour=3, minute=0)
    expected = []
    while day < START + timedelta(days=365):
        day += timedelta(days=1)
        expected += [day.timestamp()] * (day.weekday() == 6)
    assert [one.begins_at for one in found.beginnings] == expected
    assert found.by_hour == (0, 0, 0, len(expected), *[0] * 20)


def test_a_schedule_follows_local_time_across_clock_changes(simulated):
    zone = 'timezone = "Europe/Berlin"'
    found = simulated(table("a", "A", zone, when='schedule = "0 7 * * *"'))
    hours = Counter()
    for number in range(366):
        day = START.date() + timedelta(days=number)
        there = datetime(day.year, day.month, day.day, 7, tzinfo=ZoneInfo("Europe/Berlin"))
        if START <= there < START + timedelta(days=365):
            hours[there.astimezone(UTC).hour] += 1
    assert set(hours) == {5, 6}
    assert {hour: count for hour, count in enumerate(found.by_hour) if count} == hours


def test_jitter_stays_within_its_span_and_is_always_the_same(simulated):
    spread = ('jitter = "1h"', 'window = "2h"')
    often = [table(f"r{number}", f"K{number}", *spread, when=SUNDAYS) for number in range(9)]
    found = simulated(*often, days=60)
    late = [one.begins_at - one.due_at for one in found.beginnings]
    assert all(0 <= seconds < HOUR for seconds in late)
    assert max(late) - min(late) > HOUR / 2, "they are spread"
    assert simulated(*often, days=60).beginnings == found.beginnings


def test_simulation_has_the_load_of_each_hour(simulated):
    many = [table(f"r{number}", f"K{number}", when=SUNDAYS) for number in range(5)]
    one = table("daily", "D", when='schedule = "30 4 * * *"')
    found = simulated(*many, one, days=14)
    assert found.by_hour[3] == 5 * 2
    assert found.by_hour[4] == 14
    assert sum(found.by_hour) == len(found.beginnings) == 24
    sunday = datetime(2026, 11, 29, 3, tzinfo=UTC).timestamp()
    assert found.busiest[:2] == ((sunday, 5), (sunday + 7 * DAY, 5))


def crowd(window, number=CONCURRENCY + 1):
    more = (f'window = "{window}"', 'timeout = "1h"')
    return [table(f"r{n}", f"K{n}", *more, when=SUNDAYS) for n in range(number)]


def test_a_rotation_beyond_the_concurrency_waits_and_may_miss_its_window(simulated):
    found = simulated(*crowd("30m"), days=7)
    (clash,) = found.clashes
    assert clash.name == f"prod/r{CONCURRENCY}"
    assert clash.closes_at - clash.due_at == 1800
    assert (clash.begins_at - clash.due_at, clash.waiting_for) == (HOUR, CONCURRENCY)
    assert simulated(*crowd("1h"), days=7).clashes, "a window's end is not in it"
    assert simulated(*crowd("61m"), days=7).clashes == ()
    assert simulated(*crowd("30m", CONCURRENCY), days=7).clashes == ()
    assert len(simulated(*crowd("61m", 2 * CONCURRENCY + 1), days=7).clashes) == 1, "two rounds"


def test_a_rotation_without_a_window_never_misses_it(simulated):
    many = [table(f"r{number}", f"K{number}", 'timeout = "5h"') for number in range(40)]
    assert simulated(*many, days=1).clashes == ()


PRICES = {
    "date": "2026-01-01",
    "currency": "EUR",
    "vault": {
        "per_10000_calls": 2.0,
        "per_secret_and_month": 0.5,
        "calls_per_rotation": 50,
        "calls_per_look": 3,
    },
}


def test_simulation_has_the_costs_of_each_store(simulated):
    found = simulated(table("a", "A"), table("b", "B"), days=73, prices=PRICES)
    assert (found.prices_of, found.currency) == ("2026-01-01", "EUR")
    (cost,) = found.costs
    assert (cost.store, cost.secrets, cost.rotations) == ("vault", 2, 2 * 3)
    assert cost.rotating_calls == 6 * 50
    assert cost.looking_calls == 73 * 24 * 60 * 2 * 3
    assert cost.rotating == pytest.approx(300 / 10_000 * 2.0)
    assert cost.looking == pytest.approx(cost.looking_calls / 10_000 * 2.0)
    assert cost.keeping == pytest.approx(0.5 * 2 * 73 / 365 * 12)


def test_a_free_store_costs_nothing(simulated):
    assert simulated(table("a", "A"), store="dotenv").costs == ()
    (cost,) = simulated(table("a", "A"), store="vault").costs
    assert (cost.rotating, cost.looking, cost.keeping) == (0, 0, 0), "one's own server"
    assert cost.rotating_calls > 0


def test_prices_have_a_date():
    prices = read_prices()
    datetime.strptime(prices.pop("date"), "%Y-%m-%d").replace(tzinfo=UTC)
    assert prices.pop("currency") == "USD"
    for store, price in prices.items():
        assert price["calls_per_rotation"] > price["calls_per_look"] > 0, store
        assert ("page" in price) is ("per_10000_calls" in price), f"{store}: who says so"
