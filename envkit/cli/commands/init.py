"""`envkit init`: create the first profiles of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from envkit.cli.output import printable
from envkit.scaffold.init_project import initialise

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
    if done.environments:
        print("\nNext:")
        print(f"  envkit exec --env {_runnable(done)} -- env")
        print("  envkit doctor")
    return 0


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
        print(f"\n.env is not in git, so only dev reads it, not {', '.join(done.without_plain)}.")
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
