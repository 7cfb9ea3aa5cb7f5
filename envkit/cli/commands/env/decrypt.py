"""`envkit env decrypt`: write the values of an encrypted file in plain text."""

from __future__ import annotations

import os

from envkit._internal.git import find_repository
from envkit.arguments import timeout_seconds
from envkit.cli.commands.env.selection import File, Yes, audited, chosen
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import confirm, is_interactive
from envkit.cli.parameters import BreakGlass, OneEnv, Output, Profiles, Reason, Timeout
from envkit.cli.result import write_result
from envkit.dotenv.parser import encode
from envkit.env_files.change import decrypted, replace
from envkit.env_files.contents import contents
from envkit.errors import UsageError
from envkit.git.ignore_rules import deciding_rule

EXAMPLE = "envkit env decrypt --env prod --output prod.plain.env"


def decrypt(
    env: OneEnv = None,
    file: File = None,
    output: Output = None,
    yes: Yes = False,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Decrypt a whole file: in place, or to --output."""
    target = chosen(env, file, profiles, timeout)
    if output is None and not yes and not is_interactive():
        raise UsageError(
            f"cannot ask whether to replace {target.name} by its plain text: not a terminal",
            hint="name a file or '-' with --output, or add --yes to decrypt in place",
        )
    if output is not None and os.path.realpath(output) == target.path:
        raise UsageError(
            f"--output names {target.name} itself", hint="to decrypt in place, leave out --output"
        )
    with open_access("env decrypt", reason, break_glass=break_glass) as access:
        audited(access, target)
        text, version = decrypted(target, os.environ)
        names = contents(text, path=target.name).plain
        values = f"{len(names)} value{'' if len(names) == 1 else 's'}"
        if output is not None:
            access.record(names, {name: [version] for name in names})
            write_result(encode(text), output, mode=0o600)
            _warn_of_copy(output)
            return 0
        question = f"Replace the encrypted text of {target.name}, {values}, by plain text?"
        if not confirm(question, yes=yes):
            print("nothing was changed")
            return 0
        access.record(names, {name: [version] for name in names})
        replace(target, text, expected=version, timeout_seconds=timeout_seconds(timeout))
    print(f"decrypted {values} in {target.name}")
    print_labelled("warning", f"do not commit {target.name} now: its values are plain")
    print_labelled("hint", f"when you are done, run: envkit env encrypt {target.option}")
    return 0


def _warn_of_copy(output: str) -> None:
    """Warn about a copy in a repository that git does not ignore."""
    path = os.path.realpath(output)
    if not os.path.isfile(path) or find_repository(os.path.dirname(path), os.environ) is None:
        return
    rule = deciding_rule(path, os.environ)
    if rule is None or not rule.ignores:
        print_labelled("warning", f"git does not ignore {output}, which has plain values")
        print_labelled("hint", "remove it when you are done, or add it to .gitignore")
