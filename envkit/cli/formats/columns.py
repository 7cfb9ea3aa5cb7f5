"""Lay out a table on a terminal, with one line per row and no broken references.

Cells are wrapped between words. A cell with a word that is wider than its column, such as a
reference or a URL, gets its own line below its row, after the header of its column.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from envkit.cli.formats.layout import Span, columns, padded, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 2
_INDENT = 4


def lay_out(
    headers: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], width: int
) -> Iterator[list[Span]]:
    """Yield the lines of a table, each as styled texts.

    Args:
        headers: one per column.
        rows: the cells of each row: a text and its style. The first cell names the row.
        width: the width of the terminal, in columns.
    """
    widths = _widths(headers, rows, width)
    yield _line([[Span(headers[at], "bold")] for at in widths], list(widths.values()))
    for row in rows:
        below = [at for at, (text, _) in enumerate(row) if text and not _fits(at, text, widths)]
        cells: list[list[list[Span]]] = [
            wrapped([Span(*row[at])], room) if at not in below else [[]]
            for at, room in widths.items()
        ]
        for line in zip_longest(*cells, fillvalue=[]):
            yield _line(line, list(widths.values()))
        for at in below:
            label = Span(f"{' ' * _INDENT}{headers[at].lower()}: ", "dim")
            yield from wrapped([label, Span(*row[at])], width, _INDENT + _GAP)


def _widths(
    headers: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], width: int
) -> dict[int, int]:
    """Return the width of each column, without columns whose cells mostly do not fit."""
    texts = [[header, *(row[at][0] for row in rows)] for at, header in enumerate(headers)]
    widths = {at: max(map(columns, column)) for at, column in enumerate(texts)}
    natural = dict(widths)
    while True:
        room = width - _GAP * (len(widths) - 1)
        share = max(1, (room - widths[0]) // max(1, len(widths) - 1))
        least = {at: min(max(map(_longest_word, texts[at])), share) for at in widths}
        widths = _shrunk({at: natural[at] for at in widths}, {**least, 0: natural[0]}, room)
        others = [at for at in widths if at]
        crowded = [at for at in others if _is_crowded(at, texts[at][1:], widths)]
        if sum(widths.values()) > room:
            crowded = crowded or others
        if not crowded:
            return {at: min(wide, width) for at, wide in widths.items()}
        del widths[max(crowded, key=natural.__getitem__)]


def _shrunk(widths: dict[int, int], least: dict[int, int], room: int) -> dict[int, int]:
    """Return widths that fit the room; the widest columns are shrunk first."""
    while sum(widths.values()) > room:
        wide = [at for at in widths if widths[at] > least[at]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _is_crowded(at: int, texts: Sequence[str], widths: dict[int, int]) -> bool:
    filled = [text for text in texts if text]
    return 2 * sum(not _fits(at, text, widths) for text in filled) > len(filled)


def _fits(at: int, text: str, widths: dict[int, int]) -> bool:
    return at == 0 or (at in widths and _longest_word(text) <= widths[at])


def _longest_word(text: str) -> int:
    return max(map(columns, text.split()), default=0)


def _line(cells: Sequence[Sequence[Span]], widths: Sequence[int]) -> list[Span]:
    line: list[Span] = []
    for spans, wide in zip(cells, widths, strict=True):
        text, style = ("".join(span.text for span in spans), spans[0].style) if spans else ("", "")
        line.append(Span(padded(text.rstrip(), wide), style))
        line.append(Span(" " * _GAP))
    line.pop()
    return line
