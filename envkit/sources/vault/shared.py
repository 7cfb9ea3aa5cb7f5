"""Logins that the rotations of one process share: connections, token and known mounts.

A rotation opens its own source. Without this, each would connect, look its token up and ask
where the engine is mounted, before its first request of use.

What always holds: what the server has said about a token or a mount is believed for
FRESH_SECONDS, then a token is looked up again, and there is a new login once the server has
denied anything; a login of other settings, of another
token or of another process is another one; a deadline is never shared.
"""

from __future__ import annotations

import os
import threading

from envkit._internal.clock import Deadline
from envkit.sources.vault.client import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.vault.address import Address
    from envkit.sources.vault.auth import Lease
    from envkit.sources.vault.client import Connections
    from envkit.sources.vault.kv import Engine
    from envkit.sources.vault.life import Life

FRESH_SECONDS = 300.0
LIMIT = 32  # of logins; the oldest is forgotten first

_logins: dict[tuple[object, ...], SharedLogin] = {}
_lock = threading.Lock()


class SharedLogin:
    """One token at one server, and what is known of both. Read and change it under its lock.

    Attributes:
        lock: of this login; not of the requests that are made with it.
        connections: to the server, and how fast it may be asked.
        token: empty before the first login, and once the token must be checked again.
        lease: how long the token lives; None where the server does not say.
        engines: that the server has named.
        life: of the token, where it is renewed.
        spare: a token that was in use when the server denied something: for a login that cannot
            be repeated.
    """

    def __init__(self, connections: Connections) -> None:
        self.lock = threading.Lock()
        self.connections = connections
        self.token = ""
        self.lease: Lease | None = None
        self.engines: list[Engine] = []
        self.life: Life | None = None
        self.spare = ""
        self._fresh = Deadline(0)

    def __repr__(self) -> str:
        return f"SharedLogin({len(self.engines)} engines)"

    @property
    def usable(self) -> bool:
        """Whether the token can be used without a look-up."""
        return self.lives and not self._fresh.expired

    @property
    def lives(self) -> bool:
        """Whether the token has not expired, as far as is known."""
        return bool(self.token) and not (self.lease is not None and self.lease.expired)

    def remember(
        self, token: str, lease: Lease | None, engines: list[Engine], *, new: bool
    ) -> None:
        """Store what a source has learned.

        Args:
            token: its own.
            lease: how long that lives.
            engines: that it knows.
            new: whether the token has just been looked up; one that was forgotten since then
                is not remembered.
        """
        if new:
            self._fresh = Deadline(FRESH_SECONDS)
        elif token != self.token:
            return
        self.token, self.lease, self.engines = token, lease, list(engines)

    def forget(self) -> None:
        """Log in again next time, because the server has denied something."""
        self.spare = self.token or self.spare
        self.token = ""
        self.life = None
        self.engines = []


def shared_login(key: object, address: Address, pool_size: int) -> SharedLogin:
    """Return the login of this process that an address and a key stand for.

    Args:
        key: all else that makes one login another than the next; hashed, if it is secret.
        address: of the server.
        pool_size: how many connections a new one keeps.
    """
    # connections that a parent has opened are its own
    whole = (os.getpid(), *address, key)
    with _lock:
        login = _logins.pop(whole, None) or SharedLogin(connect(pool_size, address))
        _logins[whole] = login
        while len(_logins) > LIMIT:
            del _logins[next(iter(_logins))]
        return login
