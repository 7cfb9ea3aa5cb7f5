"""The token helper of the Vault CLI: a program of the user that stores the token.

`~/.vault` (or `~/.bao`, or the file in VAULT_CONFIG_PATH) names the program. With the argument
`get`, it prints the token; with `store`, it reads one from stdin; with `erase`, it forgets it.
Imported only if there is such a file.

Guarantees: the file belongs to the user; the file and the program have absolute paths, so the
folder in which envkit runs cannot choose them.

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
    """Return the token from the helper; None if the file names no helper.

    Args:
        context: the source's context.
        config: the path of the file.
        address: the server's address, passed to the helper.

    Raises:
        AuthError: the file cannot be read, or the program failed.
        InvalidSettingError: a path is not absolute.
    """
    program = helper_of(context, config)
    if program is None:
        return None
    return run_helper(context, program, "get", address).decode(errors="replace").strip()


def helper_of(context: SourceContext, config: str) -> str | None:
    """Return the path of the helper that a file names; None if it names none.

    Raises:
        AuthError: the file cannot be read.
        InvalidSettingError: a path is not absolute.
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
    return program


def run_helper(
    context: SourceContext, program: str, operation: str, address: str, token: str | None = None
) -> bytes:
    """Run the helper and return what it prints.

    Args:
        context: the source's context.
        program: the helper.
        operation: `get`, `store` or `erase`.
        address: the server's address, passed to the helper.
        token: what to store, without a newline.

    Raises:
        AuthError: the program failed.
    """
    try:
        done = run_program(
            [program, operation],
            environ={**context.environ, "VAULT_ADDR": address, "BAO_ADDR": address},
            timeout_seconds=context.deadline.remaining_seconds(),
            stdin=None if token is None else token.encode(),
            capture=True,
        )
    except ProgramError as error:
        raise AuthError(f"the token helper: {error.message}", hint=error.hint) from None
    if done.status:
        raise AuthError(
            f"the token helper '{program} {operation}' failed ({done.status})",
            hint=f"run: {program} {operation}",
        )
    return done.output


def _refuse_relative(path: str, what: str) -> None:
    if not os.path.isabs(path):
        raise InvalidSettingError(
            f"{what} is not an absolute path, and envkit does not run programs from the "
            "working folder",
            hint=f"write an absolute path in {what}",
        )
