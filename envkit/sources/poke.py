"""Tell this user's watchers that envkit has written to a store: they look at once, not in time.

    poke()                    # the writer, after a write
    seen = last_poke()        # a watcher, once a second: another value after each poke

The file `poke` in envkit's state folder is always empty; only its time changes. A poke is a
convenience: one that fails is no error, because watchers also look by themselves.
"""

from __future__ import annotations

import os
import stat
import time

from envkit._internal.paths import state_folder

FILE = "poke"
SNAPSHOTS, SEALED = "last-known-good", ".sealed"  # a folder beside it, and the names in it
_TOUCH = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def poke() -> None:
    """Change the time of the file, and remove the values that were saved before the write.

    It raises nothing.
    """
    folder = state_folder(os.environ)
    try:  # noqa: SIM105 - contextlib would take memory of every watcher
        _touch(folder)
    except OSError:
        pass
    remove_saved(os.path.join(folder, SNAPSHOTS))


def _touch(folder: str) -> None:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.geteuid():
        return
    descriptor = os.open(os.path.join(folder, FILE), _TOUCH, 0o600)
    try:
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid():
            # not the time of the kernel's clock, which is equal for two in one tick
            now = time.time_ns()
            os.utime(descriptor, ns=(now, now))
    finally:
        os.close(descriptor)


def remove_saved(folder: str) -> None:
    """Remove all values that were saved for the time when a store is unavailable."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(SEALED)]
    except OSError:
        return
    for name in names:
        try:  # noqa: SIM105 - as above
            os.unlink(os.path.join(folder, name))
        except OSError:
            pass


def last_poke() -> object:
    """Return what differs after each poke; None if there was none, or by another user."""
    try:
        state = os.lstat(os.path.join(state_folder(os.environ), FILE))
    except OSError:
        return None
    if state.st_uid != os.geteuid():
        return None
    return state.st_mtime_ns, state.st_ctime_ns, state.st_ino
