"""The status of rotations as one HTML page: a timeline, a calendar, and open problems.

No script, no external resource, light and dark; every mark also has a text. The page contains
no value. `page.html.j2` lays out what `timeline` and `months` compute.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from envkit.cli.formats.page_frame import Head, render_page
from envkit.cli.formats.rotation.months import LEGEND as CALENDAR_LEGEND
from envkit.cli.formats.rotation.months import Months, months
from envkit.cli.formats.rotation.timeline import (
    LEGEND,
    WORDS,
    Row,
    Tick,
    dues,
    rows,
    span_around,
    ticks,
)
from envkit.rotation.status import RotationState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.status import RotationStatus


class View(NamedTuple):
    """The content of the page; legends explain the classes of the marks."""

    ticks: list[Tick]
    rows: list[Row]
    legend: dict[str, str]
    calendar: Months
    calendar_legend: dict[str, str]


def render(found: Sequence[RotationStatus], rotations: Sequence[Rotation], now: float) -> str:
    """Return the HTML of the page.

    Args:
        found: the status of each rotation.
        rotations: the same rotations, as the profiles declare them.
        now: when the stores were read, seconds since the epoch.
    """
    span = span_around(now)
    written = {one.full_name: one for one in rotations}
    due = {
        one.rotation: dues(one, written[one.rotation], span)
        for one in found
        if one.rotation in written
    }
    counts = {state: sum(one.state == state for one in found) for state in RotationState}
    counted = [f"{count} {WORDS[state]}" for state, count in counts.items() if count]
    title = f"{len(found)} rotation{'' if len(found) == 1 else 's'}"
    head = Head("envkit rotate status", title, ", ".join(counted), datetime.fromtimestamp(now, UTC))
    view = View(
        ticks(span), rows(found, due, span), LEGEND, months(found, due, now), CALENDAR_LEGEND
    )
    return render_page("rotation/page.html.j2", head, view)
