"""A comparison as a table for a terminal, or as plain text with 80 columns.

Every environment is a column. If the columns do not fit, each variable becomes a block with one
line per distinct value and the environments that have it. A variable with a reference
that is wider than its column also becomes a block, so that the reference stays readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import (
    Code,
    cell_text,
    fitting_text,
    folded_text,
    legend,
    notes,
    summary,
)
from envkit.cli.formats.layout import Span, columns, cut, padded, wrapped
from envkit.cli.output import printable
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.cli.formats.diff.report import Report, Section
    from envkit.cli.formats.diff.wording import Note
    from envkit.comparison.model import Cell, Entry

WIDTH = 80
_GAP = 2
_INDENT = 2
_MIN_NAME, _MAX_NAME = 12, 24  # longer names get their own line
_MAX_LINES = 3  # for a literal in a block
_MIN_CELL = 17  # for the mask, a space and a fingerprint
STYLES = {
    DiffStatus.REUSED: "bold red",
    DiffStatus.UNREADABLE: "bold magenta",
    DiffStatus.MISSING: "bold yellow",
    DiffStatus.DIFFERENT: "bold cyan",
    DiffStatus.SAME: "bold green",
}


def plain(report: Report, width: int = WIDTH) -> str:
    """Return the table as text with lines of at most `width` columns."""
    lines = ["".join(span.text for span in line).rstrip() for line in table(report, width)]
    return "\n".join(lines) + "\n"


def table(report: Report, width: int) -> Iterator[list[Span]]:
    """Yield the lines of the table, each as styled texts."""
    sections = report.sections
    rows = {section.status: list(_rows(section, report)) for section in sections}
    grid = _Grid(report.environments, [entry for shown in rows.values() for entry in shown], width)
    with_header = any(rows.values())
    if with_header:
        yield from grid.header()
    for section in sections:
        if with_header or section is not sections[0]:
            yield []
        yield from heading(section, width)
        for entry in rows[section.status]:
            yield from grid.row(entry)
            for note in notes(entry, report):
                yield from _note(note, width)
        if section.folded and not report.show_same:
            yield from folded_line(section, width)
    yield from closing(report, width, legend(report))


def heading(section: Section, width: int) -> list[list[Span]]:
    """Return the lines above the variables with one status."""
    start = Span(f"{section.status.upper()} ({section.number})", STYLES[section.status])
    return wrapped([start, Span(f"  {section.title}", "dim")], width)


def folded_line(section: Section, width: int) -> list[list[Span]]:
    """Return the line that replaces secrets that are expected to differ."""
    them = "it" if len(section.folded) == 1 else "them"
    text = f"{folded_text(section)} (--all shows {them})"
    return wrapped([Span(" " * _INDENT), Span(text, "dim")], width, _INDENT)


def closing(report: Report, width: int, pieces: Sequence[str]) -> Iterator[list[Span]]:
    """Yield the lines below the variables: ignored differences, the summary and the legend."""
    yield from _ignored(report, width)
    if report.sections:
        yield []
    yield from wrapped([Span(printable(summary(report)))], width)
    if pieces:
        yield from wrapped([Span(piece, "dim") for piece in pieces], width)


def _rows(section: Section, report: Report) -> Iterator[Entry]:
    yield from section.entries
    if report.show_same:
        yield from section.folded


class _Grid:
    """The columns: one per environment, or a single one if there are too many."""

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
        side_by_side = self.side_by_side and not any(map(self.is_cut_reference, entry.cells))
        if not side_by_side or columns(name) > self.name_width:
            yield from wrapped([Span(" " * _INDENT), Span(name, "bold")], self.width, _INDENT)
            name = ""
        if side_by_side:
            cells = [
                self.cell(fitting_text(cell, self.cell_width), _style(cell)) for cell in entry.cells
            ]
            yield [Span(" " * _INDENT), Span(padded(name, self.name_width), "bold"), *cells]
        else:
            yield from self.block(entry.cells)

    def is_cut_reference(self, cell: Cell) -> bool:
        return cell.state == CellState.PLACEHOLDER and columns(cell_text(cell)) > self.cell_width

    def cell(self, text: str, style: str) -> Span:
        return Span(" " * _GAP + padded(text, self.cell_width), style)

    def block(self, cells: Sequence[Cell]) -> Iterator[list[Span]]:
        groups: dict[str, list[int]] = {}
        for index, cell in enumerate(cells):
            groups.setdefault(cell_text(cell), []).append(index)
        half = self.width // 2
        longest = max((columns(text) for text in groups if columns(text) <= half), default=half)
        start = Span(" " * 2 * _INDENT)
        for text, indexes in groups.items():
            cell = cells[indexes[0]]
            labels = Span(", ".join(self.labels[index] for index in indexes))
            if columns(text) > longest:
                is_reference = cell.state == CellState.PLACEHOLDER
                whole = text if is_reference else cut(text, _MAX_LINES * self.width)
                yield from wrapped([start, Span(whole, _style(cell))], self.width, 2 * _INDENT)
                yield from wrapped([Span(" " * 3 * _INDENT), labels], self.width, 3 * _INDENT)
                continue
            value = Span(padded(text, longest), _style(cell))
            indent = 2 * _INDENT + longest + _GAP
            yield from wrapped([start, value, Span(" " * _GAP), labels], self.width, indent)


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
