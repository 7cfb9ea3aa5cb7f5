"""Findings as SARIF, for GitHub's code scanning and other services that read it.

Accepted findings are suppressed results with their reasons; they are left out in GitHub Actions,
because GitHub ignores suppressions and would show them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.cli.formats.sarif_log import locations, sarif_log, suppression
from envkit.cli.formats.scan.wording import TITLES, concerns, hint, sentence
from envkit.scan.found import FindingCode, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.scan.found import Finding, Report

_CODES = list(FindingCode)


def render(report: Report, environ: Mapping[str, str]) -> str:
    """Return the text of a SARIF file.

    Args:
        report: the result of a scan.
        environ: the process environment.
    """
    results = [_result(finding, report, environ) for finding in report.findings]
    for finding, rule in () if environ.get("GITHUB_ACTIONS") else report.ignored:
        result = _result(finding, report, environ)
        results.append({**result, "suppressions": suppression(rule.reason)})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": f"{TITLES[code]}."},
            "help": {"text": f"{hint(code, Scope.TREE)}."},
            "defaultConfiguration": {"level": "error"},
            "properties": {"tags": ["security"]},
        }
        for code in _CODES
    ]
    return sarif_log(rules, results, successful=report.exit_status in (0, 1))


def _result(finding: Finding, report: Report, environ: Mapping[str, str]) -> dict[str, Any]:
    fix = hint(finding.code, report.scope, finding.what)
    message = f"{sentence(finding)} [{concerns(finding)}].\n{fix}"
    return {
        "ruleId": finding.code,
        "ruleIndex": _CODES.index(finding.code),
        "level": "error",
        "message": {"text": message},
        "partialFingerprints": {"envkitFinding/v1": finding.fingerprint(report.root)},
        **locations(finding.file, finding.line, environ),
    }
