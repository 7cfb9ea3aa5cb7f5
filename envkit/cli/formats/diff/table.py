"""A comparison as a table for a terminal, or as plain text of 80 columns.

Every environment is a column. Where they do not fit the width, each variable is a block:
one line for each distinct value, with the environments that have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import Code, cell_text, fitting_text, legend, notes, summary
from envkit.cli.formats.layout import Span, columns, padded, wrapped
from envkit.cli.output import printable
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.cli.formats.diff.report import Report
    from envkit.cli.formats.diff.wording import Note
    from envkit.comparison.model import Cell, Entry

WIDTH = 80
_GAP = 2
_INDENT = 2
_MIN_NAME, _MAX_NAME = 12, 24  # a longer name has a line of its own
_MIN_CELL = 17  # the mask, a space and a fingerprint
_STYLES = {
    DiffStatus.REUSED: "bold red",
    DiffStatus.UNREADABLE: "bold magenta",
    DiffStatus.MISSING: "bold yellow",
    DiffStatus.DIFFERENT: "bold cyan",
    DiffStatus.SAME: "bold green",
}


def plain(report: Report, width: int = WIDTH) -> str:
    """Return the table as text, no line of which is wider than `width` columns."""
    lines = ["".join(span.text for span in line).rstrip() for line in table(report, width)]
    return "\n".join(lines) + "\n"


def table(report: Report, width: int) -> Iterator[list[Span]]:
    """Yield the lines of the table, each as texts with their styles."""
    sections = report.sections
    grid = _Grid(report.environments, [e for _, _, entries in sections for e in entries], width)
    if sections:
        yield from grid.header()
    for status, title, entries in sections:
        heading = [Span(f"{status.upper()} ({len(entries)})", _STYLES[status])]
        yield []
        yield from wrapped([*heading, Span(f"  {title}", "dim")], width)
        for entry in entries:
            yield from grid.row(entry)
            for note in notes(entry, report.environments):
                yield from _note(note, width)
    yield from _ignored(report, width)
    if sections:
        yield []
    yield from wrapped([Span(printable(summary(report)))], width)
    if legend(report):
        yield from wrapped([Span(piece, "dim") for piece in legend(report)], width)


class _Grid:
    """Where the columns are; with too many environments, there is but one."""

    def __init__(self, environments: Sequence[str], entries: Sequence[Entry], width: int) -> None:
        self.labels = [printable(label) for label in environments]
        self.width = width
        free = width - _INDENT - len(self.labels) * (_GAP + _MIN_CELL)
        self.side_by_side = free >= _MIN_NAME
        longest = max((columns(printable(entry.name)) for entry in entries), default=0)
        self.name_width = max(_MIN_NAME, min(longest, free, _MAX_NAME))
        self.cell_width = (width - _INDENT - self.name_width) // len(self.labels) - _GAP

    def header(self) -> Iterator[list[Span]]:
        if self.side_by_side:
            blank = Span(" " * (_INDENT + self.name_width))
            yield [blank, *(self.cell(label, "bold") for label in self.labels)]
        else:
            yield from wrapped([Span(", ".join(self.labels), "bold")], self.width)

    def row(self, entry: Entry) -> Iterator[list[Span]]:
        name = printable(entry.name)
        if not self.side_by_side or columns(name) > self.name_width:
            yield from wrapped([Span(" " * _INDENT), Span(name, "bold")], self.width, _INDENT)
            name = ""
        if self.side_by_side:
            cells = [
                self.cell(fitting_text(cell, self.cell_width), _style(cell)) for cell in entry.cells
            ]
            yield [Span(" " * _INDENT), Span(padded(name, self.name_width), "bold"), *cells]
        else:
            yield from self.block(entry.cells)

    def cell(self, text: str, style: str) -> Span:
        return Span(" " * _GAP + padded(text or "-", self.cell_width), style)

    def block(self, cells: Sequence[Cell]) -> Iterator[list[Span]]:
        groups: dict[str, list[int]] = {}
        for index, cell in enumerate(cells):
            groups.setdefault(cell_text(cell) or "-", []).append(index)
        longest = min(max(map(columns, groups)), self.width // 2)
        for text, indexes in groups.items():
            labels = ", ".join(self.labels[index] for index in indexes)
            value = Span(padded(text, longest), _style(cells[indexes[0]]))
            start = [Span(" " * 2 * _INDENT), value, Span(" " * _GAP)]
            yield from wrapped([*start, Span(labels)], self.width, 2 * _INDENT + longest + _GAP)


def _style(cell: Cell) -> str:
    return "dim" if cell.state != CellState.VALUE or cell.shown is None else ""


def _note(note: Note, width: int) -> Iterator[list[Span]]:
    mark, style = ("!", "red") if note.dangerous else ("·", "dim")
    start = [Span(" " * 2 * _INDENT), Span(mark, f"bold {style}"), Span(" ")]
    yield from wrapped([*start, *_spans(note.text, style)], width, 2 * _INDENT + 2)
    if note.advice:
        advice = [Span(" " * (2 * _INDENT + 2)), *_spans(note.advice, "")]
        yield from wrapped(advice, width, 2 * _INDENT + 2)


def _spans(pieces: Sequence[str], style: str) -> list[Span]:
    return [Span(printable(p), f"bold {style}" if isinstance(p, Code) else style) for p in pieces]


def _ignored(report: Report, width: int) -> Iterator[list[Span]]:
    if report.show_same and report.ignored:
        yield []
        yield [Span(f"IGNORED ({len(report.ignored)})", "bold")]
        for entry, rule in report.ignored:
            start = [Span(" " * _INDENT), Span(printable(entry.name), "bold")]
            rest = Span(printable(f"  {entry.status}: {rule.reason}"))
            yield from wrapped([*start, rest], width, 2 * _INDENT)
