"""A comparison as one HTML page: no script, nothing from elsewhere, light and dark.

Everything is in the page, also what is the same; its status filters are plain CSS. The
roles say again what the elements say, because on a phone the table is laid out as blocks,
for which some browsers forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import Code, legend, notes, quoted, summary
from envkit.cli.formats.page_frame import framed
from envkit.cli.formats.page_frame import text as _text
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from envkit.cli.formats.diff.report import Report
    from envkit.cli.formats.diff.wording import Note
    from envkit.comparison.model import Cell


def render(report: Report, now: datetime) -> str:
    """Return the page.

    Args:
        report: what is to be shown.
        now: when the stores were read, with a zone.
    """
    full = report._replace(show_same=True)
    labels = [_text(label) for label in report.environments]
    return framed(
        "envkit diff",
        ", ".join(full.environments),
        heading=" <small>·</small> ".join(labels),
        summary=summary(full),
        body=[*_filters(full), *_table(full), *_ignored(full)],
        remarks=["".join(map(_piece, legend(full)))],
        package="envkit.cli.formats.diff",
        now=now,
    )


def _filters(report: Report) -> Iterator[str]:
    if len(report.sections) < 2:
        return
    yield "<fieldset><legend>Show variables that are</legend>"
    for status, _, entries in report.sections:
        checked = "" if status == DiffStatus.SAME else " checked"
        yield (
            f'<label class="{status}"><input type="checkbox" id="show-{status}"{checked}>'
            f"{status} <b>{len(entries)}</b></label>"
        )
    yield "</fieldset>"


def _table(report: Report) -> Iterator[str]:
    if not report.sections:
        return
    caption = _text(f"Variables of {', '.join(report.environments)}")
    heads = "".join(f'<th scope="col">{_text(label)}</th>' for label in report.environments)
    yield f'<div class="sheet"><table role="table"><caption class="hidden">{caption}</caption>'
    yield f'<thead><tr role="row"><th scope="col">variable</th>{heads}</tr></thead>'
    span = len(report.environments) + 1
    for status, title, entries in report.sections:
        yield f'<tbody class="{status}"><tr role="row" class="group">'
        yield f'<th scope="rowgroup" colspan="{span}">'
        yield f"<b>{status}</b>{_text(title)}</th></tr>"
        for index, entry in enumerate(entries):
            first = " first" if index == 0 else ""
            cells = "".join(map(_cell, report.environments, entry.cells))
            name = f'<th role="rowheader" scope="row"><code>{_text(entry.name)}</code></th>'
            yield f'<tr role="row" class="variable{first}">{name}{cells}</tr>'
            yield from _notes(notes(entry, report.environments), span)
        yield "</tbody>"
    yield "</table></div>"


def _cell(label: str, cell: Cell) -> str:
    places = ", ".join(cell.origins) or cell.location
    place = f'<span class="from">{_text(places)}</span>' if places else ""
    return f'<td role="cell" data-environment="{_text(label)}">{_value(cell)}{place}</td>'


def _value(cell: Cell) -> str:
    if cell.state == CellState.PLACEHOLDER or (
        cell.state == CellState.VALUE and cell.shown is not None
    ):
        return f"<code>{_text(quoted(cell.shown or ''))}</code>"
    if cell.state == CellState.VALUE:
        mask = '<span class="mask" role="img" aria-label="secret">••••••••</span>'
        if not cell.fingerprint:
            return mask
        length = cell.length if cell.length == "empty" else f"{cell.length} characters"
        return f'{mask}<code>{cell.fingerprint}</code> <span class="length">{length}</span>'
    words = {CellState.ABSENT: "absent", CellState.UNREADABLE: "unreadable"}
    return f'<span class="none">{words.get(cell.state, "not there")}</span>'


def _notes(said: Sequence[Note], span: int) -> Iterator[str]:
    if not said:
        return
    yield f'<tr role="row" class="notes"><td role="cell" colspan="{span}"><ul>'
    for note in said:
        danger = ' class="danger"' if note.dangerous else ""
        advice = "".join(map(_piece, note.advice))
        after = f'<span class="advice">{advice}</span>' if advice else ""
        yield f"<li{danger}>{''.join(map(_piece, note.text))}{after}</li>"
    yield "</ul></td></tr>"


def _ignored(report: Report) -> Iterator[str]:
    if report.ignored:
        yield f"<details><summary>{len(report.ignored)} ignored</summary><ul>"
        for entry, rule in report.ignored:
            why = _text(f" is {entry.status}: {rule.reason}")
            yield f"<li><code>{_text(entry.name)}</code>{why}</li>"
        yield "</ul></details>"


def _piece(piece: str) -> str:
    return f"<code>{_text(piece)}</code>" if isinstance(piece, Code) else _text(piece)
