"""Store the token of `envkit login` where the Vault CLI looks for it, and remove it.

That is the token helper if there is one, else `~/.vault-token` or the file in VAULT_TOKEN_PATH,
which only its owner can read. Guarantees: the file is replaced as a whole, and never through a
link.
"""

from __future__ import annotations

import os

from envkit._internal.os_errors import reason_of
from envkit._internal.writing.atomic_write import write_own
from envkit.errors import AuthError
from envkit.sources.vault.address import find_address
from envkit.sources.vault.auth import cli_configs, token_file
from envkit.sources.vault.logins.token_helper import helper_of, run_helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext


def store(context: SourceContext, token: str) -> str:
    """Store a token, and return where.

    Raises:
        AuthError: it cannot be stored.
        InvalidSettingError: the path of the helper is not absolute.
        SourceError: there is a link in place of the file.
    """
    helper = _helper(context)
    if helper:
        run_helper(context, helper, "store", find_address(context).url, token)
        return f"the token helper '{helper}'"
    path = _file(context)
    if not path:
        raise AuthError("there is no place to store the token", hint="set HOME or VAULT_TOKEN_PATH")
    try:
        write_own(path, token.encode())
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        folder = os.path.dirname(path)
        raise AuthError(
            f"cannot store the token in '{path}': {reason}", hint=f"run: ls -ld {folder}"
        ) from None
    return path


def erase(context: SourceContext) -> None:
    """Remove the stored token, if there is one.

    Raises:
        AuthError: it cannot be removed.
        InvalidSettingError: the path of the helper is not absolute.
    """
    helper = _helper(context)
    if helper:
        run_helper(context, helper, "erase", find_address(context).url)
        return
    path = _file(context)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        raise AuthError(f"cannot remove '{path}': {reason}", hint=f"run: rm {path}") from None


def _helper(context: SourceContext) -> str | None:
    files = filter(os.path.isfile, cli_configs(context))
    return next(filter(None, (helper_of(context, config) for config in files)), None)


def _file(context: SourceContext) -> str:
    path = token_file(context)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name) if path else ""
