"""`envkit audit`: show who used or changed secrets, and verify the log."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit.audit.log import OFF, OK, SYSLOG, VARIABLE, destination
from envkit.audit.session import READ
from envkit.audit.verify import Anchor, parse_anchor, records, verify
from envkit.cli.command_help import HELP_FLAGS, ShownCommand, ShownGroup
from envkit.cli.output import Cell, print_json, print_table, short_version
from envkit.cli.parameters import Format, Formatted
from envkit.errors import AuditError, UsageError
from envkit.profile.value_types import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXAMPLE = "envkit audit show --profile prod --since 7d"

SHOWN_NAMES = 3
SHOWN_PROBLEMS = 20
_HEADERS = (
    *("TIME", "USER", "COMMAND", "PROFILE", "NAMES", "VERSIONS", "OUTCOME", "LOGIN", "REASON"),
)

audit = typer.Typer(
    cls=ShownGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    epilog=EXAMPLE,
    help="Show who used or changed secrets. Verify the log.",
)


@audit.command(cls=ShownCommand, epilog=EXAMPLE)
def show(
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Show only records of this profile."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Show only records of this variable."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Show only records after this time, such as 2h or 7d (ago) or 2026-11-01T09:30Z.",
        ),
    ] = None,
    format_: Formatted = Format.TABLE,
) -> int:
    """Show the records of the audit log, newest last."""
    after = _moment(since) if since else None
    found = [one for one in records(_path()) if _wanted(one, profile, name, after)]
    if format_ is Format.JSON:
        print_json({"records": found})
    else:
        print_table(_HEADERS, [_row(one, name) for one in found])
    return 0


@audit.command("verify", cls=ShownCommand, epilog="envkit audit verify --anchor audit.anchor")
def verify_log(
    anchor: Annotated[
        str | None,
        typer.Option(
            "--anchor",
            metavar="ANCHOR",
            help="Output of 'envkit audit anchor', or a file with it. The log must contain that "
            "record.",
        ),
    ] = None,
) -> int:
    """Check that no record was changed or removed."""
    path = _path()
    verdict = verify(path, _anchor(anchor) if anchor else None)
    for problem in verdict.problems[:SHOWN_PROBLEMS]:
        print(f"problem: {problem}")
    if (more := len(verdict.problems) - SHOWN_PROBLEMS) > 0:
        print(f"and {more} more problems")
    for note in verdict.notes:
        print(f"note: {note}")
    records_of = f"{verdict.records} record{'' if verdict.records == 1 else 's'} in {path}"
    if verdict.problems:
        print(f"{records_of}: modified")
        return 1
    print(f"{records_of}: intact")
    return 0


@audit.command(cls=ShownCommand, epilog="envkit audit anchor > /media/usb/audit.anchor")
def anchor() -> int:
    """Print the number and hash of the newest record."""
    verdict = verify(_path())
    if verdict.problems:
        raise AuditError(
            "cannot print an anchor: the audit log was modified",
            hint="run: envkit audit verify",
        )
    print(verdict.last)
    return 0


def _path() -> str:
    where = destination(os.environ)
    if where in (OFF, SYSLOG):
        raise UsageError(
            f"there is no audit log to read: {VARIABLE} is '{where}'",
            hint=f"set {VARIABLE} to the absolute path of a log, or unset it",
        )
    return where


def _anchor(given: str) -> Anchor:
    try:
        with open(given, encoding="ascii") as file:
            given = file.readline().strip()
    except (OSError, ValueError):
        pass  # it is the anchor itself, or invalid
    return parse_anchor(given)


def _moment(since: str) -> datetime:
    """Return the time for a duration such as `2h`, a day or a time.

    Raises:
        UsageError: the text is not one of these.
    """
    now = datetime.now(UTC)
    try:
        return now - timedelta(seconds=duration_seconds(since))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"--since '{since}' is not a time or a duration",
            hint="use --since 2h, or --since 2026-11-01",
        ) from None
    return moment.astimezone()


def _wanted(
    record: Mapping[str, Any], profile: str | None, name: str | None, after: datetime | None
) -> bool:
    return (
        (profile is None or profile in record.get("profiles", ()))
        and (name is None or name in record.get("names", ()))
        and (after is None or datetime.fromisoformat(record["time"]) >= after)
    )


def _row(record: Mapping[str, Any], name: str | None) -> list[str | Cell]:
    names = [name] if name else record["names"]
    return [
        record["time"],
        record["user"],
        record["command"],
        ", ".join(record["profiles"]),
        _names(names),
        _versions(record["versions"], names),
        _outcome(record),
        ", ".join(f"{source} {how}".strip() for source, how in record.get("logins", {}).items()),
        record["reason"] or "",
    ]


def _outcome(record: Mapping[str, Any]) -> Cell:
    outcome = record["outcome"]
    if record.get("break_glass"):
        return Cell(f"{outcome}, break-glass", "yellow" if outcome == OK else "red")
    return Cell(outcome, "green" if outcome in (OK, READ) else "red")


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _versions(versions: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """Return the versions of a single variable; the JSON output also has those of several."""
    if len(names) != 1:
        return ""
    return ", ".join(filter(None, map(short_version, versions.get(names[0], ()))))
