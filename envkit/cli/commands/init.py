"""`envkit init`: write the first profiles of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

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
            help="An environment to write; several: all of them. Else dev, staging, prod, and "
            "each that has a .env.NAME.",
        ),
    ] = None,
) -> int:
    """Write first profiles from the .env files; overwrite nothing."""
    done = initialise(".", env or ())
    for path in done.written:
        print(f"wrote {path}")
    for name in done.existing:
        print(f"left '{name}' alone, which has a profile")
    if done.ignored:
        print(f"added to .gitignore: {', '.join(done.ignored)}")
    if done.lookups:
        print("\nNo value was copied; profiles name variables, and these files hold the values:")
    for lookup in done.lookups:
        print(f"  {lookup.environment}: {_files(lookup)}")
    if done.unused:
        print(f"\nNot used: {', '.join(done.unused)}")
        print("To have a profile read one, name it under [sources.dotenv]: path = [...]")
    if done.environments:
        print("\nNext:")
        print(f"  envkit exec --env {_runnable(done)} -- env")
        print("  envkit doctor")
    return 0


def _files(lookup: Lookup) -> str:
    files = ", ".join(lookup.files)
    if not lookup.absent:
        return files
    names = ", ".join(lookup.absent[:SHOWN_NAMES])
    more = len(lookup.absent) - SHOWN_NAMES
    return f"{files}, still without {names}" + (f" and {more} more" if more > 0 else "")


def _runnable(done: Initialised) -> str:
    """Return the first environment that has all its values, else the first one."""
    waiting = {lookup.environment for lookup in done.lookups if lookup.absent}
    return next((name for name in done.environments if name not in waiting), done.environments[0])
