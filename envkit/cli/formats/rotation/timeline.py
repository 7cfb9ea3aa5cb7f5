"""The timeline of the rotations page: one row per rotation, with marks in time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import isinf
from typing import TYPE_CHECKING, NamedTuple

from envkit.cli.formats.layout import parts_of
from envkit.cli.formats.rotation.moments import moment, since
from envkit.cli.formats.rotation.statuses import last_time, next_time, what
from envkit.rotation.status import ALARMS, RotationState
from envkit.rotation_state.schedule import due_times, jitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.status import RotationStatus

DAY = 86_400.0
BEFORE_DAYS, AFTER_DAYS = 45, 60
MOST_MARKS = 40  # per rotation; one that is due more often is shown as a band
WORDS = {
    RotationState.UNREADABLE: "unreadable",
    RotationState.QUARANTINED: "quarantined",
    RotationState.OVERDUE: "overdue",
    RotationState.FAILING: "failing",
    RotationState.BLOCKED: "blocked",
    RotationState.ORPHANED: "orphaned",
    RotationState.DUE: "due",
    RotationState.IN_PROGRESS: "in progress",
    RotationState.GRACE_PERIOD: "in the grace period",
    RotationState.WAITING: "waiting",
}
# the marks of the timeline and their meanings
LEGEND = {
    "mark dot": "rotated",
    "mark dot busy": "in progress, started here",
    "mark cross": "failing",
    "mark ring": "due",
    "mark ring later": "due after that",
    "bar often": "due more often than can be shown",
    "bar life": "age of the value",
    "bar late": "overdue",
    "bar rest": "until it is due",
    "grid": "start of a month",
    "line": "now",
}


class Span(NamedTuple):
    """The period that the timeline shows, in seconds since the epoch."""

    start: float
    now: float
    end: float

    def left(self, at: float) -> float:
        """Return the position of a time, in percent of the width."""
        return max(0.0, min(100.0, (at - self.start) / (self.end - self.start) * 100))


class Mark(NamedTuple):
    """A mark on the timeline: its classes, explained in `LEGEND`, and its position in CSS."""

    classes: str
    style: str


class Tick(NamedTuple):
    """A label above the timeline."""

    classes: str
    style: str
    word: str


class Row(NamedTuple):
    """One rotation on the timeline.

    Attributes:
        name: the name with the environment.
        state: the state of the rotation.
        word: the state in words.
        detail: the details of the state.
        place: where the secret is, in parts between which a line may break.
        label: the marks in words.
        marks: the marks on its line.
        next: when it will be rotated next; empty if unknown.
        next_at: the same as a time.
        error: why it needs attention.
        hint: how to fix it.
    """

    name: str
    state: str
    word: str
    detail: str
    place: list[str]
    label: str
    marks: list[Mark]
    next: str
    next_at: str
    error: str
    hint: str


def span_around(now: float) -> Span:
    """Return the period that the timeline shows at a given time."""
    return Span(now - BEFORE_DAYS * DAY, now, now + AFTER_DAYS * DAY)


def dues(one: RotationStatus, rotation: Rotation, span: Span) -> list[float]:
    """Return the times when a rotation will begin, up to the end of the timeline.

    A failing rotation is retried instead of being due, so only its later times count.
    """
    if not one.due_at or one.state == RotationState.QUARANTINED:
        return []
    timing, name = rotation.policy.timing, rotation.full_name
    first = max(one.due_at, span.now)
    retried = one.state == RotationState.FAILING and one.due_at <= span.now
    found = [first] if first < span.end and not retried else []
    for at in due_times(timing, last=first, until=span.end):
        found.append(at + jitter(timing, name, at))
        if len(found) > BEFORE_DAYS * 24:
            break
    return found


def ticks(span: Span) -> list[Tick]:
    """Return the labels above the timeline: the months, and now."""
    months = [
        Tick("tick", _at(span, at), f"{datetime.fromtimestamp(at, UTC):%b}") for at in _months(span)
    ]
    return [*months, Tick("tick today", _at(span, span.now), "now")]


def rows(
    found: Sequence[RotationStatus], due: Mapping[str, Sequence[float]], span: Span
) -> list[Row]:
    """Return a row for each rotation, most severe state first.

    Args:
        found: the status of each rotation.
        due: when each will begin.
        span: the time that the timeline shows.
    """
    gravest_first = list(RotationState)
    ordered = sorted(found, key=lambda one: (gravest_first.index(one.state), one.rotation))
    return [_row(one, due.get(one.rotation, ()), span) for one in ordered]


def _row(one: RotationStatus, due: Sequence[float], span: Span) -> Row:
    last, following = last_time(one, span.now), next_time(one, span.now)
    history = f"rotated {last}" if last not in ("", "never") else last and "never rotated"
    coming, coming_at = "", ""
    if one.state == RotationState.FAILING:
        coming = following
    elif one.due_at and following:
        coming = since(one.due_at, span.now) if one.due_at > span.now else "now"
        coming_at = moment(one.due_at).removesuffix(" UTC") if one.due_at > span.now else ""
    needs_attention = one.state in ALARMS
    return Row(
        name=one.rotation,
        state=one.state,
        word=WORDS[one.state],
        detail=" · ".join(words for words in (history, what(one, span.now)) if words),
        place=parts_of(one.location),
        label=f"{history}; next: {following or 'not known'}",
        marks=list(_marks(one, due, span)),
        next=coming,
        next_at=coming_at,
        error=one.error if needs_attention else "",
        hint=one.hint if needs_attention else "",
    )


def _marks(one: RotationStatus, due: Sequence[float], span: Span) -> Iterator[Mark]:
    for at in _months(span):
        yield Mark("grid", _at(span, at))
    last = one.promoted_at or one.last_rotated_at
    if last or one.due_at:
        yield from _bar("life", last or span.now, span.now, span)
        yield from _bar("rest", span.now, due[0] if due else span.end, span)
    if one.state == RotationState.OVERDUE and not isinf(one.overdue_at):
        yield from _bar("late", one.overdue_at, span.now, span)
    if len(due) > MOST_MARKS:
        yield from _bar("often", due[0], span.end, span)
    else:
        later = one.state == RotationState.FAILING  # it is retried, not due
        for number, at in enumerate(due):
            yield Mark("mark ring later" if number or later else "mark ring", _at(span, at))
    if last >= span.start:
        yield Mark("mark dot", _at(span, last))
    if one.state == RotationState.FAILING:
        yield Mark("mark cross", _at(span, max(one.started_at or span.now, span.start)))
    elif one.started_at:
        yield Mark("mark dot busy", _at(span, max(one.started_at, last, span.start)))
    yield Mark("line", _at(span, span.now))


def _bar(kind: str, start: float, end: float, span: Span) -> Iterator[Mark]:
    width = span.left(end) - span.left(start)
    if width > 0:
        yield Mark(f"bar {kind}", f"{_at(span, start)};width:{width:.2f}%")


def _at(span: Span, at: float) -> str:
    return f"left:{span.left(at):.2f}%"


def _months(span: Span) -> Iterator[float]:
    day = datetime.fromtimestamp(span.start, UTC).date().replace(day=1)
    while (at := _seconds(day)) < span.end:
        if at >= span.start and abs(at - span.now) > 10 * DAY:
            yield at
        day = (day + timedelta(days=32)).replace(day=1)


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
