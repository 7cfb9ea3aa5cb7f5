"""The options that say which `.env` file a command of `envkit env` uses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.env_files.locate import locate

if TYPE_CHECKING:
    from envkit.audit.session import Access
    from envkit.env_files.locate import EnvFile
    from envkit.profile.model import Profile

File = Annotated[
    str | None,
    typer.Option(
        "--file", metavar="FILE", help="Use this .env file in place of that of an environment."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the question.")]


def audited(access: Access, target: EnvFile) -> None:
    """Apply the access rules of the profiles that read a file, before its values are read."""
    access.allow(profiles_of(target), [])


def profiles_of(target: EnvFile) -> list[Profile]:
    """Return the profile of a file, and the profiles with access rules that read it."""
    found = [] if target.profile is None else [target.profile]
    return list({one.path: one for one in (*found, *target.guards)}.values())


def chosen(
    env: list[str] | None, file: str | None, profiles: str | None, timeout: str | None = None
) -> EnvFile:
    """Return the file that the options name.

    Raises:
        EnvkitError: see `locate`.
    """
    return locate(
        env or (),
        file,
        profiles=profiles,
        environ=os.environ,
        timeout_seconds=timeout_seconds(timeout),
    )
