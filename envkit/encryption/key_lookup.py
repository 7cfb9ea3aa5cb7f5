"""Find the private keys of an encrypted `.env` file.

envkit looks in these places, and every key that it finds is tried, in this order:

    DOTENV_PRIVATE_KEY_PROD     the environment; CI and servers set it
    .env.keys                   the file beside the `.env` file, which only its owner may read
    the keyring of the system   service `envkit`, user: the public key; if `keyring` is installed

A name may have several keys, with commas between them.
"""

from __future__ import annotations

import os
import stat

from envkit._internal.files import read_in_project
from envkit._internal.named_tuple import NamedTuple
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path, has_loose_link
from envkit.dotenv.file import LIMIT_BYTES, DotenvFile, parse
from envkit.dotenv.parser import decode
from envkit.encryption.errors import KeyFileExposedError
from envkit.encryption.keys import parse_private_keys
from envkit.errors import DeniedError, DotenvError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.encryption.keys import PrivateKey, PublicKey

KEY_FILE = ".env.keys"
KEYRING = "the keyring of the system"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FoundKey(NamedTuple):
    """A private key, and the place where it was found, for messages."""

    key: PrivateKey
    place: str


class Lookup(NamedTuple):
    """The keys that were found, and all places in which envkit looked."""

    found: tuple[FoundKey, ...]
    places: tuple[str, ...]

    @property
    def keys(self) -> list[PrivateKey]:
        """The keys in the order in which they are tried."""
        return [one.key for one in self.found]

    def looked_in(self) -> str:
        """Return the places as part of a sentence: `$A, .env.keys`."""
        return ", ".join(self.places)


def find_private_keys(
    names: Iterable[str],
    *,
    key_file: str,
    root: str,
    environ: Mapping[str, str],
    public_keys: Iterable[PublicKey] = (),
) -> Lookup:
    """Return the private keys with these names.

    Args:
        names: names such as `DOTENV_PRIVATE_KEY_PROD`.
        key_file: the path of `.env.keys`, which may not exist.
        root: the project's folder.
        environ: the process environment.
        public_keys: to find their private keys in the keyring.

    Raises:
        KeyFileExposedError: other users can read the key file.
        KeyInvalidError: a text in one of the places is not a key.
        SourceError: the key file exists and cannot be read.
    """
    names = list(dict.fromkeys(names))
    found: list[FoundKey] = []
    for name in names:
        text = environ.get(name, "")
        if text:
            keys = parse_private_keys(Secret(text), where=f"${name}")
            found += [FoundKey(key, f"${name}") for key in keys]
    shown = display_path(key_file)
    file = read_key_file(key_file, root)
    for name in names if file is not None else ():
        entry = file.get(name) if file is not None else None
        if entry is not None and entry.value:
            keys = parse_private_keys(Secret(entry.value), where=f"{shown}:{entry.line}: {name}")
            found += [FoundKey(key, shown) for key in keys]
    places = [*(f"${name}" for name in names), shown]
    if not found:
        stored = _from_keyring(public_keys)
        if stored is not None:
            found += stored
            places.append(KEYRING)
    return Lookup(tuple(found), tuple(places))


def key_file_beside(path: str) -> str:
    """Return the path of the key file of a `.env` file."""
    return os.path.join(os.path.dirname(path), KEY_FILE)


def read_key_file(path: str, root: str) -> DotenvFile | None:
    """Return the content of a key file; None if it does not exist.

    Raises:
        KeyFileExposedError: other users can read or change it.
        SourceError: it exists and cannot be read.
    """
    shown = display_path(path)
    try:
        data, state = read_in_project(path, root, LIMIT_BYTES)
    except FileNotFoundError:
        if has_loose_link(path, root):
            raise DotenvError(
                f"cannot read {shown}: its path contains a dangling link",
                hint=f"run 'ls -l {shown}', then remove the link or create its target",
            ) from None
        return None
    except PermissionError as error:
        raise DeniedError(
            f"cannot read {shown}: {reason_of(error)}",
            hint=f"run 'ls -l {shown}' to see who may read it",
        ) from None
    except OSError as error:
        raise DotenvError(f"cannot read {shown}: {reason_of(error)}") from None
    if state.st_mode & _OTHERS:
        raise KeyFileExposedError(
            f"{shown} can be read or changed by other users", hint=f"run: chmod 600 {shown}"
        )
    return parse(decode(data, path=shown), path=shown, expand=False)


def _from_keyring(public_keys: Iterable[PublicKey]) -> list[FoundKey] | None:
    """Return the keys in the keyring of the system; None if there is no keyring."""
    from envkit._internal.system_keyring import stored_texts

    texts = stored_texts(map(str, public_keys))
    if texts is None:
        return None
    return [
        FoundKey(key, KEYRING)
        for public_key, text in texts.items()
        for key in parse_private_keys(Secret(text), where=f"{KEYRING}: {public_key}")
    ]
