"""Clients of Secrets Manager that the rotations of one process share.

A rotation opens its own source. Without this, each would load botocore's models, look for
credentials and connect, before its first request.

What always holds: a client is used for FRESH_SECONDS, which is less than any role's session,
and no longer once AWS has denied anything; one of other settings, of another environment or of
another process is another one.
"""

from __future__ import annotations

import os
import threading

from envkit._internal.clock import Deadline
from envkit.sources.aws.sts_session import login_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from botocore.client import BaseClient

FRESH_SECONDS = 300.0
LIMIT = 32  # of clients; the oldest is forgotten first

_clients: dict[bytes, _Shared] = {}
_lock = threading.Lock()


class _Shared:
    """One client, made by the first who needs it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.client: BaseClient | None = None
        self.fresh = Deadline(FRESH_SECONDS)


def shared_client(
    settings: Mapping[str, Any], environ: Mapping[str, str], log_in: Callable[[], BaseClient]
) -> BaseClient:
    """Return the client of this process for a source, made by `log_in` if there is none."""
    key = _key(settings, environ)
    with _lock:
        shared = _clients.pop(key, None)
        if shared is None or shared.fresh.expired:
            shared = _Shared()
        _clients[key] = shared
        while len(_clients) > LIMIT:
            del _clients[next(iter(_clients))]
    with shared.lock:
        if shared.client is None:
            shared.client = log_in()
        return shared.client


def forget(settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Have the next source of these settings log in again."""
    with _lock:
        _clients.pop(_key(settings, environ), None)


def _key(settings: Mapping[str, Any], environ: Mapping[str, str]) -> bytes:
    """Return the key of a client, which a child process does not inherit."""
    return login_key(settings, environ) + str(os.getpid()).encode()
