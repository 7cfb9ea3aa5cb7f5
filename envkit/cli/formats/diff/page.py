"""A comparison as one HTML page: no script, no external resource, light and dark.

The page has all variables, including equal ones. The status filters are plain CSS. Secrets that
are expected to differ are folded into one line. This module computes the content of the page;
`page.html.j2` lays it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from envkit.cli.formats.diff.wording import (
    MASK,
    NOT_SET,
    Code,
    folded_text,
    legend,
    notes,
    quoted,
    summary,
)
from envkit.cli.formats.layout import parts_of
from envkit.cli.formats.page_frame import Head, render_page
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from envkit.cli.formats.diff.report import Report
    from envkit.comparison.model import Cell, Entry

_MASK = "•" * 8  # the same as in the template
_MAX_ENVIRONMENTS = 4  # that fit side by side on a small laptop


class Piece(NamedTuple):
    """Part of a sentence, and whether it is a name, a value or a command."""

    text: str
    code: bool


class Note(NamedTuple):
    """A sentence below a variable, with advice."""

    text: list[Piece]
    advice: list[Piece]
    dangerous: bool


class ShownCell(NamedTuple):
    """A variable in one environment. Texts are split where a line may break.

    On a phone, environments with the same value share one cell.

    Attributes:
        environments: the environments with this value; empty if an earlier cell lists them.
        kind: how to show `text`: as a value, as the length of a secret, or as the words for
            a missing value.
        text: the value, the length or the words.
        fingerprint: the fingerprint of a secret; empty if there is none.
        place: where the value comes from; empty if an earlier cell with this value shows it.
        more_places: where the value comes from in other environments with the same value.
    """

    environments: str
    kind: Literal["text", "secret", "none"]
    text: list[str]
    fingerprint: str
    place: list[str]
    more_places: list[list[str]]


class Row(NamedTuple):
    """A variable in every environment."""

    name: list[str]
    cells: list[ShownCell]
    notes: list[Note]


class Section(NamedTuple):
    """The variables with one status.

    Attributes:
        status: their status.
        title: the meaning of the status.
        number: the number of variables.
        rows: the variables to show in full.
        folded: the secrets that are expected to differ.
        folded_text: the line that replaces them.
        shown: whether the filter is initially on.
    """

    status: str
    title: str
    number: int
    rows: list[Row]
    folded: list[Row]
    folded_text: str
    shown: bool


class Ignored(NamedTuple):
    """A difference that the ignore file accepts, with the reason."""

    name: str
    status: str
    reason: str


class View(NamedTuple):
    """The content of the page.

    Attributes:
        environments: the labels of the environments.
        wide: whether the table is too wide for most screens and scrolls on its own.
        sections: the variables by status.
        ignored: the accepted differences.
        legend: how to read the values.
    """

    environments: tuple[str, ...]
    wide: bool
    sections: list[Section]
    ignored: list[Ignored]
    legend: list[Piece]


def render(report: Report, now: datetime) -> str:
    """Return the HTML of the page.

    Args:
        report: the comparison.
        now: when the stores were read, with a time zone.
    """
    full = report._replace(show_same=True)
    head = Head("envkit diff", ", ".join(full.environments), summary(full), now)
    return render_page("diff/page.html.j2", head, _view(full))


def _view(report: Report) -> View:
    return View(
        report.environments,
        len(report.environments) > _MAX_ENVIRONMENTS,
        [
            Section(
                section.status,
                section.title,
                section.number,
                [_row(entry, report) for entry in section.entries],
                [_row(entry, report) for entry in section.folded],
                folded_text(section),
                section.status != DiffStatus.SAME,
            )
            for section in report.sections
        ],
        [Ignored(entry.name, entry.status, rule.reason) for entry, rule in report.ignored],
        _pieces([Code(_MASK) if piece == MASK else piece for piece in legend(report)]),
    )


def _row(entry: Entry, report: Report) -> Row:
    shown_notes = [
        Note(_pieces(note.text), _pieces(note.advice), note.dangerous)
        for note in notes(entry, report)
    ]
    # a line may break between the words of a name
    name = [f"{word}_" for word in entry.name.split("_")]
    name[-1] = name[-1].removesuffix("_")
    return Row(name, _cells(entry, report.environments), shown_notes)


def _cells(entry: Entry, labels: Sequence[str]) -> list[ShownCell]:
    shown = [_shown(cell) for cell in entry.cells]
    places = [", ".join(cell.origins) or cell.location for cell in entry.cells]
    cells = []
    for index, value in enumerate(shown):
        same = [other for other, one in enumerate(shown) if one == value]
        first = same[0] == index
        seen = {places[other] for other in same if other < index}
        more = dict.fromkeys(places[other] for other in same if places[other] != places[index])
        kind, text, fingerprint = value
        cells.append(
            ShownCell(
                ", ".join(labels[other] for other in same) if first else "",
                kind,
                parts_of(text),
                fingerprint,
                [] if places[index] in seen else parts_of(places[index]),
                [parts_of(place) for place in more if place] if first else [],
            )
        )
    return cells


def _shown(cell: Cell) -> tuple[Literal["text", "secret", "none"], str, str]:
    """Return the kind, the text and the fingerprint of a cell."""
    if cell.state == CellState.PLACEHOLDER or (
        cell.state == CellState.VALUE and cell.shown is not None
    ):
        return "text", quoted(cell.shown or ""), ""
    if cell.state == CellState.VALUE:
        length = cell.length if cell.length == "empty" else f"{cell.length} characters"
        return "secret", length, cell.fingerprint
    return "none", "unreadable" if cell.state == CellState.UNREADABLE else NOT_SET, ""


def _pieces(sentence: Sequence[str]) -> list[Piece]:
    return [Piece(piece, isinstance(piece, Code)) for piece in sentence]
