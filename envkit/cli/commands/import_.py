"""`envkit import`: write the variables of files into an environment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.audit.session import Access
from envkit.cli.changing.importing import Format, Formatted, Plan, Replace, Yes, carry_out
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.prompt import ask_reason
from envkit.cli.options import timeout_seconds
from envkit.cli.output import printable
from envkit.cli.parameters import OneEnv, Profiles, Reason, Timeout
from envkit.cli.rotated import rotations_of
from envkit.dotenv.file import LIMIT_BYTES
from envkit.errors import UsageError
from envkit.importing.inputs import STDIN, read_input, remove_input
from envkit.importing.model import Destination
from envkit.importing.run import prepare_import
from envkit.resolution.prepare import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.importing.inputs import Input
    from envkit.importing.run import PreparedImport

EXAMPLE = "envkit import .env.production --env prod --to vault --plan"

DEFAULT = "dotenv"


def import_(  # noqa: PLR0917 - typer names them
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files to import: .env, JSON, YAML or Compose. If several files set a variable, "
            "the last one counts. Use - for stdin.",
            show_default=False,
        ),
    ],
    env: OneEnv = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="SOURCE",
            help="Where to write secrets: dotenv, vault, aws, or another source of the profile. "
            "[default: dotenv]",
            show_default=False,
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service", metavar="NAME", help="Of a Compose file, the service. Repeatable."
        ),
    ] = None,
    replace: Replace = False,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Delete the files when all of their values are verified."),
    ] = False,
    plan: Plan = False,
    yes: Yes = False,
    format_: Formatted = Format.TEXT,
    reason: Reason = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Import variables from files into an environment."""
    with Access("import", reason=reason, ask=ask_reason) as access:
        if len(env or ()) > 1:
            raise UsageError("variables are imported into one environment", hint="use --env once")
        [name] = named(env or (), os.environ)
        stdin = sys.stdin.buffer.read(LIMIT_BYTES + 1) if STDIN in files else None
        inputs = [
            read_input(path, environ=os.environ, services=service or (), stdin=stdin)
            for path in files
        ]
        for one in inputs:
            for note in one.contents.notes:
                print_labelled("note", printable(note))
        prepared = prepare_import(
            name,
            [one.contents for one in inputs],
            Destination(to or DEFAULT, named=to is not None, replace=replace),
            rotations=rotations_of,
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        done = carry_out(prepared, access, plan=plan, yes=yes, format_=format_)
    if not remove or not done.verified:
        return done.status
    return max(done.status, _remove(inputs, prepared, complete=done.planned.is_complete))


def _remove(inputs: Sequence[Input], prepared: PreparedImport, *, complete: bool) -> int:
    """Delete the files, and return the exit status: 1 if one of them is kept."""
    status = 0
    for one in inputs:
        if one.path == STDIN:
            continue
        why = remove_input(one, prepared) if complete else "not everything was imported"
        if why is None:
            print_labelled("note", f"deleted {printable(one.path)}")
        else:
            print_labelled("warning", f"kept {printable(one.path)}: {printable(why)}")
            status = 1
    return status
