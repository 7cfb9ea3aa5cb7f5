"""Clients of Secrets Manager that the rotations of one process share.

Each rotation opens its own source. Without sharing, each would load botocore's models, find
credentials and connect before its first request.

Guarantees: a client is used for at most FRESH_SECONDS, which is less than the session of any
role, and is dropped once AWS denies a request. Sources share a client only if they have the same
settings, environment and process.
"""

from __future__ import annotations

import os
import threading

from envkit._internal.clock import Deadline
from envkit._internal.parallel import ForkSafeLock
from envkit.sources.aws.sts_session import login_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from botocore.client import BaseClient

FRESH_SECONDS = 300.0
LIMIT = 32  # of clients; the oldest is dropped first

_clients: dict[bytes, _Shared] = {}
_lock = ForkSafeLock()


class _Shared:
    """A client, created by the first source that needs it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.client: BaseClient | None = None
        self.fresh = Deadline(FRESH_SECONDS)


def shared_client(
    settings: Mapping[str, Any], environ: Mapping[str, str], log_in: Callable[[], BaseClient]
) -> BaseClient:
    """Return the client that this process shares for a source; `log_in` creates it if needed."""
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
    """Make the next source with these settings log in again."""
    with _lock:
        _clients.pop(_key(settings, environ), None)


def _key(settings: Mapping[str, Any], environ: Mapping[str, str]) -> bytes:
    """Return the key of a client, which a child process does not inherit."""
    return login_key(settings, environ) + str(os.getpid()).encode()
