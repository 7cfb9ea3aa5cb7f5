"""A comparison as JSON, for programs. Its schema is docs/reference/diff.schema.json.

Fields may be added to `envkit.diff/1`; none is removed or changes its meaning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envkit.cli.formats.diff.report import Report
    from envkit.comparison.model import Cell, Entry

SCHEMA = "envkit.diff/1"


def render(report: Report) -> str:
    """Return the JSON text, in ASCII, so that every locale can encode it."""
    document = {
        "schema": SCHEMA,
        "compared": "profiles" if report.profiles_only else "values",
        "environments": list(report.environments),
        "identical": report.diff.identical,
        "counts": report.diff.counts,
        "entries": [_entry(entry, report) for entry in report.diff.entries],
        "ignored": [
            {
                "name": entry.name,
                "status": entry.status,
                "reason": rule.reason,
                "location": rule.location,
            }
            for entry, rule in report.ignored
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _entry(entry: Entry, report: Report) -> dict[str, Any]:
    return {
        "name": entry.name,
        "status": entry.status,
        "also": list(entry.also),
        "values": [
            _cell(label, cell) for label, cell in zip(report.environments, entry.cells, strict=True)
        ],
        "findings": [
            {
                "kind": finding.kind,
                "subject": finding.subject,
                "dangerous": finding.dangerous,
                "shown": list(finding.shown),
                "places": [place._asdict() for place in finding.places],
            }
            for finding in entry.findings
        ],
    }


def _cell(label: str, cell: Cell) -> dict[str, Any]:
    return {
        "environment": label,
        "state": cell.state,
        "value": cell.shown,
        "secret": cell.secret,
        "length": cell.length,
        "fingerprint": cell.fingerprint,
        "origins": list(cell.origins),
        "location": cell.location,
        "reason": cell.reason,
        "code": cell.code,
    }
