"""A simulation, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.cli.formats.rotation.moments import iso, moment
from envkit.cli.output import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.rotation.scheduler.simulate import Beginning, Simulation

SHOWN_CLASHES = 10
_BAR_WIDTH = 40


def show(found: Simulation) -> None:
    """Print a simulation for people."""
    days = round((found.end - found.start) / 86_400)
    number = len(found.beginnings)
    print(f"{_counted(number, 'rotation')} in {_counted(days, 'day')}, from {moment(found.start)}")
    if not number:
        return
    print()
    print_table(("ROTATION", "TIMES", "FIRST", "LAST"), _rows(found.beginnings))
    print("\nStarts by hour of the day, UTC")
    most = max(found.by_hour)
    for hour_of_day, count in enumerate(found.by_hour):
        if count:
            print(
                f"  {hour_of_day:02d}:00 {'#' * max(1, round(count / most * _BAR_WIDTH))} {count}"
            )
    hour, count = found.busiest[0]
    print(f"  the busiest hour is {moment(hour)}, with {count}")
    _show_clashes(found)
    _show_costs(found)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _rows(beginnings: Sequence[Beginning]) -> list[list[str]]:
    times: dict[str, list[float]] = {}
    for one in beginnings:
        times.setdefault(one.name, []).append(one.begins_at)
    return [
        [name, str(len(found)), moment(found[0]), moment(found[-1])]
        for name, found in sorted(times.items())
    ]


def _show_clashes(found: Simulation) -> None:
    if not found.clashes:
        print("\nEvery rotation starts within its window, even if each takes its full 'timeout'.")
        return
    print(
        f"\n{len(found.clashes)} could miss their window if earlier ones take their full 'timeout':"
    )
    for one in found.clashes[:SHOWN_CLASHES]:
        print(
            f"  {one.name}, due {moment(one.due_at)}: its window ends {moment(one.closes_at)}, "
            f"and {one.waiting_for} are in progress until {moment(one.begins_at)}"
        )
    if (more := len(found.clashes) - SHOWN_CLASHES) > 0:
        print(f"  and {more} more")
    print("  increase 'window' or 'jitter', or decrease 'timeout'")


def _show_costs(found: Simulation) -> None:
    if not found.costs:
        return
    print(f"\nCalls and cost, at the list prices of {found.prices_of}")
    rows = []
    for cost in found.costs:
        for what, calls, price in (
            ("rotating, at most", cost.rotating_calls, cost.rotating),
            ("checking every minute, one host", cost.looking_calls, cost.looking),
            ("storing the secrets", 0, cost.keeping),
        ):
            if calls or price:
                money = f"{price:.2f} {found.currency}" if price else ""
                rows.append([cost.store, what, f"{calls:,}" if calls else "", money])
    print_table(("STORE", "FOR", "CALLS", "COST"), rows)


def document(found: Simulation) -> dict[str, Any]:
    """Return a simulation as JSON data."""
    return {
        "schema": "envkit.simulation/1",
        "from": iso(found.start),
        "until": iso(found.end),
        "rotations": [
            {
                "rotation": one.name,
                "due_at": iso(one.due_at),
                "begins_at": iso(one.begins_at),
                "closes_at": iso(one.closes_at),
            }
            for one in found.beginnings
        ],
        "by_hour": list(found.by_hour),
        "busiest": [{"hour": iso(hour), "rotations": count} for hour, count in found.busiest],
        "clashes": [
            {
                "rotation": one.name,
                "due_at": iso(one.due_at),
                "closes_at": iso(one.closes_at),
                "begins_at": iso(one.begins_at),
                "waiting_for": one.waiting_for,
            }
            for one in found.clashes
        ],
        "costs": [cost._asdict() for cost in found.costs],
        "prices_of": found.prices_of,
        "currency": found.currency,
    }
