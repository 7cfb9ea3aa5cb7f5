"""Logins that the rotations of one process share: connections, token and known mounts.

Each rotation opens its own source. Without sharing, each would connect, look up its token and
find the mount of the engine before its first useful request.

Guarantees: what the server said about a token or a mount is used for at most FRESH_SECONDS; then
the token is looked up again. Once the server denies a request, the next source logs in again.
Sources share a login only if they have the same settings, token and process. A deadline is never
shared.
"""

from __future__ import annotations

import os
import threading

from envkit._internal.clock import Deadline
from envkit._internal.parallel import ForkSafeLock
from envkit.sources.vault.client import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.address import Address
    from envkit.sources.vault.auth import Lease
    from envkit.sources.vault.client import Connections, VaultClient
    from envkit.sources.vault.kv import Engine
    from envkit.sources.vault.life import Life

FRESH_SECONDS = 300.0
LIMIT = 32  # of logins; the oldest is dropped first

_logins: dict[tuple[object, ...], SharedLogin] = {}
_lock = ForkSafeLock()


class SharedLogin:
    """One token at one server, and what is known about both. Access it only under its lock.

    Attributes:
        lock: protects this login, but not requests made with it.
        connections: the connections to the server, with their rate limit.
        token: empty before the first login, and when the token must be checked again.
        lease: the lifetime of the token; None if the server does not reveal it.
        engines: the engines that the server has named.
        life: of the token, if it is renewed.
        spare: the token that was in use when the server denied a request, for a login that cannot
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
        """Whether the token can be used without a lookup."""
        return self.lives and not self._fresh.expired

    @property
    def lives(self) -> bool:
        """Whether the token is not known to have expired."""
        return bool(self.token) and not (self.lease is not None and self.lease.expired)

    def remember(
        self, token: str, lease: Lease | None, engines: list[Engine], *, new: bool
    ) -> None:
        """Store what a source has found out.

        Args:
            token: the source's token.
            lease: the lifetime of the token.
            engines: the known engines.
            new: whether the token has just been looked up; if False, nothing is stored for a token
                that was dropped in the meantime.
        """
        if new:
            self._fresh = Deadline(FRESH_SECONDS)
        elif token != self.token:
            return
        self.token, self.lease, self.engines = token, lease, list(engines)

    def forget(self) -> None:
        """Have the next source log in again, because the server has denied a request."""
        self.spare = self.token or self.spare
        self.token = ""
        self.life = None
        self.engines = []


def shared_login(key: object, address: Address, pool_size: int) -> SharedLogin:
    """Return the login that this process shares for an address and a key.

    Args:
        key: everything else that distinguishes logins; hashed, if it is secret.
        address: the server.
        pool_size: the size of the pool for new connections.
    """
    # a child process must not use the connections of its parent
    whole = (os.getpid(), *address, key)
    with _lock:
        login = _logins.pop(whole, None) or SharedLogin(connect(pool_size, address))
        _logins[whole] = login
        while len(_logins) > LIMIT:
            del _logins[next(iter(_logins))]
        return login


def adopted(
    login: SharedLogin, client: VaultClient, context: SourceContext
) -> tuple[Lease | None, list[Engine]] | None:
    """Give a client the token of a login, and return the lease and the engines that are known.

    Args:
        login: one that lives.
        client: for its connections.
        context: of the source that begins with it.

    Returns:
        None if the server does not accept the token any more.

    Raises:
        SourceError: the server failed.
    """
    from envkit.sources.vault.auth import look_up, renew

    engines, lease = list(login.engines), login.lease
    client.set_token(login.token)
    if not login.usable:
        lease = look_up(client)
        if lease is None:
            return None
        login.remember(client.token, lease, engines, new=True)
    if lease is not None:
        lease = renew(client, lease, context.deadline)
    return lease, engines


def spare_works(login: SharedLogin, client: VaultClient) -> bool:
    """Return whether the spare token still works; if so, it becomes the token of the login.

    Raises:
        SourceError: the server failed.
    """
    from envkit.sources.vault.auth import look_up

    token, login.spare = login.spare, ""
    client.set_token(token)
    lease = look_up(client)
    if lease is None:
        return False
    login.remember(token, lease, [], new=True)
    return True
