"""The token that a program of the user's keeps, as Vault's command has it.

`~/.vault` (or `~/.bao`, or the file that VAULT_CONFIG_PATH names) says which program that is;
it is run with the argument `get` and prints the token. Imported only where there is such a
file.

What always holds: the file is the user's own, and it and the program are named by absolute
paths, so that the folder in which envkit runs chooses neither.

Reference: https://developer.hashicorp.com/vault/docs/commands/token-helper
"""

from __future__ import annotations

import os
import re

from envkit._internal.os_errors import reason_of
from envkit._internal.program import ProgramError, run_program
from envkit.errors import AuthError, InvalidSettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext

_HELPER = re.compile(r'^\s*\{?\s*"?token_helper"?\s*[=:]\s*"([^"\n]*)"', re.MULTILINE)


def helped_token(context: SourceContext, config: str, address: str) -> str | None:
    """Return the token of the helper; None where the file names none.

    Args:
        context: of the source.
        config: the path of the file.
        address: of the server, which the helper is told.

    Raises:
        AuthError: the file cannot be read, or the program failed.
        InvalidSettingError: a path that is not absolute.
    """
    _refuse_relative(config, "VAULT_CONFIG_PATH")
    try:
        with open(config, encoding="utf-8", errors="replace") as file:
            found = _HELPER.search(file.read())
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        raise AuthError(f"cannot read '{config}': {reason}", hint=f"run: ls -l {config}") from None
    if found is None or not found[1]:
        return None
    program = found[1]
    if program.startswith("~/"):
        program = os.path.join(context.environ.get("HOME", ""), program[2:])
    _refuse_relative(program, f"token_helper in '{config}'")
    try:
        done = run_program(
            [program, "get"],
            environ={**context.environ, "VAULT_ADDR": address},
            timeout_seconds=context.deadline.remaining_seconds(),
            capture=True,
        )
    except ProgramError as error:
        raise AuthError(
            f"the token helper of '{config}': {error.message}", hint=error.hint
        ) from None
    if done.status:
        raise AuthError(
            f"the token helper '{program}' failed ({done.status})", hint=f"run: {program} get"
        )
    return done.output.decode(errors="replace").strip()


def _refuse_relative(path: str, what: str) -> None:
    if not os.path.isabs(path):
        raise InvalidSettingError(
            f"{what} is not an absolute path, and envkit does not run programs from the "
            "working folder",
            hint=f"write an absolute path in {what}",
        )
