"""`envkit env edit`: change an encrypted file in an editor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envkit.arguments import timeout_seconds
from envkit.cli.commands.env.selection import File, audited, chosen
from envkit.cli.error_text import print_error
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.editor import EditorError, private_file, run_editor
from envkit.cli.interaction.prompt import ask, is_interactive
from envkit.cli.parameters import BreakGlass, OneEnv, Profiles, Reason, Timeout
from envkit.env_files.change import decrypted, write_edited
from envkit.env_files.change import version as version_now
from envkit.env_files.contents import contents
from envkit.errors import ConflictError, EnvkitError

if TYPE_CHECKING:
    from envkit.env_files.locate import EnvFile

EXAMPLE = "envkit env edit --env prod"


def edit(
    env: OneEnv = None,
    file: File = None,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Change an encrypted file in your editor."""
    target = chosen(env, file, profiles, timeout)
    with open_access("env edit", reason, break_glass=break_glass) as access:
        audited(access, target)
        text, version = decrypted(target, os.environ)
        names = contents(text, path=target.name).plain
        access.record(names, {name: [version] for name in names})
        changed = _edited(target, text, version, timeout_seconds(timeout))
        if changed:
            access.changed(changed, version_now(target))
    for name in changed:
        print(f"changed {name} in {target.name}")
    if not changed:
        print("no value was changed")
    return 0


def _edited(target: EnvFile, text: str, version: str, seconds: float) -> list[str]:
    """Let the person edit the text, and write it; let them edit an invalid one again."""
    with private_file(os.path.basename(target.path)) as path:
        edited = text
        while True:
            edited = run_editor(path, edited)
            if edited == text:
                return []
            try:
                return write_edited(
                    target, edited, os.environ, expected=version, timeout_seconds=seconds
                )
            except ConflictError:
                raise
            except EnvkitError as error:
                if not is_interactive():
                    raise
                print_error(error)
                if ask("Edit again? [Y/n]").strip().lower() in ("n", "no"):
                    raise EditorError("nothing was changed") from None
