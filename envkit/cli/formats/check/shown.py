"""What all formats of `envkit check` show: the report without what a team has accepted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from envkit._internal.paths import display_path
from envkit.checks.problem import Severity, exit_status, listed

if TYPE_CHECKING:
    from envkit.checks.ignore_file import Rule
    from envkit.checks.problem import Problem
    from envkit.checks.run import Report


class Shown(NamedTuple):
    """What is shown.

    Attributes:
        report: without what was accepted.
        ignored: that, each with the line that accepts it.
        strict: whether a warning is as bad as an error.
    """

    report: Report
    ignored: tuple[tuple[Problem, Rule], ...] = ()
    strict: bool = False

    @property
    def exit_status(self) -> int:
        """The command's."""
        return exit_status(self.report.problems, strict=self.strict)

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each severity, the gravest first."""
        found = Counter(problem.severity for problem in self.report.problems)
        return {severity: found[severity] for severity in Severity}

    @property
    def summary(self) -> str:
        """One line: `2 errors and 1 warning in dev and prod; 1 ignored`."""
        counts = [
            f"{count} {severity}{'' if count == 1 else 's'}"
            for severity, count in self.counts.items()
            if count
        ]
        where = f" in {listed(self.report.environments)}" if self.report.environments else ""
        parts = [f"{listed(counts) if counts else 'no problems'}{where}"]
        if self.ignored:
            parts.append(f"{len(self.ignored)} ignored")
        if self.report.offline:
            parts.append("no store was asked")
        return "; ".join(parts)


def concerns(problem: Problem) -> str:
    """Return the code of a problem and its environments: `value-absent, staging and prod`."""
    return ", ".join(filter(None, (problem.code, *_named(problem))))


def _named(problem: Problem) -> list[str]:
    return [listed(problem.environments)] if problem.environments else []


def place(problem: Problem) -> str:
    """Return where a problem is, for people: `profiles/prod.toml:12`; empty for nowhere."""
    if not problem.file:
        return ""
    return display_path(problem.file) + (f":{problem.line}" if problem.line else "")
