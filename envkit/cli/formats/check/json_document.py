"""Problems as JSON, for programs. Its schema is docs/reference/check.schema.json.

Fields may be added to `envkit.check/1`; none is removed or changes its meaning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envkit._internal.paths import display_path

if TYPE_CHECKING:
    from envkit.checks.problem import Problem
    from envkit.cli.formats.check.shown import Shown

SCHEMA = "envkit.check/1"


def render(shown: Shown) -> str:
    """Return the JSON text, in ASCII, so that every locale can encode it."""
    document = {
        "schema": SCHEMA,
        "environments": list(shown.report.environments),
        "offline": shown.report.offline,
        "passed": shown.exit_status == 0,
        "counts": shown.counts,
        "problems": [_problem(problem) for problem in shown.report.problems],
        "ignored": [
            {**_problem(problem), "reason": rule.reason, "location": rule.location}
            for problem, rule in shown.ignored
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "file": display_path(problem.file) if problem.file else None,
        "line": problem.line or None,
        "environments": list(problem.environments),
        "variables": list(problem.variables),
    }
