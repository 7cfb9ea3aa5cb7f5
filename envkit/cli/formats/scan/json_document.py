"""A scan as JSON, for programs. Its keys are listed in docs/reference/json.md.

Fields may be added to `envkit.scan/1`; none is removed or changes its meaning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envkit._internal.paths import display_path

if TYPE_CHECKING:
    from envkit.scan.found import Finding, Report

SCHEMA = "envkit.scan/1"


def render(report: Report) -> str:
    """Return the JSON text, in ASCII, so that every locale can encode it."""
    document = {
        "schema": SCHEMA,
        "scope": report.scope,
        "passed": report.exit_status == 0,
        "contents": report.contents,
        "findings": [_finding(finding, report.root) for finding in report.findings],
        "ignored": [
            {**_finding(finding, report.root), "reason": rule.reason, "location": rule.location}
            for finding, rule in report.ignored
        ],
        "searched": [owner._asdict() for owner in report.searched],
        "skipped": [
            {**owner._asdict(), "reason": reason} for owner, reason in report.skipped.items()
        ],
        "unread": [
            *(one._asdict() for one in report.unread),
            *(
                {"name": f"{failure.name} ({failure.location})", "reason": failure.error.message}
                for failure in report.failures
            ),
        ],
        "notes": list(report.notes),
    }
    return json.dumps(document, indent=2) + "\n"


def _finding(finding: Finding, root: str) -> dict[str, Any]:
    return {
        "code": finding.code,
        "path": display_path(finding.file) if finding.file else None,
        "line": finding.line,
        "commit": finding.commit or None,
        "variable": finding.variable or None,
        "environments": list(finding.environments),
        "what": finding.what,
        "fingerprint": finding.fingerprint(root),
    }
