"""A comparison as annotations of GitHub Actions, the most severe first.

GitHub shows ten of each kind per step; the log has all of them.

Reference: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.diff.wording import folded_text, notes, summary
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
    """Return a workflow command for each difference, and a summary line.

    Secrets that are expected to differ are only in the log, not in an annotation.

    Args:
        report: the comparison.
        environ: `GITHUB_WORKSPACE` is the root of GitHub's paths.
    """
    lines = []
    for section in report.sections:
        if section.status != DiffStatus.SAME:
            lines += [_command(entry, report, environ) for entry in section.entries]
        if section.folded:
            lines.append(folded_text(section))
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
    """Return the place to look at: the first where the value is not set, or else the first one."""
    cells = sorted(
        entry.cells, key=lambda cell: cell.state not in (CellState.ABSENT, CellState.UNREADABLE)
    )
    return next((cell.location for cell in cells if cell.location), "")


def _sentences(entry: Entry, report: Report) -> list[str]:
    sentences = []
    for note in notes(entry, report):
        text, advice = "".join(note.text), "".join(note.advice)
        sentences.append(printable(f"{text}: {advice}" if advice else text))
    return sentences


def _where(entry: Entry, report: Report) -> str:
    """Return which environments set the variable."""
    pairs = list(zip(report.environments, entry.cells, strict=True))
    there = [label for label, cell in pairs if cell.state in _THERE]
    rest = [label for label, cell in pairs if cell.state not in _THERE]
    text = f"set in {', '.join(there)}" + (f", not set in {', '.join(rest)}" if rest else "")
    return printable(text)
