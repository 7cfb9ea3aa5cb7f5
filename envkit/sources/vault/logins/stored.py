"""Store the token of `envkit login` where the Vault CLI looks for it, and remove it.

That is the token helper if there is one, else `~/.vault-token` or the file in VAULT_TOKEN_PATH,
which only its owner can read. Guarantees: the file is replaced as a whole, and never through a
link.

That place is the same for all servers. So envkit also remembers, for each server, a hash of the
last token that a login has stored.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from shlex import quote

from envkit._internal.files import read_own
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import state_folder
from envkit._internal.writing.atomic_write import write_own
from envkit.errors import AuthError, SourceError
from envkit.sources.vault.address import find_address
from envkit.sources.vault.auth import cli_configs, token_file
from envkit.sources.vault.logins.token_helper import helper_of, run_helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext

FOLDER = "vault-logins"
_HASH_BYTES = 64


def store(context: SourceContext, token: str) -> str:
    """Store a token, and return where.

    Raises:
        AuthError: it cannot be stored.
        InvalidSettingError: the path of the file or of the helper is not absolute.
        SourceError: there is a link in place of the file.
    """
    helper, path = find_place(context)
    if helper:
        run_helper(context, helper, "store", find_address(context).url, token)
        _remember(context, token)
        return f"the token helper '{helper}'"
    try:
        write_own(path, token.encode())
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        folder = os.path.dirname(path)
        raise AuthError(
            f"cannot store the token in '{path}': {reason}", hint=f"run: ls -ld {folder}"
        ) from None
    _remember(context, token)
    return path


def erase(context: SourceContext) -> None:
    """Remove the stored token, if there is one.

    Raises:
        AuthError: it cannot be removed.
        InvalidSettingError: the path of the file or of the helper is not absolute.
    """
    helper, path = find_place(context)
    with contextlib.suppress(OSError):
        os.unlink(_memory(context))
    if helper:
        run_helper(context, helper, "erase", find_address(context).url)
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        reason = reason_of(error, type(error).__name__)
        raise AuthError(f"cannot remove '{path}': {reason}", hint=f"run: rm {path}") from None


def find_place(context: SourceContext) -> tuple[str, str]:
    """Return the token helper and the path of the file; one of them is empty.

    Raises:
        AuthError: there is no place, or the file that names the helper cannot be read.
        InvalidSettingError: the path of the file or of the helper is not absolute.
    """
    files = filter(os.path.isfile, cli_configs(context))
    if helper := next(filter(None, (helper_of(context, config) for config in files)), None):
        return helper, ""
    path = token_file(context)
    if not path:
        raise AuthError("there is no place to store the token", hint="set HOME or VAULT_TOKEN_PATH")
    folder, name = os.path.split(path)
    return "", os.path.join(os.path.realpath(folder), name)


def removal(context: SourceContext) -> str:
    """Return the command with which a person removes the stored token."""
    helper, path = find_place(context)
    return f"{quote(helper)} erase" if helper else f"rm {quote(path)}"


def is_of_login(context: SourceContext, token: str) -> bool:
    """Return whether envkit has stored this token after a login to the server of a source."""
    try:
        return read_own(_memory(context), _HASH_BYTES)[0] == _hash(token)
    except (OSError, SourceError):
        return False


def _remember(context: SourceContext, token: str) -> None:
    # without it, `logout` asks the server
    with contextlib.suppress(OSError, SourceError):
        path = _memory(context)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_own(path, _hash(token))


def _memory(context: SourceContext) -> str:
    server = sha256(find_address(context).url.encode()).hexdigest()[:32]
    return os.path.join(os.path.realpath(state_folder(context.environ)), FOLDER, server)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).hexdigest().encode()
