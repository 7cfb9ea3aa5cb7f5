"""A Redis or Valkey server and its users, with the translation of its client's errors.

    with Node("redis://admin:...@cache:6379", deadline) as node:
        node.user("app").hashes
        node.peers()
        node.add("app", sha256_of_the_new_password)
        node.logs_in("app", Secret("new"))

Passwords are added and removed by their SHA-256, which is what the server stores. Only envkit's
errors escape. The server's own messages are dropped, since they quote hashes.

Reference: https://valkey.io/topics/acl/
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import NamedTuple

from envkit._internal.installation import install_hint
from envkit.errors import (
    AuthError,
    DeniedError,
    EnvkitError,
    ExtraMissingError,
    RotationError,
    SourceError,
    TargetUnavailableError,
)
from envkit.rotation.protocols import Reader
from envkit.rotation.rotators.redis_address import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from redis import Redis

    from envkit._internal.clock import Deadline
    from envkit.rotation.rotators.login import Login
    from envkit.secret import Secret

CONNECT_SECONDS = 10
NO_CLIENT = 2**63 - 1  # an ID that no connection has
DEFAULT_USER = "default"
PAGE = "docs/reference/rotators/redis.md"


class User(NamedTuple):
    """A user of a server.

    Attributes:
        enabled: whether it is `on`.
        takes_any_password: whether it is `nopass`.
        hashes: the SHA-256 of each of its passwords, in hexadecimal.
    """

    enabled: bool
    takes_any_password: bool
    hashes: frozenset[str]


class Node:
    """One server. The context manager logs in as the admin.

    Args:
        url: of the admin's login: `redis://`, `rediss://` or `unix://`.
        deadline: when the whole operation must be done.
        others: logins to try, in this order, if that of the URL is refused; only those of the
            same user are tried.
    """

    def __init__(self, url: str, deadline: Deadline, others: Sequence[Login] = ()) -> None:
        self._url = url
        self._deadline = deadline
        self._others = others
        self._password: Secret | None = None  # None means the URL's
        self._client: Redis | None = None
        self.admin = DEFAULT_USER

    def __enter__(self) -> Node:
        try:
            self._client = self._open()
        except AuthError:
            self._client = self._open_otherwise()
            if self._client is None:
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def user(self, name: str) -> User | None:
        """Return a user of the server; None if it does not exist."""
        found = self._ask("ACL GETUSER", name)
        if found is None:
            return None
        flags = found["flags"]
        return User("on" in flags, "nopass" in flags, frozenset(found["passwords"]))

    def add(self, user: str, digest: str) -> None:
        """Add one password to an existing user."""
        self._ask("ACL SETUSER", user, f"#{digest}")

    def remove(self, user: str, digest: str) -> None:
        """Remove a password from a user; does nothing if it is already gone."""
        try:
            self._ask("ACL SETUSER", user, f"!{digest}")
        except SourceError:
            # the server refuses to remove a password that is gone: another process was faster
            found = self.user(user)
            if found is not None and digest in found.hashes:
                raise

    def rehearse(self, user: str, *, saving: bool, ending: bool) -> None:
        """Run the commands of a rotation for an existing user, in a way that changes nothing.

        Args:
            user: the user whose password will change.
            saving: whether the users will be saved.
            ending: whether connections will be closed.

        Raises:
            DeniedError: the admin may not run a command.
            SourceError: the server cannot run a command.
        """
        self._ask("ACL SETUSER", user)
        if ending:
            self._ask("CLIENT KILL", "USER", user, "ID", NO_CLIENT)
        if saving:
            self.save()

    def has_acl_file(self) -> bool:
        """Return whether the users survive a restart of the server."""
        return bool(self._ask("CONFIG GET", "aclfile").get("aclfile"))

    def peers(self) -> frozenset[Address]:
        """Return the servers that replicate from or to this one, and those of its cluster."""
        info = self._ask("INFO", "replication")
        found = {
            Address(str(entry["ip"]).lower(), int(entry["port"]))
            for name, entry in info.items()
            if name.startswith("slave") and isinstance(entry, dict) and "ip" in entry
        }
        if info.get("role") == "slave":
            found.add(Address(str(info["master_host"]).lower(), int(info["master_port"])))
        if self._ask("INFO", "cluster").get("cluster_enabled"):
            found |= _members(self._ask("CLUSTER NODES"))
        return frozenset(found)

    def replicates_as(self, user: str) -> bool:
        """Return whether the server logs in to its master as this user."""
        name = self._ask("CONFIG GET", "masteruser").get("masteruser") or DEFAULT_USER
        if name != user:
            return False
        return bool(self._ask("CONFIG GET", "masterauth").get("masterauth"))

    def save(self) -> None:
        """Write the users to the ACL file."""
        self._ask("ACL SAVE")

    def end_connections(self, user: str) -> None:
        """Close all connections of a user, whichever password they used."""
        self._ask("CLIENT KILL", "USER", user)

    def readers(self, user: str, seconds: float) -> Iterator[Reader]:
        """Yield the programs with connections of a user that are older than so many seconds.

        The server knows ages in whole seconds, and not which password a connection came with.
        """
        found: dict[tuple[str, str], list[float]] = {}
        for one in self._ask("CLIENT LIST"):
            if one.get("user") == user and float(one.get("age", 0)) > seconds:
                address = str(one.get("addr", "")).rpartition(":")[0].strip("[]")
                name = str(one.get("name") or one.get("lib-name") or "")
                found.setdefault((address, name), []).append(float(one["age"]))
        now = time.time()
        for (address, name), ages in found.items():
            yield Reader(user, address, name, sessions=len(ages), since=now - max(ages))

    def logs_in(self, user: str, password: Secret) -> bool:
        """Return whether a login works now."""
        client = self._open()  # a separate connection, since it changes its user
        try:
            self._do(client, "AUTH", user, password.to_bytes())
        except AuthError:
            return False
        finally:
            client.close()
        return True

    def _ask(self, *command: Any) -> Any:
        assert self._client is not None  # noqa: S101 - used only inside `with`
        return self._do(self._client, *command)

    @staticmethod
    def _do(client: Redis, *command: Any) -> Any:
        try:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - any message may quote the command
            raise _meaning(error, command[0]) from None

    def _open_otherwise(self) -> Redis | None:
        """Connect with the first of the other logins that works."""
        for user, password, *_ in self._others:
            if (user or DEFAULT_USER) == self.admin:
                self._password = password
                with suppress(AuthError):
                    return self._open()
        self._password = None
        return None

    def _open(self) -> Redis:
        """Connect, and log in as the admin."""
        try:
            from redis import ConnectionPool, Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ExtraMissingError(
                "the rotator 'redis' needs a driver that is not installed",
                hint=install_hint("redis"),
            ) from None
        if self._deadline.expired:
            raise TargetUnavailableError("no time is left to connect to the server of target.url")
        try:
            pool = ConnectionPool.from_url(
                self._url,
                protocol=2,  # every server supports it, and every admin's ACL allows it
                decode_responses=True,
                encoding_errors="replace",
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=self._deadline.remaining_seconds(CONNECT_SECONDS),
                socket_timeout=self._deadline.remaining_seconds(),
            )
            self.admin = pool.connection_kwargs.get("username") or DEFAULT_USER
            if self._password is not None:
                pool.connection_kwargs["password"] = self._password.to_bytes()
            client = Redis(connection_pool=pool, single_connection_client=True)
        except ValueError:
            raise not_a_url() from None
        except Exception as error:  # noqa: BLE001 - as above
            raise _meaning(error) from None
        client.auto_close_connection_pool = True
        return client


def _members(nodes: Mapping[str, Mapping[str, str]]) -> set[Address]:
    """Return the other servers of a cluster whose address is known."""
    found = set()
    for name, node in nodes.items():
        host, _, port = name.rpartition(":")
        flags = node["flags"].split(",")
        if host and "myself" not in flags and "noaddr" not in flags:
            found.add(Address(host.lower(), int(port)))
    return found


def not_a_url() -> RotationError:
    """Return the error for a `target.url` that no client understands."""
    return RotationError(
        "'target.url' is not the URL of a server",
        hint="write redis://user:password@host:6379, with {{ ... | urlencode }}",
    )


def reached_as(address: Address) -> frozenset[Address]:
    """Return an address as written, and as it is resolved."""
    found = {address}
    with suppress(OSError, UnicodeError):
        for *_, resolved in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
            host = str(resolved[0]).lower().removeprefix("::ffff:")
            found.add(Address(host, address.port))
    return frozenset(found)


def _meaning(error: Exception, command: str = "") -> EnvkitError:
    from redis import exceptions as redis

    if isinstance(error, redis.NoPermissionError):
        return DeniedError(
            f"the admin of target.url may not run {command or 'a command'}",
            hint=f"allow what '{PAGE}' lists under 'The admin'",
        )
    if isinstance(error, redis.AuthenticationError | redis.AuthenticationWrongNumberOfArgsError):
        return AuthError(
            "the server of target.url refuses the login",
            hint="check the user and the password in it",
        )
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        return TargetUnavailableError("cannot reach the server of target.url")
    return SourceError(f"the server of target.url refuses a command ({type(error).__name__})")
