"""Problems as annotations of GitHub Actions, the most severe first.

GitHub shows ten of each kind per step; the log has all of them.

Reference: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks.problem import KINDS, Severity
from envkit.cli.formats.check.shown import concerns
from envkit.cli.formats.github import annotation, below_root
from envkit.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.checks.problem import Problem
    from envkit.cli.formats.check.shown import Shown

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(shown: Shown, environ: Mapping[str, str]) -> str:
    """Return a workflow command for each problem, and a summary line.

    Args:
        shown: the problems to show.
        environ: the process environment.
    """
    lines = [_command(problem, environ) for problem in shown.report.problems]
    return "\n".join([*lines, printable(shown.summary)]) + "\n"


def _command(problem: Problem, environ: Mapping[str, str]) -> str:
    properties = {"title": KINDS[problem.code].title}
    if problem.file:
        file = below_root(problem.file, environ)
        properties = {"file": file, "line": str(problem.line or 1), **properties}
    sentence = f"{problem.message} [{concerns(problem)}]"
    message = "\n".join(printable(text) for text in (sentence, problem.hint) if text)
    return annotation(_LEVELS[problem.severity], properties, message)
