"""`envkit rotate status`: show the state of every rotation, and change nothing."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from typing import Annotated

import typer

from envkit._internal.clock import Deadline
from envkit.arguments import timeout_seconds
from envkit.cli.commands.rotate.selection import (
    Environments,
    collected_from,
    orphans_of,
    require_some,
    show_statuses,
)
from envkit.cli.formats.rotation import statuses
from envkit.cli.interaction.trusting import split_by_trust
from envkit.cli.parameters import Output, Profiles, Timeout
from envkit.cli.result import write_result
from envkit.rotation.orphans import status_of_orphan
from envkit.rotation.status import broken
from envkit.rotation.status_reading import read_statuses

EXAMPLE = "envkit rotate status --format html -o r.html"


class Format(StrEnum):
    """The output formats of the status."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def status(
    env: Environments = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="table, json, or html (a page with a timeline). [default: table]",
            show_default=False,
        ),
    ] = Format.TABLE,
    output: Output = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Show the state of every rotation."""
    deadline = Deadline(timeout_seconds(timeout))
    collected = collected_from(env, profiles, os.environ, deadline, may_be_none=True)
    rotations, refused = split_by_trust(collected.rotations, reading=True)
    collected = collected._replace(broken={**collected.broken, **refused})
    deadline.restart()
    moment = time.time()
    found = read_statuses(rotations, environ=os.environ, now=moment, deadline=deadline)
    orphans = orphans_of(collected, env, profiles, os.environ, deadline)
    found += [status_of_orphan(one) for one in orphans.orphans]
    require_some(found, collected, env)
    found += broken(collected)
    if format_ is not Format.HTML and output is None:
        return show_statuses(
            found, as_json=format_ is Format.JSON, not_looked_at=orphans.not_looked_at
        )
    if format_ is Format.HTML:
        from envkit.cli.formats.rotation import page

        text = page.render(found, collected.rotations, moment)
    elif format_ is Format.JSON:
        text = statuses.json_text(found)
    else:
        text = statuses.plain(found)
    write_result(text.encode(), output)
    return int(any(one.needs_attention for one in found))
