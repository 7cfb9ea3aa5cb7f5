"""`envkit init`: create the first profiles of a project."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.cli.changing.encryption import Encryption
from envkit.cli.interaction.prompt import confirm, is_interactive
from envkit.cli.output import printable
from envkit.env_files.locate import DEFAULT_SECONDS, locate
from envkit.scaffold.init_project import initialise, readable_by_others, shared_files

if TYPE_CHECKING:
    from envkit.scaffold.init_project import Initialised
    from envkit.scaffold.profile_draft import Lookup

EXAMPLE = "envkit init"
SHOWN_NAMES = 5


def init(
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME",
            help="Environment to create. Repeatable. [default: dev, staging, prod, and each that "
            "has a .env.NAME]",
        ),
    ] = None,
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt",
            help="Encrypt the files of environments, such as .env.prod, so that you can commit "
            "them. [default: ask on a terminal]",
        ),
    ] = False,
) -> int:
    """Create profiles from your .env files. Does not overwrite files."""
    done = initialise(".", env or ())
    for path in done.written:
        print(f"wrote {path}")
    for name in done.existing:
        print(f"skipped '{name}': it already has a profile")
    if done.ignored:
        print(f"added to .gitignore: {', '.join(done.ignored)}")
    _show_files(done)
    encrypted = _encrypt(done, wanted=encrypt)
    if done.environments:
        print("\nNext:")
        exposed = [quote(file) for file in readable_by_others(done) if file not in encrypted]
        if exposed:
            print(f"  chmod 600 {' '.join(exposed)}    # other users can read these files")
        print(f"  envkit exec --env {_runnable(done)} -- env")
        print("  envkit doctor")
    return 0


def _encrypt(done: Initialised, *, wanted: bool) -> list[str]:
    """Encrypt the files that a team shares, if the person wants that, and return their names."""
    if not wanted and not is_interactive():
        return []
    found = []
    for name in filter(os.path.isfile, shared_files(done)):
        file = locate((), name, profiles=None, environ=os.environ)
        one = Encryption(file, os.environ, timeout_seconds=DEFAULT_SECONDS)
        if one.tasks:
            found.append(one)
    if not found:
        return []
    names = ", ".join(printable(one.file.name) for one in found)
    print(flush=True)
    if not confirm(f"Encrypt {names}, so that you can commit it?", yes=wanted):
        return []
    for one in found:
        one.begin(aloud=True)
        one.finish(aloud=True)
    return [one.file.name for one in found]


def _show_files(done: Initialised) -> None:
    """Print which files each environment reads, which are not used, and what is no secret."""
    if done.lookups:
        print(
            "\nNo values were copied. The profiles name variables; the values stay in these files:"
        )
    for lookup in done.lookups:
        print(f"  {lookup.environment}: {_files(lookup)}")
    if done.lookups and done.settings:
        print(f"\nSettings, which are not masked: {', '.join(done.settings)}")
    if done.without_plain:
        names = ", ".join(done.without_plain)
        print(f"\n.env is not in git, so it has values of this machine. Not read by: {names}")
    if done.unused:
        print("\nNot used; to use one, add it to 'path' in [sources.dotenv] of a profile:")
    for file, why in done.unused.items():
        print(f"  {printable(file)}: {why}")


def _files(lookup: Lookup) -> str:
    files = ", ".join(lookup.files)
    if not lookup.absent:
        return files
    names = ", ".join(lookup.absent[:SHOWN_NAMES])
    more = len(lookup.absent) - SHOWN_NAMES
    return f"{files} (missing: {names}" + (f" and {more} more" if more > 0 else "") + ")"


def _runnable(done: Initialised) -> str:
    """Return the first environment that has all its values, or else the first one."""
    waiting = {lookup.environment for lookup in done.lookups if lookup.absent}
    return next((name for name in done.environments if name not in waiting), done.environments[0])
