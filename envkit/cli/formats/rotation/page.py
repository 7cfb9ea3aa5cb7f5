"""Where rotations stand, as one HTML page: a timeline, a calendar, and what needs somebody.

No script, nothing from elsewhere, light and dark; what the pictures show is also there as
text. Nothing of a value is in it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import isinf
from typing import TYPE_CHECKING, NamedTuple

from envkit.cli.formats.page_frame import framed, text
from envkit.cli.formats.rotation.moments import moment, since
from envkit.cli.formats.rotation.standings import last_time, next_time, what
from envkit.rotation.status import ALARMS, OVERDUE, QUARANTINED, STATES
from envkit.rotation_state.schedule import due_times, jitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.status import Standing

DAY = 86_400.0
BEFORE_DAYS, AFTER_DAYS = 45, 60
MOST_MARKS = 40  # of one rotation on the timeline: what is due more often is a band
_WORDS = {
    "unreadable": "cannot be read",
    "quarantined": "quarantined",
    "overdue": "overdue",
    "failing": "failing",
    "due": "due",
    "in-progress": "in progress",
    "grace": "in its grace",
    "waiting": "waiting",
}
_LEGEND = (
    ("dot", "rotated"),
    ("ring", "due"),
    ("swatch late", "overdue"),
    ("swatch life", "age of the value"),
    ("line", "now"),
)


class _Span(NamedTuple):
    """What the timeline shows, in seconds since the epoch."""

    start: float
    now: float
    end: float

    def left(self, at: float) -> float:
        """Return where a moment is, in percent of the width."""
        return max(0.0, min(100.0, (at - self.start) / (self.end - self.start) * 100))


def render(found: Sequence[Standing], rotations: Sequence[Rotation], now: float) -> str:
    """Return the page.

    Args:
        found: where each rotation stands.
        rotations: the same, as the profiles have them.
        now: when the stores were read, seconds since the epoch.
    """
    span = _Span(now - BEFORE_DAYS * DAY, now, now + AFTER_DAYS * DAY)
    written = {one.full_name: one for one in rotations}
    dues = {
        one.rotation: _dues(one, written[one.rotation], span)
        for one in found
        if one.rotation in written
    }
    counts = {state: sum(one.state == state for one in found) for state in STATES}
    said = [f"{count} {_WORDS[state]}" for state, count in counts.items() if count]
    title = f"{len(found)} rotation{'' if len(found) == 1 else 's'}"
    ordered = sorted(found, key=lambda one: (STATES.index(one.state), one.rotation))
    return framed(
        "envkit rotate status",
        title,
        heading=title,
        summary=", ".join(said),
        body=[*_timeline(ordered, dues, span), *_calendar(found, dues, span)],
        remarks=["All times are UTC."],
        package="envkit.cli.formats.rotation",
        now=datetime.fromtimestamp(now, UTC),
    )


def _dues(one: Standing, rotation: Rotation, span: _Span) -> list[float]:
    """Return when a rotation will begin, as far as the page goes."""
    if not one.due_at or one.state == QUARANTINED:
        return []
    timing, name = rotation.policy.timing, rotation.full_name
    first = max(one.due_at, span.now)
    found = [first] if first < span.end else []
    for at in due_times(timing, last=first, until=span.end):
        found.append(at + jitter(timing, name, at))
        if len(found) > BEFORE_DAYS * 24:
            break
    return found


# ---------------------------------------------------------------- the timeline


def _timeline(
    ordered: Sequence[Standing], dues: dict[str, list[float]], span: _Span
) -> Iterator[str]:
    yield '<section class="sheet"><table role="table">'
    yield '<caption class="hidden">Where each rotation stands</caption>'
    yield '<thead><tr role="row"><th scope="col">rotation</th><th scope="col">state</th>'
    yield f'<th scope="col" class="axis"><div class="track">{"".join(_ticks(span))}</div></th>'
    yield '<th scope="col" class="next">next</th></tr></thead><tbody>'
    for one in ordered:
        yield from _row(one, dues.get(one.rotation, []), span)
    yield "</tbody></table></section>"
    yield f'<p class="legend">{"".join(_legend())}</p>'


def _ticks(span: _Span) -> Iterator[str]:
    """Yield the beginnings of the months, and today."""
    for at in _months(span):
        day = datetime.fromtimestamp(at, UTC)
        yield f'<span class="tick" style="left:{span.left(at):.2f}%">{day:%b}</span>'
    yield f'<span class="tick today" style="left:{span.left(span.now):.2f}%">now</span>'


def _months(span: _Span) -> Iterator[float]:
    day = datetime.fromtimestamp(span.start, UTC).date().replace(day=1)
    while (at := _seconds(day)) < span.end:
        if at >= span.start and abs(at - span.now) > 8 * DAY:
            yield at
        day = (day + timedelta(days=32)).replace(day=1)


def _legend() -> Iterator[str]:
    for kind, word in _LEGEND:
        yield f'<span><i class="mark {kind}"></i>{word}</span>'


def _row(one: Standing, dues: Sequence[float], span: _Span) -> Iterator[str]:
    where = text(one.location).replace("/", "/<wbr>").replace("#", "<wbr>#")
    place = f'<span class="from">{where}</span>' if where else ""
    last = last_time(one, span.now)
    tell = f"rotated {last}" if last not in ("", "never") else last and "never rotated"
    detail = " · ".join(words for words in (tell, what(one, span.now)) if words)
    yield f'<tr role="row" class="{one.state}">'
    yield f'<th role="rowheader" scope="row"><code>{text(one.rotation)}</code>{place}</th>'
    yield f'<td role="cell" class="state"><b>{_WORDS[one.state]}</b>'
    yield f'<span class="from">{text(detail)}</span></td>'
    label = text(f"{tell}; next: {next_time(one, span.now) or 'not known'}")
    yield '<td role="cell" class="axis">'
    yield f'<div class="track" role="img" aria-label="{label}">{"".join(_marks(one, dues, span))}'
    yield "</div></td>"
    yield f'<td role="cell" class="next">{_next(one, span)}</td></tr>'
    if one.state in ALARMS and (one.error or one.hint):
        hint = f'<span class="advice">{text(one.hint)}</span>' if one.hint else ""
        yield f'<tr role="row" class="notes {one.state}"><td role="cell" colspan="4">'
        yield f"{text(one.error)}{hint}</td></tr>"


def _next(one: Standing, span: _Span) -> str:
    if not one.due_at or not next_time(one, span.now):
        return '<span class="none">not known</span>'
    if one.due_at <= span.now:
        return "now"
    when = moment(one.due_at).removesuffix(" UTC")
    return f'{since(one.due_at, span.now)}<span class="from">{when}</span>'


def _marks(one: Standing, dues: Sequence[float], span: _Span) -> Iterator[str]:
    for at in _months(span):
        yield f'<i class="grid" style="left:{span.left(at):.2f}%"></i>'
    last = one.promoted_at or one.last_rotated_at
    if last or one.due_at:
        begins = last or span.now
        yield _bar("life", begins, span.now, span)
        yield _bar("rest", span.now, dues[0] if dues else span.end, span)
    if one.state == OVERDUE and not isinf(one.overdue_at):
        yield _bar("late", one.overdue_at, span.now, span)
    if len(dues) > MOST_MARKS:
        yield _bar("often", dues[0], span.end, span)
    else:
        for number, at in enumerate(dues):
            yield _mark("ring" if number == 0 else "ring later", at, span)
    if last >= span.start:
        yield _mark("dot", last, span)
    if one.started_at:
        yield _mark("dot busy", max(one.started_at, last, span.start), span)
    yield f'<i class="line" style="left:{span.left(span.now):.2f}%"></i>'


def _bar(kind: str, start: float, end: float, span: _Span) -> str:
    left, right = span.left(start), span.left(end)
    if right <= left:
        return ""
    return f'<i class="bar {kind}" style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'


def _mark(kind: str, at: float, span: _Span) -> str:
    return f'<i class="mark {kind}" style="left:{span.left(at):.2f}%"></i>'


# ---------------------------------------------------------------- the calendar


def _calendar(
    found: Sequence[Standing], dues: dict[str, list[float]], span: _Span
) -> Iterator[str]:
    today = _day(span.now)
    coming: dict[date, list[str]] = {}
    often = sorted(name for name, times in dues.items() if len(times) > MOST_MARKS)
    for name, times in dues.items():
        for day in sorted({_day(at) for at in times if name not in often}):
            coming.setdefault(day, []).append(name)
    done: dict[date, list[str]] = {}
    for one in found:
        if last := one.promoted_at or one.last_rotated_at:
            done.setdefault(_day(last), []).append(one.rotation)
    late = {one.rotation for one in found if one.state in ALARMS}
    yield '<h2>Calendar</h2><div class="months">'
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    for _ in range(4):
        yield from _month(first, today, done, coming, late)
        first = (first + timedelta(days=32)).replace(day=1)
    yield "</div>"
    if often:
        names = text(", ".join(often))
        yield f'<p class="legend">Not here, since they are due so often: {names}</p>'


def _month(
    first: date,
    today: date,
    done: dict[date, list[str]],
    coming: dict[date, list[str]],
    late: set[str],
) -> Iterator[str]:
    yield f'<table class="month"><caption>{first:%B %Y}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{day}</th>' for day in ("M", "T", "W", "T", "F", "S", "S"))
    yield "</tr></thead><tbody>"
    day = first - timedelta(days=first.weekday())
    while day.month == first.month or day < first:
        yield "<tr>"
        for _ in range(7):
            inside = day.month == first.month
            yield _cell(day, today, done, coming, late) if inside else "<td></td>"
            day += timedelta(days=1)
        yield "</tr>"
    yield "</tbody></table>"


def _cell(
    day: date,
    today: date,
    done: dict[date, list[str]],
    coming: dict[date, list[str]],
    late: set[str],
) -> str:
    rotated, due = done.get(day, []), coming.get(day, [])
    classes = ["today"] if day == today else []
    said = []
    if rotated:
        classes.append("done")
        said.append(f"rotated: {', '.join(rotated)}")
    if due:
        classes.append("late" if day == today and late.intersection(due) else "coming")
        said.append(f"due: {', '.join(due)}")
    title = f' title="{text("; ".join(said))}"' if said else ""
    number = len(rotated) + len(due)
    count = f"<sup>{number}</sup>" if number > 1 else ""
    hidden = f'<span class="hidden"> {text("; ".join(said))}</span>' if said else ""
    return f'<td class="{" ".join(classes)}"{title}><span>{day.day}{count}</span>{hidden}</td>'


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
