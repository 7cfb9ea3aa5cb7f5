"""`envkit env init`: give the `.env` file of an environment a key pair."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from envkit._internal.paths import display_path
from envkit.arguments import timeout_seconds
from envkit.cli.commands.env.selection import File, audited, chosen
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import BreakGlass, OneEnv, Profiles, Reason, Timeout
from envkit.encryption.at_hand import PrivateKeyState
from envkit.encryption.key_lookup import KEY_FILE
from envkit.encryption.keys import names_for
from envkit.env_files.initialise import initialise

EXAMPLE = "envkit env init --env prod"


def init(
    env: OneEnv = None,
    file: File = None,
    recovery: Annotated[
        str | None,
        typer.Option(
            "--recovery",
            metavar="FILE",
            help="Also write a copy of the private key to FILE, to store offline.",
        ),
    ] = None,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Create a key pair, so that the .env file can be committed."""
    target = chosen(env, file, profiles, timeout)
    seconds = timeout_seconds(timeout)
    with open_access("env init", reason, break_glass=break_glass) as access:
        audited(access, target)
        done = initialise(target, os.environ, recovery=recovery, timeout_seconds=seconds)
        access.record([], {})
    key = done.contents.key
    assert key is not None  # noqa: S101 - it has been written
    if done.new_key is not None:
        print(f"wrote a new private key to {display_path(done.new_key)}")
    print(f"{'added' if done.wrote_file else 'found'} {key.name} in {target.name}")
    if done.ignored:
        print(f"added to .gitignore: {', '.join(done.ignored)}")
    if recovery is not None:
        print(f"wrote a copy of the private key to {recovery}: store it offline, then remove it")
    _print_next(target.option, target.name, done.contents.plain, key_file=done.new_key)
    if done.private_key.state is not PrivateKeyState.FOUND:
        state = (
            "is another one" if done.private_key.state is PrivateKeyState.WRONG else "is missing"
        )
        print_labelled(
            "warning",
            f"the private key of {target.name} {state}: looked in {done.private_key.place}",
        )
        print_labelled(
            "hint",
            f"ask a colleague for {names_for(key.name).private}, and write it into {KEY_FILE}",
        )
    return 0


def _print_next(option: str, name: str, plain: tuple[str, ...], *, key_file: str | None) -> None:
    print("\nNext:")
    if plain:
        print(f"  envkit env encrypt {option}    # values that are not encrypted: {len(plain)}")
    else:
        print(f"  envkit env set NAME {option}")
    print("  envkit env hook install")
    print(f"\nCommit{', when it is encrypted' if plain else ''}: {name}, .gitignore")
    if key_file is not None:
        print(f"Never commit: {display_path(key_file)}. Give it to your team over a safe channel.")
    else:
        print(f"Never commit: {KEY_FILE}")
