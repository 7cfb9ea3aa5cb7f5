"""Record in a file on this host which notices were sent, so that each is sent once a day.

if first_today("/home/me/.local/state/envkit", "prod/db-password failure", now): ...
"""

from __future__ import annotations

import os

from envkit.errors import EnvkitError

DAY_SECONDS = 86_400.0
FILE = "rotation-notices.json"
_LIMIT_BYTES = 1 << 20


def first_today(folder: str, key: str, now: float) -> bool:
    """Return whether a notice was not sent within the last day, and record that it is sent now.

    Args:
        folder: the folder of the file; created if it does not exist.
        key: identifies the notice.
        now: seconds since the epoch.

    Returns:
        Whether to send the notice. False if the file cannot be read or written: without it,
        the notice would be sent every minute.
    """
    import json

    from envkit._internal.file_lock import locked
    from envkit._internal.files import read_own
    from envkit._internal.writing.atomic_write import write_own

    folder = os.path.realpath(folder)
    path = os.path.join(folder, FILE)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with locked(path, timeout_seconds=5, follow=False):
            try:
                sent = dict(json.loads(read_own(path, _LIMIT_BYTES)[0]))
            except (FileNotFoundError, ValueError, TypeError):
                sent = {}
            if is_recent(sent.get(key), now):
                return False
            recent = {name: at for name, at in sent.items() if is_recent(at, now)}
            write_own(path, json.dumps({**recent, key: now}).encode())
    except (OSError, EnvkitError):
        return False
    return True


def is_recent(at: object, now: float) -> bool:
    """Return whether `at` is a time less than a day away from `now`."""
    return isinstance(at, int | float) and abs(now - at) < DAY_SECONDS
