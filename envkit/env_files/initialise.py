"""Make the `.env` file of an environment one that a team can share in git.

The file gets a public key, and `.env.keys` beside it the private key. git ignores the private key
before it exists, and stops ignoring the `.env` file only when every value in it is encrypted. The
private key is on disk before the file names its public key. A second run changes nothing, and
finishes one that was killed.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.file_lock import locked
from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit._internal.writing.atomic_write import write_atomic
from envkit._internal.writing.replaceable import check_own, check_replaceable
from envkit.dotenv.parser import encode
from envkit.encryption.env_file import definitions, key_of, with_public_key
from envkit.encryption.errors import PrivateKeyMissingError
from envkit.encryption.key_lookup import find_private_keys, key_file_beside
from envkit.encryption.keys import generate, names_for, variable_names
from envkit.encryption.rotate_key import opens_all, write_keys
from envkit.encryption.writing import no_public_key
from envkit.env_files.contents import read, read_text
from envkit.env_files.recovery import check_recovery_path, write_recovery
from envkit.env_files.status import decrypter_of, private_key
from envkit.errors import WriteRefusedError
from envkit.git.ignore_rules import keep_private, let_in
from envkit.sources.dotenv_files.errors import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.encryption.at_hand import AtHand
    from envkit.encryption.keys import Names, PrivateKey
    from envkit.env_files.contents import Contents
    from envkit.env_files.locate import EnvFile


class Initialised(NamedTuple):
    """The result of `initialise`.

    Attributes:
        contents: what the file contains now.
        new_key: the path of the file with the private key, if one was made; else None.
        wrote_file: whether the public key was added to the file.
        private_key: whether the private key is at hand, and where.
        ignored: the lines that were added to `.gitignore`.
    """

    contents: Contents
    new_key: str | None
    wrote_file: bool
    private_key: AtHand
    ignored: tuple[str, ...]


def initialise(
    file: EnvFile, environ: Mapping[str, str], *, recovery: str | None, timeout_seconds: float
) -> Initialised:
    """Give a file a key pair, unless it has one.

    Args:
        file: the file, which may not exist.
        environ: the process environment, which may have the private key.
        recovery: the path for a copy of the private key; None for no copy.
        timeout_seconds: how long to wait for another process.

    Raises:
        KeyInvalidError: the file has encrypted values, and its public key is missing.
        UsageError: the copy for recovery cannot be written.
        WriteRefusedError: git tracks the file of private keys, or a file may not be replaced.
        SourceError: a file cannot be read or written.
    """
    folder = os.path.dirname(file.beside)
    keys_path = key_file_beside(file.beside)
    before = read(file)
    _check(file, keys_path, environ)
    if recovery is not None:
        check_recovery_path(recovery, environ)
    ignored = list(keep_private(folder, environ))
    new_key = None
    wrote_file = False
    if before is None or before.key is None:
        names = variable_names(file.beside)
        key = _known_key(file, before, names, keys_path, environ)
        if key is None:
            key, new_key = generate(), keys_path
            _add_private_key(file, names, key, environ, timeout_seconds)
        _add_public_key(file, names, key, timeout_seconds)
        wrote_file = True
    now = read(file)
    assert now is not None  # noqa: S101 - it has been written
    at_hand = private_key(file, now, environ)
    if recovery is not None:
        _save_recovery(file, now, at_hand, recovery)
    if not now.plain:
        ignored += let_in(file.beside, environ)
    return Initialised(now, new_key, wrote_file, at_hand, tuple(ignored))


def _check(file: EnvFile, keys_path: str, environ: Mapping[str, str]) -> None:
    """Refuse what would fail later, before anything is changed."""
    try:
        check_replaceable(file.path)
        check_own(keys_path)
    except OSError as error:
        raise failure("write", file.name, error) from None
    repository = find_repository(os.path.dirname(keys_path), environ)
    if repository is not None and repository.tracked([keys_path]):
        shown = display_path(keys_path)
        raise WriteRefusedError(
            f"git tracks {shown}: anyone who has the repository can read the values",
            hint=f"run: git rm --cached {shown}; then replace the key pair: envkit env rotate-key "
            f"{file.option}",
        )


def _known_key(
    file: EnvFile,
    before: Contents | None,
    names: Names,
    keys_path: str,
    environ: Mapping[str, str],
) -> PrivateKey | None:
    """Return the private key that is at hand for a file without a public key.

    Raises:
        KeyInvalidError: the file has encrypted values, and no key decrypts all of them.
    """
    lookup = find_private_keys(
        [names.private], key_file=keys_path, root=file.source.root, environ=environ
    )
    if before is None or not before.encrypted:
        return lookup.keys[0] if lookup.keys else None
    texts = [one.value for one in definitions(before.text, path=file.name)]
    fitting = next((key for key in lookup.keys if opens_all(texts, key)), None)
    if fitting is None:
        raise no_public_key(file.name)
    return fitting


def _add_private_key(
    file: EnvFile,
    names: Names,
    key: PrivateKey,
    environ: Mapping[str, str],
    timeout_seconds: float,
) -> None:
    """Add the private key to `.env.keys`, before one that another process was faster to add."""
    decrypter = decrypter_of(file, environ)
    try:
        write_keys(decrypter, names.private, lambda known: [key, *known], timeout_seconds)
    except OSError as error:
        raise failure("write", display_path(decrypter.key_file), error) from None


def _add_public_key(file: EnvFile, names: Names, key: PrivateKey, timeout_seconds: float) -> None:
    """Add the public key at the top of a file."""
    try:
        with locked(file.path, timeout_seconds=timeout_seconds, follow=False):
            text = read_text(file) or ""
            if key_of(text, path=file.name) is not None:
                return  # another process was faster
            changed = with_public_key(text, names.public, key.public_key(), path=file.name)
            write_atomic(file.path, encode(changed), follow=False)
    except OSError as error:
        raise failure("write", file.name, error) from None


def _save_recovery(file: EnvFile, now: Contents, at_hand: AtHand, recovery: str) -> None:
    if at_hand.key is None or now.key is None:
        raise PrivateKeyMissingError(
            f"the private key of {file.name} is not at hand: looked in {at_hand.place}",
            hint="get it from a colleague, or leave out --recovery",
        )
    write_recovery(recovery, names_for(now.key.name).private, at_hand.key, file.name)
