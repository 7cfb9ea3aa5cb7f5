"""Print results: tables for people, JSON for programs.

On a terminal, a table has colors, fits the width and breaks no word. In a pipe, it is plain text
in aligned columns with one line per row, never wrapped. NO_COLOR disables colors.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

SHORT = 8  # characters of a version that fit in a table
NARROWEST = 40  # columns


class Cell(NamedTuple):
    """The text of a table cell, and its style on a terminal."""

    text: str
    style: str = ""


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def printable(text: str) -> str:
    """Return `text` on one line, with all control characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def short_version(version: str | None) -> str:
    """Return a version if it is short enough for a table; longer ones are only in the JSON."""
    return version if version and len(version) <= SHORT else ""


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> None:
    """Print rows under their headers, without columns that are empty in all rows.

    Args:
        headers: one per column.
        rows: one cell per header in each; if there are none, nothing is printed.
    """
    if not rows:
        return
    cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    filled = [index for index in range(len(headers)) if any(row[index].text for row in cells)]
    headers = [headers[index] for index in filled]
    cells = [
        [row[index]._replace(text=printable(row[index].text)) for index in filled] for row in cells
    ]
    if on_terminal():
        from envkit.cli.formats.columns import lay_out

        print_lines(lambda width: lay_out(headers, cells, width))
    else:
        _print_plain(headers, cells)


def _print_plain(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    lines = [list(headers), *([cell.text for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{text:<{width}}" for text, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _console() -> Console:
    """Return the terminal, at least NARROWEST wide: rich prints nothing on a narrower one."""
    from rich.console import Console

    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    console = Console(highlight=False, color_system=colours)
    console.width = max(console.width, NARROWEST)
    return console


def print_lines(lines: Callable[[int], Iterable[Sequence[tuple[str, str]]]]) -> None:
    """Print lines of styled texts on a terminal.

    Args:
        lines: takes the width of the terminal and returns the styled texts of each line.
    """
    from rich.text import Text

    console = _console()
    for line in lines(console.width):
        console.print(Text.assemble(*line), soft_wrap=True)


def print_json(document: object) -> None:
    """Print a document for programs: JSON in ASCII, the same in every locale."""
    import json

    print(json.dumps(document, indent=2))
