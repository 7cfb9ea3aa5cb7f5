"""A comparison as annotations of GitHub Actions, the most severe first.

GitHub shows ten of a kind for each step; all of them stay in the log.

Reference: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import notes, summary
from envkit.cli.formats.github import annotation, below_root
from envkit.cli.output import printable
from envkit.comparison.model import CellState, DiffStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.cli.formats.diff.report import Report
    from envkit.comparison.model import Entry

_LEVELS = {
    DiffStatus.REUSED: "error",
    DiffStatus.UNREADABLE: "error",
    DiffStatus.MISSING: "warning",
    DiffStatus.DIFFERENT: "notice",
}
_TITLES = {
    DiffStatus.REUSED: "is reused",
    DiffStatus.UNREADABLE: "could not be read",
    DiffStatus.MISSING: "is missing",
    DiffStatus.DIFFERENT: "differs",
}

_THERE = (CellState.VALUE, CellState.PLACEHOLDER)


def render(report: Report, environ: Mapping[str, str]) -> str:
    """Return a workflow command for each difference, and a line that sums up.

    Args:
        report: what is to be shown.
        environ: `GITHUB_WORKSPACE` is where GitHub's paths begin.
    """
    lines = [
        _command(entry, report, environ)
        for entry in report.diff.entries
        if entry.status != DiffStatus.SAME
    ]
    return "\n".join([*lines, printable(summary(report))]) + "\n"


def _command(entry: Entry, report: Report, environ: Mapping[str, str]) -> str:
    properties = {"title": f"{entry.name} {_TITLES[entry.status]}"}
    path, colon, line = _place(entry).rpartition(":")
    if colon:
        properties = {"file": below_root(path, environ), "line": line, **properties}
    sentences = _sentences(entry, report)
    if DiffStatus.MISSING in entry.also or not sentences:
        sentences.append(_where(entry, report))
    message = "\n".join(sentences)
    return annotation(_LEVELS[entry.status], properties, message)


def _place(entry: Entry) -> str:
    """Return the line to look at: where the value is not, else the first that there is."""
    cells = sorted(
        entry.cells, key=lambda cell: cell.state not in (CellState.ABSENT, CellState.UNREADABLE)
    )
    return next((cell.location for cell in cells if cell.location), "")


def _sentences(entry: Entry, report: Report) -> list[str]:
    sentences = []
    for note in notes(entry, report.environments):
        text, advice = "".join(note.text), "".join(note.advice)
        sentences.append(printable(f"{text}: {advice}" if advice else text))
    return sentences


def _where(entry: Entry, report: Report) -> str:
    """Say which environments have the variable, where no note says more."""
    pairs = list(zip(report.environments, entry.cells, strict=True))
    there = [label for label, cell in pairs if cell.state in _THERE]
    rest = [label for label, cell in pairs if cell.state not in _THERE]
    text = f"in {', '.join(there)}" + (f", not in {', '.join(rest)}" if rest else "")
    return printable(text)
