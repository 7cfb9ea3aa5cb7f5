"""`envkit env rotate-key`: replace the key pair of an encrypted file."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.commands.env.selection import File, audited, chosen
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import BreakGlass, OneEnv, Profiles, Reason, Timeout
from envkit.encryption.key_lookup import KEY_FILE
from envkit.env_files.replace_key import drop_old, replace_key

EXAMPLE = "envkit env rotate-key --env prod"


def rotate_key(
    env: OneEnv = None,
    file: File = None,
    drop_old_: Annotated[
        bool,
        typer.Option(
            "--drop-old", help="Remove old private keys in place of making a new key pair."
        ),
    ] = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Replace the key pair of a file, and encrypt its values anew."""
    target = chosen(env, file, profiles, timeout)
    seconds = timeout_seconds(timeout)
    with open_access("env rotate-key", reason, break_glass=break_glass) as access:
        audited(access, target)
        if drop_old_:
            count = drop_old(target, os.environ, timeout_seconds=seconds)
            access.record([], {})
            print(f"removed {_counted(count, 'old private key')} of {target.name} from {KEY_FILE}")
            return 0
        done = replace_key(target, os.environ, timeout_seconds=seconds)
        access.record([], {})
    print(f"replaced {done.name} in {target.name}; encrypted {_counted(done.values, 'value')} anew")
    print(f"the new private key is in {KEY_FILE}, before the old one")
    print("\nNext:")
    print(f"  commit {target.name}, and give the new private key to your team and CI")
    print(f"  envkit env rotate-key {target.option} --drop-old    # when all have it")
    print("\nThe values are the same. Also replace each value that the owner of a lost key could")
    print("read: the old key still opens old versions of the file in git.")
    return 0


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
