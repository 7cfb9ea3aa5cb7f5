"""A comparison as a matrix of names by environments, for four or more environments.

Each cell is a letter and never a value. Environments with the same letter in a row have the
same value. If the environments do not fit the width, the matrix continues below itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.table import WIDTH, closing, folded_line, heading
from envkit.cli.formats.diff.wording import NOT_SET, cell_text
from envkit.cli.formats.layout import Span, columns, padded, wrapped
from envkit.cli.output import printable
from envkit.comparison.model import CellState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.cli.formats.diff.report import Report
    from envkit.comparison.model import Cell, Entry

_INDENT = 2
_GAP = 2
_MAX_NAME, _MAX_LABEL = 32, 24
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNREADABLE, _MASKED = "?", "*"
_LEGEND = "In each row, equal letters are equal values; ? could not be read"
_MASKED_LEGEND = "; * is a secret that was not compared"


def plain(report: Report, width: int = WIDTH) -> str:
    """Return the matrix as text with lines of at most `width` columns."""
    lines = ["".join(span.text for span in line).rstrip() for line in matrix(report, width)]
    return "\n".join(lines) + "\n"


def matrix(report: Report, width: int) -> Iterator[list[Span]]:
    """Yield the lines of the matrix, each as styled texts."""
    sections = report.sections
    shown = {s.status: s.entries + (s.folded if report.show_same else ()) for s in sections}
    entries = [entry for found in shown.values() for entry in found]
    names = max((columns(printable(entry.name)) for entry in entries), default=0)
    names = min(names, _MAX_NAME, width // 2)
    labels = [printable(label) for label in report.environments]
    wide = max(len(NOT_SET), min(max(map(columns, labels)), _MAX_LABEL))
    wide = min(wide, max(1, width - _INDENT - names - _GAP))
    per_band = max(1, (width - _INDENT - names) // (wide + _GAP))
    for first in range(0, len(labels) if entries else 0, per_band):
        band = range(len(labels))[first : first + per_band]
        if first:
            yield []
        yield _line("", names, wide, [Span(labels[index], "bold") for index in band])
        for section in sections:
            if not shown[section.status]:
                continue
            yield []
            yield from heading(section, width)
            for entry in shown[section.status]:
                yield from _row(entry, band, names, wide, width)
    for section in sections:
        if section.folded and not report.show_same:
            yield []
            yield from folded_line(section, width)
    masked = any(_is_masked(cell) for entry in entries for cell in entry.cells)
    pieces = (_LEGEND, _MASKED_LEGEND if masked else "", ".") if entries else ()
    yield from closing(report, width, pieces)


def _row(
    entry: Entry, band: Sequence[int], names: int, wide: int, width: int
) -> Iterator[list[Span]]:
    name = printable(entry.name)
    if columns(name) > names:
        yield from wrapped([Span(" " * _INDENT), Span(name, "bold")], width, _INDENT)
        name = ""
    letters = _letters(entry.cells)
    yield _line(name, names, wide, [letters[index] for index in band])


def _line(name: str, names: int, wide: int, cells: Sequence[Span]) -> list[Span]:
    shown = [Span(" " * _GAP + padded(cell.text, wide), cell.style) for cell in cells]
    return [Span(" " * _INDENT), Span(padded(name, names), "bold"), *shown]


def _is_masked(cell: Cell) -> bool:
    """Return whether the value is unknown: a secret that was not read from its store."""
    return cell.state == CellState.VALUE and cell.shown is None and not cell.fingerprint


def _letters(cells: Sequence[Cell]) -> list[Span]:
    """Return a letter for each distinct value, in order of the environments."""
    known: dict[str, str] = {}
    spans = []
    for cell in cells:
        if cell.state == CellState.UNREADABLE:
            spans.append(Span(_UNREADABLE, "magenta"))
        elif _is_masked(cell):
            spans.append(Span(_MASKED, "dim"))
        elif cell.state in (CellState.VALUE, CellState.PLACEHOLDER):
            key = f"{cell.state} {cell.fingerprint or cell_text(cell)}"
            number = len(known)
            new = _LETTERS[number] if number < len(_LETTERS) else f"#{number + 1}"
            spans.append(Span(known.setdefault(key, new)))
        else:
            spans.append(Span(NOT_SET, "dim"))
    return spans
