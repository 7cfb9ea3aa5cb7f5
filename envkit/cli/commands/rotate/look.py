"""`envkit rotate status` and `envkit rotate simulate`: look, and change nothing."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from typing import Annotated

import typer

from envkit._internal.clock import Deadline
from envkit.cli.commands.rotate.selection import (
    Environments,
    Format,
    Formatted,
    collected_from,
    show_standings,
)
from envkit.cli.formats.rotation import simulated, standings
from envkit.cli.options import timeout_seconds
from envkit.cli.output import print_json
from envkit.cli.parameters import Output, Profiles, Timeout
from envkit.cli.result import write_result
from envkit.rotation.status import broken, look_at

STATUS_EXAMPLE = "envkit rotate status --format html -o r.html"
SIMULATE_EXAMPLE = "envkit rotate simulate --days 365"


class StatusFormat(StrEnum):
    """How the status is shown."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def status(
    env: Environments = None,
    format_: Annotated[
        StatusFormat,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="table, unless said; json; html, a page with a timeline.",
            show_default=False,
        ),
    ] = StatusFormat.TABLE,
    output: Output = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Show where every rotation stands; exit with 1 if somebody has to look."""
    deadline = Deadline(timeout_seconds(timeout))
    collected = collected_from(env, profiles, os.environ, deadline)
    moment = time.time()
    found = look_at(collected.rotations, environ=os.environ, now=moment, deadline=deadline)
    found += broken(collected)
    if format_ is not StatusFormat.HTML and output is None:
        return show_standings(found, as_json=format_ is StatusFormat.JSON)
    if format_ is StatusFormat.HTML:
        from envkit.cli.formats.rotation import page

        text = page.render(found, collected.rotations, moment)
    elif format_ is StatusFormat.JSON:
        text = standings.json_text(found)
    else:
        text = standings.plain(found)
    write_result(text.encode(), output)
    return int(any(one.alarming for one in found))


def simulate(
    days: Annotated[
        int,
        typer.Option(
            "--days",
            metavar="DAYS",
            min=1,
            max=3660,
            help="How many, from now; 365 unless said.",
            show_default=False,
        ),
    ] = 365,
    env: Environments = None,
    format_: Formatted = Format.TEXT,
    profiles: Profiles = None,
) -> int:
    """Show when everything would be rotated, and what it would cost; ask no store."""
    from envkit.rotation.simulate import Simulated, read_prices
    from envkit.rotation.simulate import simulate as run_simulation

    collected = collected_from(env, profiles, os.environ, Deadline(timeout_seconds(None)))
    found = run_simulation(
        [
            Simulated(one.policy, one.profile.sources[one.policy.secret.source].type)
            for one in collected.rotations
        ],
        start=time.time() // 60 * 60,
        days=days,
        prices=read_prices(),
    )
    if format_ is Format.JSON:
        print_json(simulated.document(found))
    else:
        simulated.show(found)
    for name, error in collected.broken.items():
        print(f"envkit: warning: {name} is left out: {error.message}", file=sys.stderr)
    return 0
