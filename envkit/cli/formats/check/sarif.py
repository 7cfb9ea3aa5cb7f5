"""Problems as SARIF 2.1.0, for GitHub's code scanning and other services that read it.

Accepted problems are suppressed results with their reasons; they are left out in GitHub
Actions, because GitHub ignores suppressions and would show them again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from envkit.checks.problem import KINDS, Severity
from envkit.cli.formats.check.shown import concerns
from envkit.cli.formats.github import below_root
from envkit.cli.formats.sarif_log import locations, sarif_log, suppression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.checks.problem import Kind, Problem
    from envkit.cli.formats.check.shown import Shown

_HELP = (
    "Each result says how to fix it. To accept a problem, add it to .envkit-ignore with a "
    "reason. To disable the check, use"
)


def render(shown: Shown, environ: Mapping[str, str]) -> str:
    """Return the text of a SARIF file.

    Args:
        shown: the problems to show.
        environ: the process environment.
    """
    results = [_result(problem, environ) for problem in shown.report.problems]
    for problem, rule in () if environ.get("GITHUB_ACTIONS") else shown.ignored:
        result = _result(problem, environ)
        results.append({**result, "suppressions": suppression(rule.reason)})
    return sarif_log(_rules(), results, successful=shown.exit_status in (0, 1))


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "id": code,
            "shortDescription": {"text": f"{kind.title}."},
            "fullDescription": {"text": f"{kind.title}. {_consequence(kind)}."},
            "help": {"text": f"{_HELP} --skip {code}."},
            "defaultConfiguration": {"level": kind.severity},
            "properties": {"tags": ["environment"]},
        }
        for code, kind in KINDS.items()
    ]


def _consequence(kind: Kind) -> str:
    if kind.severity == Severity.ERROR:
        return f"If envkit check finds it, the exit status is {kind.exit_status}"
    return (
        "It fails the check only with --strict"
        if kind.severity == Severity.WARNING
        else "It does not fail the check"
    )


def _result(problem: Problem, environ: Mapping[str, str]) -> dict[str, Any]:
    text = f"{problem.message} [{concerns(problem)}]"
    return {
        "ruleId": problem.code,
        "ruleIndex": list(KINDS).index(problem.code),
        "level": problem.severity,
        "message": {"text": ".\n".join(filter(None, (text, problem.hint)))},
        "partialFingerprints": {"envkitProblem/v1": _fingerprint(problem, environ)},
        **locations(problem.file, problem.line, environ),
    }


def _fingerprint(problem: Problem, environ: Mapping[str, str]) -> str:
    """Return a hash of the problem's names that does not change when lines move."""
    file = below_root(problem.file, environ) if problem.file else ""
    parts = (problem.code, file, *problem.variables, "", *problem.environments)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
