"""`envkit doctor`: diagnose profiles, settings and logins to stores."""

from __future__ import annotations

from envkit.checks.doctor import examine
from envkit.checks.doctor_stores import CheckStatus
from envkit.cli.options import timeout_seconds
from envkit.cli.output import Cell, print_json, print_table
from envkit.cli.parameters import AnyEnv, Format, Formatted, Profiles, Timeout

EXAMPLE = "envkit doctor --env prod"

_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.NOTE: "dim",
    CheckStatus.WARNING: "yellow",
    CheckStatus.ERROR: "red",
}


def doctor(
    env: AnyEnv = None,
    format_: Formatted = Format.TABLE,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Find problems with profiles, settings and logins to stores."""
    report = examine(env or (), profiles=profiles, timeout_seconds=timeout_seconds(timeout))
    if format_ is Format.JSON:
        checks = [check._asdict() for check in report.checks]
        print_json({**report._asdict(), "healthy": report.healthy, "checks": checks})
    else:
        print(f"envkit {report.envkit}, Python {report.python}\n")
        rows: list[list[str | Cell]] = []
        for check in report.checks:
            status = Cell(check.status, _STYLES[check.status])
            rows.append([status, check.profile, check.source, check.message])
            if check.hint:
                rows.append(["", "", "", Cell(check.hint, "cyan")])
        print_table(("STATUS", "PROFILE", "SOURCE", "WHAT"), rows)
    return 0 if report.healthy else 1
