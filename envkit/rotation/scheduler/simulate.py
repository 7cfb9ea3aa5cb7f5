"""Predict when rotations begin and what they cost, from the profiles alone. Pure.

Every rotation is assumed to begin when it is due and to take its whole `timeout`. At most
CONCURRENCY rotations run at once; a rotation that could not begin within its window is a clash.
No old value is assumed to be in use after its grace period. Prices are list prices from
`prices.toml`, which also has their date.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from envkit.rotation.jobs import CONCURRENCY
from envkit.rotation_state.schedule import due, due_times, jitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from envkit.rotation_state.policy import Policy

HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
MONTH_SECONDS = 365 / 12 * DAY_SECONDS
MAX_BEGINNINGS = 1_000_000


class Simulated(NamedTuple):
    """One rotation in a simulation.

    Attributes:
        policy: the settings of the rotation.
        store: the type of its source.
        last: when the secret was last rotated; 0 if never or unknown.
    """

    policy: Policy
    store: str
    last: float = 0.0


class Beginning(NamedTuple):
    """One rotation that would begin."""

    name: str
    due_at: float
    begins_at: float
    closes_at: float


class Clash(NamedTuple):
    """A rotation that could not begin within its window.

    Attributes:
        begins_at: when it could begin, if all rotations before it took their whole timeout.
    """

    name: str
    due_at: float
    closes_at: float
    begins_at: float
    waiting_for: int


class Cost(NamedTuple):
    """The requests to one kind of store, and their cost.

    Attributes:
        rotating_calls: for the rotations themselves.
        looking_calls: for checking whether a rotation is due.
        rotating, looking, keeping: the cost of these calls and of storing the secrets; 0.0
            for a store that is free.
    """

    store: str
    secrets: int
    rotations: int
    rotating_calls: int
    looking_calls: int
    rotating: float
    looking: float
    keeping: float


class Simulation(NamedTuple):
    """The result of `run_simulation`. Times are seconds since the epoch.

    Attributes:
        beginnings: all rotations, by time.
        by_hour: how many begin in each hour of the day, UTC.
        busiest: the hours with the most rotations, and how many.
    """

    start: float
    end: float
    beginnings: tuple[Beginning, ...]
    by_hour: tuple[int, ...]
    busiest: tuple[tuple[float, int], ...]
    clashes: tuple[Clash, ...]
    costs: tuple[Cost, ...]
    prices_of: str
    currency: str


def run_simulation(
    rotations: Sequence[Simulated],
    *,
    start: float,
    days: float,
    prices: Mapping[str, Any],
    look_every_seconds: float = 60.0,
) -> Simulation:
    """Simulate rotations over some days.

    Args:
        rotations: all rotations of one scheduler.
        start: of the simulation, in seconds since the epoch.
        days: the length of the simulation.
        prices: from `read_prices`.
        look_every_seconds: how often the scheduler checks whether a rotation is due.
    """
    end = start + days * DAY_SECONDS
    beginnings = sorted(
        (one for rotation in rotations for one in _beginnings(rotation, start, end)),
        key=lambda one: (one.begins_at, one.name),
    )
    by_hour = [0] * 24
    hours: dict[float, int] = {}
    for one in beginnings:
        hour = one.begins_at // HOUR_SECONDS * HOUR_SECONDS
        hours[hour] = hours.get(hour, 0) + 1
        by_hour[int(hour // HOUR_SECONDS) % 24] += 1
    busiest = sorted(hours.items(), key=lambda item: (-item[1], item[0]))[:3]
    takes = {one.policy.full_name: one.policy.timeout_seconds for one in rotations}
    return Simulation(
        start,
        end,
        tuple(beginnings),
        tuple(by_hour),
        tuple(busiest),
        tuple(_clashes(beginnings, takes)),
        tuple(_costs(rotations, beginnings, end - start, prices, look_every_seconds)),
        str(prices["date"]),
        str(prices["currency"]),
    )


def read_prices() -> dict[str, Any]:
    """Return the list prices, with their date."""
    import tomllib
    from importlib.resources import files

    return tomllib.loads(files("envkit.rotation").joinpath("prices.toml").read_text("utf-8"))


def _beginnings(rotation: Simulated, start: float, end: float) -> Iterator[Beginning]:
    policy, timing = rotation.policy, rotation.policy.timing
    first = due(timing, policy.full_name, last=rotation.last, now=start)
    number = 0
    at, begins, closes = first.at, first.starts, first.closes
    while begins < end and number < MAX_BEGINNINGS:
        yield Beginning(policy.full_name, at, max(begins, start), closes)
        number += 1
        done = max(begins, start)
        # a schedule counts from the due time, `every` from the last rotation
        at = next(due_times(timing, last=at if timing.schedule else done, until=float("inf")))
        begins = at + jitter(timing, policy.full_name, at)
        closes = at + (timing.window_seconds or float("inf"))


def _clashes(beginnings: Sequence[Beginning], takes: Mapping[str, float]) -> Iterator[Clash]:
    free = [0.0] * CONCURRENCY
    for one in beginnings:
        begins = max(one.begins_at, free[0])
        if begins >= one.closes_at:
            ahead = sum(until > one.begins_at for until in free)
            yield Clash(one.name, one.due_at, one.closes_at, begins, ahead)
            continue
        heapq.heapreplace(free, begins + takes[one.name])


def _costs(
    rotations: Sequence[Simulated],
    beginnings: Sequence[Beginning],
    seconds: float,
    prices: Mapping[str, Any],
    look_every_seconds: float,
) -> Iterator[Cost]:
    store_of = {one.policy.full_name: one.store for one in rotations}
    for store in sorted(set(store_of.values()) & prices.keys()):
        price = prices[store]
        secrets = sum(kind == store for kind in store_of.values())
        number = sum(store_of[one.name] == store for one in beginnings)
        rotating = number * price["calls_per_rotation"]
        looking = int(seconds / look_every_seconds) * secrets * price["calls_per_look"]
        per_call = price.get("per_10000_calls", 0.0) / 10_000
        keeping = price.get("per_secret_and_month", 0.0) * secrets * seconds / MONTH_SECONDS
        yield Cost(
            store,
            secrets,
            number,
            rotating,
            looking,
            rotating * per_call,
            looking * per_call,
            keeping,
        )
