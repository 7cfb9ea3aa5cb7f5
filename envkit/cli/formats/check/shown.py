"""The data that all formats of `envkit check` show: the report without accepted problems."""

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
    """A report and its accepted problems.

    Attributes:
        report: the report, without accepted problems.
        ignored: the accepted problems, each with the rule that accepts it.
        strict: whether warnings fail the check.
    """

    report: Report
    ignored: tuple[tuple[Problem, Rule], ...] = ()
    strict: bool = False

    @property
    def exit_status(self) -> int:
        """The exit status of the command."""
        return exit_status(self.report.problems, strict=self.strict)

    @property
    def counts(self) -> dict[str, int]:
        """The number of problems per severity, most severe first."""
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
            parts.append("no store was contacted")
        return "; ".join(parts)


def concerns(problem: Problem) -> str:
    """Return the code of a problem and its environments: `value-absent, staging and prod`."""
    return ", ".join(filter(None, (problem.code, *_named(problem))))


def _named(problem: Problem) -> list[str]:
    return [listed(problem.environments)] if problem.environments else []


def place(problem: Problem) -> str:
    """Return the place of a problem, such as `profiles/prod.toml:12`; empty if it has none."""
    if not problem.file:
        return ""
    return display_path(problem.file) + (f":{problem.line}" if problem.line else "")
