"""The key that encrypts snapshots: in the keyring of the system, or in a file for its owner alone.

    $XDG_DATA_HOME/envkit/last-known-good.key      # default: in ~/.local/share, mode 0600

The keyring is used if the package `keyring` is installed and has a store that can be opened. The
file is not beside the snapshots, so that a copy of one folder does not have both.
"""

from __future__ import annotations

import os
import stat

from envkit._internal.system_keyring import stored_or_added, stored_texts
from envkit.errors import EnvkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY_BYTES = 32
USER = "last-known-good"  # in the keyring


def keys(environ: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the keys that snapshots may be encrypted with."""
    if (key := _from_ring()) is not None:
        yield key
    if (key := _from_file(key_path(environ))) is not None:
        yield key


def key_to_encrypt(environ: Mapping[str, str]) -> bytes | None:
    """Return the key for a new snapshot, which is created if there is none; None if it cannot."""
    path = key_path(environ)
    there = _from_file(path)
    if there is not None:
        return _from_ring() or there
    return _decoded(stored_or_added(USER, os.urandom(KEY_BYTES).hex())) or _add_file(path)


def key_path(environ: Mapping[str, str]) -> str:
    """Return the path of the key file; a relative XDG_DATA_HOME is ignored."""
    folder = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(os.path.realpath(folder), "envkit", "last-known-good.key")


def _from_ring() -> bytes | None:
    """Return the key in the keyring; None if there is none."""
    return _decoded((stored_texts([USER]) or {}).get(USER))


def _from_file(path: str) -> bytes | None:
    from envkit._internal.files import read_own

    try:
        content, state = read_own(path, KEY_BYTES + 1)
    except (OSError, EnvkitError):
        return None
    if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
        return None
    return _checked(content)


def _add_file(path: str) -> bytes | None:
    temporary = f"{path}.{os.urandom(6).hex()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        new = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(new, os.urandom(KEY_BYTES))
            os.fsync(new)
            os.link(temporary, path)  # which replaces nothing
        except FileExistsError:
            pass
        finally:
            os.close(new)
            os.unlink(temporary)
    except OSError:
        return None
    return _from_file(path)  # another process may have added its own meanwhile


def _checked(key: bytes) -> bytes | None:
    return key if len(key) == KEY_BYTES else None


def _decoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else _checked(bytes.fromhex(text))
    except ValueError:  # another program's
        return None
