"""The calendar of the rotations page: the rotations done or due on each day."""

from __future__ import annotations

from calendar import Calendar
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from envkit.cli.formats.rotation.timeline import MOST_MARKS
from envkit.rotation.status import ALARMS, RotationState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.rotation.status import RotationStatus

MONTHS = 4  # the previous month, this one, and the next two
# the classes of a day and their meanings
LEGEND = {
    "done": "rotated",
    "coming": "due",
    "late": "overdue, failing or blocked",
    "today": "today",
}


class Day(NamedTuple):
    """A day: its number, its number of rotations, its classes, and the same in words."""

    number: int
    events: int
    classes: str
    words: str


class Month(NamedTuple):
    """A month as a list of weeks; days of other months are None."""

    title: str
    weeks: list[list[Day | None]]


class Months(NamedTuple):
    """The calendar, and the rotations that are due too often to appear in it."""

    months: list[Month]
    often: list[str]


def months(
    found: Sequence[RotationStatus], due: Mapping[str, Sequence[float]], now: float
) -> Months:
    """Return the calendar of the rotations.

    Args:
        found: the status of each rotation.
        due: when each rotation will begin, in seconds since the epoch.
        now: seconds since the epoch.
    """
    often = sorted(name for name, times in due.items() if len(times) > MOST_MARKS)
    coming: dict[date, list[str]] = {}
    for name, times in due.items():
        for day in sorted({_day(at) for at in times if name not in often}):
            coming.setdefault(day, []).append(name)
    done: dict[date, list[str]] = {}
    for one in found:
        if last := one.promoted_at or one.last_rotated_at:
            done.setdefault(_day(last), []).append(one.rotation)
    late = {one.rotation for one in found if one.state in ALARMS}
    failing = [one.rotation for one in found if one.state == RotationState.FAILING]
    today = _day(now)

    def shown(day: date) -> Day:
        rotated, begins = done.get(day, []), coming.get(day, [])
        classes = ["today"] if day == today else []
        words = []
        if rotated:
            classes.append("done")
            words.append(f"rotated: {', '.join(rotated)}")
        if begins:
            classes.append("late" if day == today and late.intersection(begins) else "coming")
            words.append(f"due: {', '.join(begins)}")
        failed = failing if day == today else []
        if failed:
            classes = [one for one in classes if one not in ("coming", "late")] + ["late"]
            words.append(f"failing: {', '.join(failed)}")
        events = len({*rotated, *begins, *failed})
        return Day(day.day, events, " ".join(classes), "; ".join(words))

    made = []
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    for _ in range(MONTHS):
        weeks = Calendar().monthdatescalendar(first.year, first.month)
        shown_weeks = [
            [shown(day) if day.month == first.month else None for day in week] for week in weeks
        ]
        made.append(Month(f"{first:%B %Y}", shown_weeks))
        first = (first + timedelta(days=32)).replace(day=1)
    return Months(made, often)


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
