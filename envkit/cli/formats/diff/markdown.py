"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import (
    Code,
    cell_text,
    folded_text,
    legend,
    notes,
    summary,
)
from envkit.cli.output import printable
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.cli.formats.diff.report import Report
    from envkit.cli.formats.diff.wording import Note
    from envkit.comparison.model import Cell, Entry

# other text goes into code spans, where it cannot be markup, a link or a mention
_PLAIN = re.compile(r"(?!.*www\.)[A-Za-z0-9 ,.:;()'-]*", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9_.,:;/@#=?&%+*{}\[\]()<>$!^~\"' -]+")


def render(report: Report) -> str:
    """Return the Markdown text."""
    labels = " · ".join(map(_code, report.environments))
    lines = [f"### envkit diff: {labels}", "", f"**{_text(summary(report))}**"]
    for section in report.sections:
        table = list(_table(section.entries, report))
        if section.status == DiffStatus.SAME:
            lines += _folded(f"{section.number} {section.title}", table)
            continue
        lines += ["", f"#### {section.status.capitalize()}: {section.title}"]
        if section.entries:
            lines += ["", *table]
        if section.folded:
            lines += _folded(folded_text(section), list(_table(section.folded, report)))
    if report.ignored:
        ignored = [
            f"- {_code(entry.name)} is {entry.status}: {_text(rule.reason)}"
            for entry, rule in report.ignored
        ]
        lines += _folded(f"{len(ignored)} ignored", ignored)
    if legend(report):
        lines += ["", _pieces(legend(report))]
    return "\n".join(lines) + "\n"


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    # the blank lines make GitHub render the content as Markdown
    return ["", f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _table(entries: Sequence[Entry], report: Report) -> Iterator[str]:
    remarks = ["<br>".join(_note(note) for note in notes(entry, report)) for entry in entries]
    with_remarks = any(remarks)
    yield _row(
        ["variable", *map(_code, report.environments), *(["remarks"] if with_remarks else [])]
    )
    yield _row(["---"] * (1 + len(report.environments) + with_remarks))
    for entry, remark in zip(entries, remarks, strict=True):
        cells = [_cell(cell) for cell in entry.cells]
        yield _row([_code(entry.name), *cells, *([remark] if with_remarks else [])])


def _cell(cell: Cell) -> str:
    text = cell_text(cell)
    return _code(text) if cell.state in (CellState.VALUE, CellState.PLACEHOLDER) else text


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _note(note: Note) -> str:
    text = _pieces(note.text)
    if note.dangerous:
        text = f"**{text}**"
    return f"{text}<br>{_pieces(note.advice)}" if note.advice else text


def _pieces(pieces: Sequence[str]) -> str:
    shown = "".join(_code(piece) if isinstance(piece, Code) else _text(piece) for piece in pieces)
    return shown.replace("``", "` `")  # two adjacent spans would merge


def _text(text: str) -> str:
    """Return a plain text unchanged, and one with a meaning in Markdown or on GitHub as code."""
    return text if _PLAIN.fullmatch(text) else _code(text)


def _code(text: str) -> str:
    """Return a code span, in HTML if the text could end a Markdown span or the cell."""
    shown = printable(text)
    if shown == shown.strip() and _CODE.fullmatch(shown):
        return f"`{shown}`"
    escaped = (char if char.isalnum() or char == " " else f"&#{ord(char)};" for char in shown)
    return f"<code>{''.join(escaped)}</code>"
