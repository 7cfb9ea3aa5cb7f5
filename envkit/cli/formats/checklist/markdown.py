"""The checklist as Markdown, for an issue or a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks.checklist.model import ItemState
from envkit.cli.formats.checklist.words import STATES, TITLES, summary
from envkit.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.checks.checklist.model import Checklist, Item

# a name from a store or profile must not become markup, a link or a mention
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~@&])")
_ADDRESS = re.compile(r"(?i)\b(https?:|www\.)")


def render(checklists: Sequence[Checklist]) -> str:
    """Return the Markdown text."""
    lines = [line for one in checklists for line in _lines(one)]
    return "\n".join([*lines, f"{summary(checklists)}", ""])


def _lines(one: Checklist) -> Iterator[str]:
    yield f"### Deployment checklist: {_text(one.environment)}"
    yield ""
    for item in one.items:
        box = "x" if item.state == ItemState.OK else " "
        yield f"- [{box}] **{TITLES[item.kind]}** ({STATES[item.state]}): {_text(item.summary)}"
        yield from (f"  - {line}" for line in _more(item))
    yield ""


def _more(item: Item) -> Iterator[str]:
    yield from map(_text, item.details)
    if item.hint and item.state != ItemState.OK:
        yield f"hint: {_text(item.hint)}"


def _text(text: str) -> str:
    escaped = _MARKUP.sub(r"\\\1", " ".join(printable(text).split()))
    return _ADDRESS.sub(_without_link, escaped)


def _without_link(found: re.Match[str]) -> str:
    return found.group().replace(":", "&#58;").replace(".", "&#46;")
