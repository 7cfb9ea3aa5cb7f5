"""A comparison as one HTML page: no script, no external resource, light and dark.

All variables are in the page, also those that are the same; the status filters are plain
CSS. This module computes what the page shows, and `page.html.j2` lays it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from envkit.cli.formats.diff.wording import Code, legend, notes, quoted, summary
from envkit.cli.formats.page_frame import Head, render_page
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from envkit.cli.formats.diff.report import Report
    from envkit.comparison.model import Cell, Entry


class Piece(NamedTuple):
    """A part of a sentence, and whether it is a name, a value or a command."""

    text: str
    code: bool


class Note(NamedTuple):
    """A sentence below a variable, and what to do about it."""

    text: list[Piece]
    advice: list[Piece]
    dangerous: bool


class ShownCell(NamedTuple):
    """A variable in one environment.

    Attributes:
        environment: its label.
        kind: how `text` is shown: as a value, as the length of a secret, or as the words for
            what is not there.
        text: what is shown.
        fingerprint: of a secret; empty if there is none to show.
        place: where the value comes from.
    """

    environment: str
    kind: Literal["text", "secret", "none"]
    text: str
    fingerprint: str
    place: str


class Row(NamedTuple):
    """A variable in every environment."""

    name: str
    cells: list[ShownCell]
    notes: list[Note]


class Section(NamedTuple):
    """The variables of one status, and whether its filter is on at first."""

    status: str
    title: str
    rows: list[Row]
    shown: bool


class Ignored(NamedTuple):
    """A difference that the ignore file accepts, and why."""

    name: str
    status: str
    reason: str


class View(NamedTuple):
    """What the page shows."""

    environments: tuple[str, ...]
    sections: list[Section]
    ignored: list[Ignored]
    legend: list[Piece]


def render(report: Report, now: datetime) -> str:
    """Return the page.

    Args:
        report: what is to be shown.
        now: when the stores were read, with a zone.
    """
    full = report._replace(show_same=True)
    head = Head("envkit diff", ", ".join(full.environments), summary(full), now)
    return render_page("diff/page.html.j2", head, _view(full))


def _view(report: Report) -> View:
    return View(
        report.environments,
        [
            Section(
                status, title, [_row(entry, report) for entry in entries], status != DiffStatus.SAME
            )
            for status, title, entries in report.sections
        ],
        [Ignored(entry.name, entry.status, rule.reason) for entry, rule in report.ignored],
        _pieces(legend(report)),
    )


def _row(entry: Entry, report: Report) -> Row:
    shown_notes = [
        Note(_pieces(note.text), _pieces(note.advice), note.dangerous)
        for note in notes(entry, report.environments)
    ]
    return Row(entry.name, list(map(_cell, report.environments, entry.cells)), shown_notes)


def _cell(label: str, cell: Cell) -> ShownCell:
    place = ", ".join(cell.origins) or cell.location
    if cell.state == CellState.PLACEHOLDER or (
        cell.state == CellState.VALUE and cell.shown is not None
    ):
        return ShownCell(label, "text", quoted(cell.shown or ""), "", place)
    if cell.state == CellState.VALUE:
        length = cell.length if cell.length == "empty" else f"{cell.length} characters"
        return ShownCell(label, "secret", length, cell.fingerprint, place)
    words = {CellState.ABSENT: "absent", CellState.UNREADABLE: "unreadable"}
    return ShownCell(label, "none", words.get(cell.state, "not there"), "", place)


def _pieces(sentence: Sequence[str]) -> list[Piece]:
    return [Piece(piece, isinstance(piece, Code)) for piece in sentence]
