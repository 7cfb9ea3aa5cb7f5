"""`envkit env migrate`: move the values of an environment's own files to a store."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.changing.importing import Plan, Replace, carry_out
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import (
    BreakGlass,
    OneEnv,
    Profiles,
    Reason,
    TextFormat,
    TextFormatted,
    Timeout,
    Yes,
)
from envkit.cli.rotated import rotations_of
from envkit.errors import UsageError
from envkit.importing.model import Destination
from envkit.importing.run import prepare_import
from envkit.resolution.prepare import named

ENCRYPTED = "encrypted"  # a destination of `envkit import`
EXAMPLE = "envkit env migrate --env prod --to vault --plan"


def migrate(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="SOURCE",
            help="Where to write values: vault, aws, or another source of the profile.",
            show_default=False,
        ),
    ],
    env: OneEnv = None,
    replace: Replace = False,
    plan: Plan = False,
    yes: Yes = False,
    format_: TextFormatted = TextFormat.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Move values from .env files to a store."""
    with open_access("env migrate", reason, break_glass=break_glass) as access:
        if len(env or ()) > 1:
            raise UsageError(
                "only one environment can be migrated at a time", hint="use --env once"
            )
        [name] = named(env or (), os.environ)
        if to == ENCRYPTED:
            raise UsageError(
                "values in .env files are encrypted where they are",
                hint=f"run: envkit env init --env {name}",
            )
        prepared = prepare_import(
            name,
            None,
            Destination(to, named=True, replace=replace),
            rotations=rotations_of,
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        done = carry_out(prepared, access, plan=plan, yes=yes, format_=format_)
    if done.verified and done.planned.changes.plan.changes and format_ is TextFormat.TEXT:
        print("the .env files still have the values: delete them when no other program reads them")
    return done.status
