"""`envkit backup drill`: resolve the profiles of a backup from nothing but the backup."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.os_errors import reason_of
from envkit.audit.session import Access
from envkit.backup.drill import drill as run_drill
from envkit.backup.drill_state import METRICS, save_drill
from envkit.backup.drill_state import metrics as metrics_text
from envkit.cli.commands.backup import documents
from envkit.cli.commands.backup.opening import (
    File,
    Identities,
    count,
    described,
    open_backup,
    refuse_other_content,
)
from envkit.cli.error_text import print_error, print_labelled
from envkit.cli.output import print_json, printable
from envkit.cli.parameters import TextFormat, TextFormatted
from envkit.cli.result import write_result
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from envkit.backup.drill import DrillReport
    from envkit.cli.commands.backup.opening import Opened

EXAMPLE = "envkit backup drill prod.age --identity key.txt"


def drill(
    file: File,
    identity: Identities = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="FILE",
            help="Write the result to FILE, for the textfile collector of Prometheus.",
        ),
    ] = None,
    format_: TextFormatted = TextFormat.TEXT,
) -> int:
    """Test that a backup can be restored, in memory, without a store.

    Every variable of the profiles in the backup must get a valid value from the backup alone. Run
    it from cron or CI after each backup.
    """
    started = time.monotonic()
    if metrics is not None:
        refuse_other_content(metrics, "--metrics", METRICS.encode())
    with Access("backup drill") as access:
        try:
            opened = open_backup(file, identity, access)
        except EnvkitError:
            unwritten = _write_metrics(metrics_text(None, None, at=time.time()), metrics)
            if unwritten is not None:
                print_error(unwritten)
            raise
        backup = opened.backup
        names = list(dict.fromkeys(name for one in backup.secrets() for name in one.names))
        access.observe(backup.names, names)
        report = run_drill(backup, started=started)
        if format_ is TextFormat.JSON:
            print_json(documents.drilled(opened, report))
        else:
            _show(opened, report)
        unwritten = _write_metrics(metrics_text(report, backup, at=report.at), metrics)
        try:
            save_drill(report, backup, file=file, sha256=opened.sha256, environ=os.environ)
        except (OSError, EnvkitError) as error:
            why = error.message if isinstance(error, EnvkitError) else reason_of(error)
            print_labelled("warning", f"cannot save when this drill ran: {why}")
        if report.error is not None:
            if unwritten is not None:
                print_error(unwritten)
            raise report.error
        if unwritten is not None:
            raise unwritten
        access.record(names, {})
    return 0


def _write_metrics(text: str, path: str | None) -> EnvkitError | None:
    """Write the metrics; return why they cannot be written."""
    try:
        if path is not None:
            write_result(text.encode(), path, mode=0o644)
    except EnvkitError as error:
        return error
    return None


def _show(opened: Opened, report: DrillReport) -> None:
    print(described(opened, report.age_seconds))
    for one in report.environments:
        line = f"{one.name}: {count(one.resolved, 'variable')} resolved from the backup"
        if one.not_covered:
            line += f"; in no backup: {', '.join(one.not_covered)}"
        print(printable(line))
    print(f"took {report.duration_seconds:.1f} s", flush=True)
