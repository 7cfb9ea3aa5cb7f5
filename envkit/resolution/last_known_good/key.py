"""The key that encrypts snapshots: in the keyring of the system, or in a file for its owner alone.

    $XDG_DATA_HOME/envkit/last-known-good.key      # default: in ~/.local/share, mode 0600

The keyring is used if the package `keyring` is installed and has a store that can be opened. The
file is not beside the snapshots, so that a copy of one folder does not have both.
"""

from __future__ import annotations

import os
import stat

from envkit.errors import EnvkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envkit._internal.clock import Deadline

KEY_BYTES = 32
SERVICE, USER = "envkit", "last-known-good"
KEYRING_SECONDS = 5.0  # it may wait for a person who unlocks it


def keys(environ: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the keys that snapshots may be encrypted with."""
    if (key := _in_time(_from_ring)) is not None:
        yield key
    if (key := _from_file(key_path(environ))) is not None:
        yield key


def key_to_encrypt(environ: Mapping[str, str]) -> bytes | None:
    """Return the key for a new snapshot, which is created if there is none; None if it cannot."""
    path = key_path(environ)
    there = _from_file(path)
    ring = _in_time(lambda: _from_ring(create=there is None))
    return ring or there or _add_file(path)


def key_path(environ: Mapping[str, str]) -> str:
    """Return the path of the key file; a relative XDG_DATA_HOME is ignored."""
    folder = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(os.path.realpath(folder), "envkit", "last-known-good.key")


def _in_time(ask: Callable[[], bytes | None]) -> bytes | None:
    """Return a key from the keyring; None if it fails, or waits too long."""
    from envkit._internal.clock import Deadline
    from envkit._internal.parallel import call_in_time

    deadline: Deadline = Deadline(KEYRING_SECONDS)
    result = call_in_time(ask, deadline)
    return None if result.late or result.error is not None else result.value


def _from_ring(*, create: bool = False) -> bytes | None:
    """Return the key in the keyring; None if there is none, or no keyring that can store it."""
    import keyring

    ring = keyring.get_keyring()
    if ring.priority < 1:
        return None
    text = ring.get_password(SERVICE, USER)
    if text is None and create:
        ring.set_password(SERVICE, USER, os.urandom(KEY_BYTES).hex())
        text = ring.get_password(SERVICE, USER)  # another process may have added its own meanwhile
    return None if text is None else _checked(bytes.fromhex(text))


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
