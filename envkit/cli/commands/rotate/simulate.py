"""`envkit rotate simulate`: show future rotations and costs, from the profiles alone."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated

import typer

from envkit._internal.clock import Deadline
from envkit.arguments import timeout_seconds
from envkit.cli.commands.rotate.selection import Environments, collected_from
from envkit.cli.formats.rotation import simulated
from envkit.cli.output import print_json
from envkit.cli.parameters import (
    Profiles,
    TextFormat,
    TextFormatted,
)

EXAMPLE = "envkit rotate simulate --days 365"


def simulate(
    days: Annotated[
        int,
        typer.Option(
            "--days",
            metavar="DAYS",
            min=1,
            max=3660,
            help="Number of days to simulate, from 1 to 3660. [default: 365]",
            show_default=False,
        ),
    ] = 365,
    env: Environments = None,
    format_: TextFormatted = TextFormat.TEXT,
    profiles: Profiles = None,
) -> int:
    """Show when rotations would run, and what they would cost. Does not contact stores."""
    from envkit.rotation.scheduler.simulate import Simulated, read_prices, run_simulation

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
    if format_ is TextFormat.JSON:
        print_json(simulated.document(found))
    else:
        simulated.show(found)
    for name, error in collected.broken.items():
        print(f"envkit: warning: skipped {name}: {error.message}", file=sys.stderr)
    return 0
