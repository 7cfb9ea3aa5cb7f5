"""Findings as lines that people and editors can parse: `FILE:LINE: error: MESSAGE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.formats.layout import Span, wrapped
from envkit.cli.formats.scan.wording import concerns, hint, place, sentence, summary
from envkit.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.scan.found import Report

_INDENT = 4


def plain(report: Report) -> str:
    """Return the findings as text without wrapped lines."""
    return "".join("".join(span.text for span in line) + "\n" for line in _lines(report))


def styled(report: Report, width: int) -> Iterator[list[Span]]:
    """Yield the lines for a terminal, each as styled texts."""
    for line in _lines(report):
        yield from wrapped(line, width, _INDENT)


def _lines(report: Report) -> Iterator[list[Span]]:
    hints = set()
    for finding in report.findings:
        yield [
            Span(printable(f"{place(finding)}: "), "bold"),
            Span("error:", "bold red"),
            Span(f" {printable(sentence(finding))} "),
            Span(printable(f"[{concerns(finding)}]"), "dim"),
        ]
        fix = hint(finding.code, report.scope, finding.what)
        if fix not in hints:
            hints.add(fix)
            yield [Span(" " * _INDENT), Span(fix, "cyan")]
    yield [Span(printable(summary(report)), "" if report.findings else "bold green")]
