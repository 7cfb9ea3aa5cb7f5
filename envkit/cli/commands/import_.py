"""`envkit import`: write the variables of files into an environment."""

from __future__ import annotations

import os
import sys
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit.arguments import timeout_seconds
from envkit.cli.changing.encryption import Encryption
from envkit.cli.changing.importing import Plan, Replace, carry_out
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.output import printable
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
from envkit.dotenv.file import LIMIT_BYTES
from envkit.env_files.contents import read
from envkit.env_files.locate import locate, of_path
from envkit.env_files.readers import guarded_readers
from envkit.errors import UsageError
from envkit.importing.inputs import STDIN, read_input, remove_input
from envkit.importing.model import Destination
from envkit.importing.run import prepare_import
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.prepare import named
from envkit.sources.dotenv import DotenvSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.importing.inputs import Input
    from envkit.importing.run import PreparedImport

EXAMPLE = "envkit import .env.production --env prod --to vault --plan"

DEFAULT, ENCRYPTED = "dotenv", "encrypted"


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
            help="Where to write secrets: dotenv, encrypted, vault, aws, or another source of the "
            "profile. [default: dotenv]",
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
    format_: TextFormatted = TextFormat.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Import variables from files into an environment."""
    with open_access("import", reason, break_glass=break_glass) as access:
        if len(env or ()) > 1:
            raise UsageError("variables are imported into one environment", hint="use --env once")
        [name] = named(env or (), os.environ)
        load(name, profiles_folder(profiles, os.environ))  # its errors come before those of files
        stdin = sys.stdin.buffer.read(LIMIT_BYTES + 1) if STDIN in files else None
        inputs = [
            read_input(path, environ=os.environ, services=service or (), stdin=stdin)
            for path in files
        ]
        for one in inputs:
            for note in one.contents.notes:
                print_labelled("note", printable(note))
        encryption = None
        destination = Destination(to or DEFAULT, named=to is not None, replace=replace)
        if to == ENCRYPTED:
            file = locate([name], None, profiles=profiles, environ=os.environ)
            encryption = Encryption(file, os.environ, timeout_seconds=timeout_seconds(timeout))
            destination = destination._replace(
                source=file.source.name, file=os.path.relpath(file.beside, file.source.root)
            )
        prepared = prepare_import(
            name,
            [one.contents for one in inputs],
            destination,
            rotations=rotations_of,
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        guards = [
            guard
            for path in files
            if path != STDIN
            for guard in guarded_readers(path, profiles, os.environ, prepared.deadline)
        ]
        done = carry_out(
            prepared,
            access,
            plan=plan,
            yes=yes,
            format_=format_,
            encryption=encryption,
            guards=guards,
        )
    sys.stdout.flush()  # keeps the order if both go to the same file
    if encryption is None and done.verified:
        _warn_of_git(prepared)
    if not remove or not done.verified:
        return done.status
    return max(done.status, _remove(inputs, prepared, complete=done.planned.is_complete))


def _warn_of_git(prepared: PreparedImport) -> None:
    """Warn of a plain file that the next commit could include."""
    source = prepared.target.sources[prepared.destination.source]
    references = prepared.target.plan.references.get(source.name, ())
    if not isinstance(source, DotenvSource) or not references:
        return
    repository = find_repository(source.root, os.environ)
    paths = [path for path in source.files(references[0]) if os.path.isfile(path)]
    if repository is None:
        return
    for path in sorted({*paths} - repository.ignored(paths)):
        found = read(of_path(path, os.environ, prepared.deadline))
        if found is not None and found.plain:
            shown = display_path(path)
            print_labelled("warning", f"git does not ignore {shown}, which has plain secrets")
            print_labelled("hint", f"run: echo {quote('/' + os.path.basename(path))} >> .gitignore")


def _remove(inputs: Sequence[Input], prepared: PreparedImport, *, complete: bool) -> int:
    """Delete the files, and return the exit status: 1 if one of them is kept."""
    status = 0
    for one in inputs:
        if one.version is None:  # a pipe
            continue
        why = remove_input(one, prepared) if complete else "not everything was imported"
        if why is None:
            print_labelled("note", f"deleted {printable(one.path)}")
        else:
            print_labelled("warning", f"kept {printable(one.path)}: {printable(why)}")
            status = 1
    return status
