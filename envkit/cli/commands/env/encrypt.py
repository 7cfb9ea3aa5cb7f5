"""`envkit env encrypt`: encrypt every plain value of a `.env` file."""

from __future__ import annotations

import os

from envkit.arguments import timeout_seconds
from envkit.cli.commands.env.selection import File, audited, chosen
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.parameters import BreakGlass, OneEnv, Profiles, Reason, Timeout
from envkit.env_files.change import encrypt as encrypt_file
from envkit.env_files.change import version

EXAMPLE = "envkit env encrypt --env prod"


def encrypt(
    env: OneEnv = None,
    file: File = None,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Encrypt the values of a file that are not encrypted yet."""
    target = chosen(env, file, profiles, timeout)
    with open_access("env encrypt", reason, break_glass=break_glass) as access:
        audited(access, target)
        done = encrypt_file(target, os.environ, timeout_seconds=timeout_seconds(timeout))
        access.record(done.names, {name: [version(target) or ""] for name in done.names})
    count = len(done.names)
    if count:
        print(f"encrypted {count} value{'' if count == 1 else 's'} in {target.name}")
    else:
        print(f"every value in {target.name} is encrypted already")
    if done.copy:
        print("the copy of the previous version was encrypted as well")
    if done.records:
        print("the values in records of rotations in progress were encrypted as well")
    if done.ignored:
        print(f"added to .gitignore: {', '.join(done.ignored)}")
    if done.warning is not None:
        print_labelled("warning", done.warning)
    for name in done.frozen:
        print_labelled(
            "warning", f"{name} referred to other variables, and now has their current values"
        )
    if done.committed:
        print_labelled(
            "warning",
            f"git tracks {target.name}: if its plain values were committed, they remain "
            "in the history",
        )
        print_labelled("hint", "replace those values: see 'envkit rotate --help'")
    return 0
