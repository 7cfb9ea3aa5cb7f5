"""`envkit backup` itself: read every secret, and write an encrypted file.

The audit log has two records: `read` before a byte leaves envkit, and the outcome when the file
is there under its name, or why it is not. So no read is unrecorded, and no `ok` lacks its file,
even if the process is killed.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.audit.session import READ
from envkit.backup.collect import collect, prepare_backup
from envkit.backup.format import encode
from envkit.backup.sealing import ARMOR, MAGIC, recipients, seal
from envkit.cli.command_help import DefaultCommand
from envkit.cli.commands.backup import documents
from envkit.cli.commands.backup.opening import count, refuse_other_content
from envkit.cli.complete import environments
from envkit.cli.interaction.access import open_access
from envkit.cli.output import print_json, printable
from envkit.cli.parameters import (
    BreakGlass,
    Profiles,
    Reason,
    TextFormat,
    TextFormatted,
    Timeout,
)
from envkit.cli.result import write_result
from envkit.errors import UsageError

if TYPE_CHECKING:
    from envkit.backup.collect import Collected

EXAMPLE = "envkit backup --env prod -o prod.age --to age1..."


class MakeCommand(DefaultCommand):
    """Shows the subcommands of `envkit backup` in its help."""

    subcommands = {  # noqa: RUF012 - nothing changes it
        "verify": "Check that a backup is intact, and compare it with the stores.",
        "drill": "Test that a backup can be restored, in memory, without a store.",
    }


def make(
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Environment to back up. Repeatable. [default: $ENVKIT_ENV]",
            autocompletion=environments,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write. Use - for stdout."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="RECIPIENT",
            help="Public key that can decrypt the file: age1... or 'ssh-ed25519 ...'. Repeatable.",
        ),
    ] = None,
    format_: TextFormatted = TextFormat.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Back up every secret of an environment to an encrypted file.

    The file has the values, their versions and their places, and the profiles. Any program for the
    age format can decrypt it. Dynamic secrets are left out.
    """
    if output is None:
        raise UsageError("no file given", hint="use --output FILE, or -o - for stdout")
    refuse_other_content(output, "--output", MAGIC, ARMOR)
    if output == "-" and format_ is TextFormat.JSON:
        raise UsageError(
            "cannot write the backup and JSON to stdout", hint="write the backup to a file"
        )
    with open_access("backup", reason, break_glass=break_glass) as access:
        prepared = prepare_backup(
            env or (), profiles=profiles, timeout_seconds=timeout_seconds(timeout)
        )
        keys = recipients(to or ())
        access.allow(prepared.profiles, prepared.names, [one for _, one in prepared.parts])
        collected = collect(prepared)
        data = seal(encode(collected.backup), keys)
        digest = sha256(data).hexdigest()
        kept = collected.error is not None and os.path.isfile(output)
        if not kept:
            access.use_file(digest)
        if collected.error is None or any(collected.backup.secrets()):
            access.record(prepared.names, collected.versions, READ)
        access.stop_reporting()
        access.expect(prepared.names)
        if not kept:
            write_result(data, output, mode=0o600)
            sys.stdout.flush()
        try:
            if collected.error is None:
                access.record(prepared.names, collected.versions)
        finally:  # the file is there, even if the log can no longer be written
            if format_ is TextFormat.JSON:
                print_json(documents.made(collected, output, digest, written=not kept))
            else:
                _tell(collected, output, digest, kept=kept)
        if collected.error is not None:
            raise collected.error
    return 0


def _tell(collected: Collected, output: str, digest: str, *, kept: bool) -> None:
    """Say what was written, and what was left out on purpose."""
    backup = collected.backup
    stream = sys.stderr if output == "-" else sys.stdout
    for one in backup.environments:
        for left in one.left_out:
            names = ", ".join(left.names)
            print(printable(f"left out {names}: {left.where} is {left.why}"), file=stream)
    secrets = count(len({(one.store, one.where) for one in backup.secrets()}), "secret")
    of = ", ".join(backup.names)
    if kept:
        print(
            f"envkit: note: {printable(output)} was not replaced: the new backup would have only "
            f"{secrets} of {of}; to write it anyway, name another file",
            file=sys.stderr,
        )
        return
    place = "stdout" if output == "-" else printable(output)
    print(f"backed up {secrets} of {of} to {place} (sha256 {digest})", file=stream, flush=True)
