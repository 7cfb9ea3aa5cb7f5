"""The checklist as one HTML page. No script, no external resource, light and dark.

Each state is a word with a color. The page contains no value. `page.html.j2` lays it out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from envkit.checks.checklist.model import ItemState
from envkit.cli.formats.checklist.words import STATES, TITLES, summary
from envkit.cli.formats.page_frame import Head, render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.checks.checklist.model import Checklist, Item


class Row(NamedTuple):
    """One item as it is laid out."""

    state: str
    word: str
    title: str
    summary: str
    details: tuple[str, ...]
    hint: str


class Section(NamedTuple):
    """The checklist of one environment."""

    environment: str
    rows: list[Row]


class View(NamedTuple):
    """The content of the page."""

    sections: list[Section]


def render(checklists: Sequence[Checklist], now: float) -> str:
    """Return the HTML of the page.

    Args:
        checklists: one for each environment.
        now: when the facts were gathered, seconds since the epoch.
    """
    names = ", ".join(one.environment for one in checklists)
    head = Head(
        "envkit check --checklist",
        f"Deployment checklist: {names}",
        summary(checklists),
        datetime.fromtimestamp(now, UTC),
    )
    sections = [Section(one.environment, [_row(item) for item in one.items]) for one in checklists]
    return render_page("checklist/page.html.j2", head, View(sections))


def _row(item: Item) -> Row:
    hint = item.hint if item.state != ItemState.OK else ""
    return Row(item.state, STATES[item.state], TITLES[item.kind], item.summary, item.details, hint)
