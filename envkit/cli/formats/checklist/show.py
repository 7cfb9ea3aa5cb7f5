"""Print the checklist, or write it to a file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from envkit.checks.checklist.model import ItemState, exit_status
from envkit.cli.formats.checklist.words import STATES, TITLES, summary
from envkit.cli.output import Cell, print_table, printable
from envkit.cli.result import write_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.checks.checklist.model import Checklist, Item

_STYLES = {
    ItemState.FAILED: "red",
    ItemState.WARNING: "yellow",
    ItemState.NOT_CONFIGURED: "dim",
    ItemState.OK: "green",
}


def show(checklists: Sequence[Checklist], format_: str, output: str | None, *, strict: bool) -> int:
    """Show the checklist of each environment, and return the exit status.

    Args:
        checklists: one for each environment.
        format_: `text`, `markdown`, `html` or `json`.
        output: a file; None and `-` mean stdout.
        strict: whether warnings fail.
    """
    status = exit_status(checklists, strict=strict)
    if format_ == "text" and output in (None, "-"):
        for one in checklists:
            _print(one)
        print(summary(checklists))
        return status
    write_result(_rendered(checklists, format_).encode("utf-8", "backslashreplace"), output)
    if output not in (None, "-"):
        print(f"envkit: note: {summary(checklists)}; see {output}", file=sys.stderr)
    return status


def _rendered(checklists: Sequence[Checklist], format_: str) -> str:
    if format_ == "json":
        from envkit.cli.formats.checklist.json_document import render

        return render(checklists)
    if format_ == "markdown":
        from envkit.cli.formats.checklist import markdown

        return markdown.render(checklists)
    if format_ == "html":
        from envkit.cli.formats.checklist import page

        return page.render(checklists, time.time())
    return "".join(f"{line}\n" for one in checklists for line in _lines(one))


def _print(one: Checklist) -> None:
    print(f"Deployment checklist: {one.environment}\n")
    rows: list[list[str | Cell]] = [
        [
            Cell(STATES[item.state], _STYLES[item.state]),
            Cell(TITLES[item.kind], "bold"),
            item.summary,
        ]
        for item in one.items
    ]
    print_table(("STATE", "ITEM", "WHY"), rows)
    print()
    for item in one.items:
        if item.state != ItemState.OK and (item.details or item.hint):
            print(f"{TITLES[item.kind]}:")
            for line in _more(item):
                print(printable(line))
            print()


def _lines(one: Checklist) -> Iterator[str]:
    yield f"Deployment checklist: {one.environment}"
    for item in one.items:
        yield f"{STATES[item.state]}: {TITLES[item.kind]}: {printable(item.summary)}"
        yield from map(printable, _more(item))


def _more(item: Item) -> Iterator[str]:
    yield from (f"  {text}" for text in item.details)
    if item.hint and item.state != ItemState.OK:
        yield f"  hint: {item.hint}"
