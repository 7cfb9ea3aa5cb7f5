"""Problems as lines that people and editors can parse: `FILE:LINE: error: MESSAGE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks.problem import Severity
from envkit.cli.formats.check.shown import concerns, place
from envkit.cli.formats.layout import Span, wrapped
from envkit.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.problem import Problem
    from envkit.cli.formats.check.shown import Shown

_INDENT = 4
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def plain(shown: Shown) -> str:
    """Return the problems as text without wrapped lines."""
    return "".join("".join(span.text for span in line) + "\n" for line in _lines(shown))


def styled(shown: Shown, width: int) -> Iterator[list[Span]]:
    """Yield the lines for a terminal, each as styled texts."""
    for line in _lines(shown):
        yield from wrapped(line, width, _INDENT)


def _lines(shown: Shown) -> Iterator[list[Span]]:
    hints: set[str] = set()
    for problem in shown.report.problems:
        yield _line(problem)
        if problem.hint and problem.hint not in hints:  # show each hint once
            hints.add(problem.hint)
            yield [Span(" " * _INDENT), Span(printable(problem.hint), "cyan")]
    yield [Span(printable(shown.summary), "" if shown.exit_status else "bold green")]


def _line(problem: Problem) -> list[Span]:
    where = place(problem)
    return [
        Span(printable(f"{where}: " if where else ""), "bold"),
        Span(f"{problem.severity}:", _STYLES[problem.severity]),
        Span(f" {printable(problem.message)} "),
        Span(printable(f"[{concerns(problem)}]"), "dim"),
    ]
