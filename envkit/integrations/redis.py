"""Clients of redis-py that log in with the current password of a live environment.

    client = redis.Redis(**options(live, "REDIS_URL"), decode_responses=True)
    client = redis.asyncio.Redis(**options(live, "REDIS_URL"))

Guarantees: user and password of one login come from one read; only a refused login is
tried again, once, with a newer value; a connection whose login is in doubt is closed, never
returned to the pool. After a change a pool replaces a connection when it is next checked out.

The server, the database and the settings of a URL are read once, because redis-py opens the
socket before it asks for a login.

Reference: https://redis.readthedocs.io/en/stable/connections.html
"""

from __future__ import annotations

import asyncio
import inspect
from random import random
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, ref

from envkit.errors import InvalidValueError
from envkit.integrations.packages import missing
from envkit.resident import login

try:
    import redis
    import redis.asyncio
    from redis.credentials import CredentialProvider
except ImportError:
    raise missing("redis", "redis") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import Any

    from envkit.resident.live import Live
    from envkit.secret import Secret

SPREAD_SECONDS = 1.0  # over which connections with an old login are replaced
# redis-py repeats a refused login up to ten times: the stores are asked once for all of them
REST_SECONDS = 5.0
_SHAPE = "redis://user:password@host:6379/0, with the password as '{{ ... | urlencode }}'"


def options(
    live: Live, url: str | None = None, *, username: str | None = None, password: str | None = None
) -> dict[str, Any]:
    """Return the arguments of `redis.Redis` or `redis.asyncio.Redis` for current logins.

    A URL is read at once, the first time from its store: call this before an event loop starts.

    Args:
        live: the live environment.
        url: the variable with the URL: `redis://`, `rediss://` (TLS) or `unix://`.
        username: in place of `url`, the variable with the user.
        password: in place of `url`, the variable with the password. Pass `host`, `port` and so
            on to the client.

    Raises:
        InvalidValueError: the URL is not one of a Redis server.
        EnvkitError: the environment cannot be read.
    """
    if (url is None) == (password is None) or (url is not None and username is not None):
        raise TypeError(
            "name a variable with a URL, as in options(live, 'REDIS_URL'), or one with a password, "
            "as in options(live, password='REDIS_PASSWORD')"
        )
    if url is None:
        names = [name for name in (username, password) if name]
        return _Connector(live, names, _separate).options()

    def of_url(values: Mapping[str, Secret]) -> _Login:
        return _parse(url, values[url])[0]

    first, settings = _parse(url, live[url])
    return {**settings, **_Connector(live, [url], of_url, server=first.server).options()}


def is_refusal(error: Exception) -> bool:
    """Return whether an exception says that the server refused the login."""
    return isinstance(error, redis.AuthenticationError)


class _Login(NamedTuple):
    username: str | None
    password: str | None
    server: tuple[object, ...] = ()  # scheme, host and port, or the path of a socket


def _separate(values: Mapping[str, Secret]) -> _Login:
    *user, password = (value.reveal() for value in values.values())
    return _Login(user[0] if user else None, password)


def _parse(name: str, value: Secret) -> tuple[_Login, dict[str, Any]]:
    """Return the login of a URL, and the other arguments of the client."""
    try:
        text = value.reveal()
        found: dict[str, Any] = dict(redis.connection.parse_url(text))  # type: ignore[no-untyped-call]
        scheme = urlsplit(text).scheme
        user, password = found.pop("username", None), found.pop("password", None)
    except ValueError:  # its text may have a part of the password
        raise InvalidValueError(
            f"{name} is not the URL of a Redis server", hint=f"write {_SHAPE}"
        ) from None
    found.pop("connection_class", None)
    if scheme == "unix":
        found["unix_socket_path"] = found.pop("path", "")
    elif scheme == "rediss":
        found["ssl"] = True
    server = (scheme, found.get("unix_socket_path"), found.get("host"), found.get("port"))
    return _Login(user, password, server), found


class _Connector:
    """Logs connections in; one for each client or pool.

    Args:
        live: the live environment.
        names: the variables of the login.
        parse: makes a login of their values.
        server: where connections go.
    """

    def __init__(
        self,
        live: Live,
        names: Sequence[str],
        parse: Callable[[Mapping[str, Secret]], _Login],
        *,
        server: tuple[object, ...] = (),
    ) -> None:
        self._live = live
        self._names = tuple(names)
        self._parse = parse
        self._server = server
        self._provider = _Provider(self.current)
        # by connection: when the stores were last asked, and which values had been refused
        self._asked: WeakKeyDictionary[Any, tuple[float, object]] = WeakKeyDictionary()

    def options(self) -> dict[str, Any]:
        return {
            "credential_provider": self._provider,
            "redis_connect_func": _awaitable(self),
        }

    def __call__(self, connection: Any) -> Coroutine[Any, Any, None] | None:
        """Log in on a new socket; redis-py calls this in place of `connection.on_connect`."""
        if isinstance(connection, redis.asyncio.connection.AbstractConnection):
            return self._log_in_async(connection)
        self._log_in(connection)
        return None

    def current(self) -> _Login:
        environment = self._live.snapshot().environment
        return self._login_of({name: environment[name] for name in self._names})

    def _log_in(self, connection: Any) -> None:
        tried: list[Mapping[str, Secret]] = []

        def attempt(values: Mapping[str, Secret]) -> None:
            tried.append(values)
            wanted = self._login_of(values)
            connection.credential_provider = _Provider(lambda: wanted)
            connection.on_connect()
            connection.connect = _Checkout(connection, self, values)

        def asks(error: Exception) -> bool:
            return is_refusal(error) and self._asks(connection, tried[-1])

        try:
            login.connect(self._live, self._names, attempt, asks)
        except BaseException:
            connection.disconnect()  # redis-py does so only after its own errors
            raise
        finally:
            connection.credential_provider = self._provider

    async def _log_in_async(self, connection: Any) -> None:
        tried: list[Mapping[str, Secret]] = []

        async def attempt(values: Mapping[str, Secret]) -> None:
            tried.append(values)
            wanted = self._login_of(values)
            connection.credential_provider = _Provider(lambda: wanted)
            await connection.on_connect()
            connection.connect = _AsyncCheckout(connection, self, values)

        def asks(error: Exception) -> bool:
            return is_refusal(error) and self._asks(connection, tried[-1])

        try:
            await login.connect_async(self._live, self._names, attempt, asks)
        except BaseException:
            await connection.disconnect()
            raise
        finally:
            connection.credential_provider = self._provider

    def _login_of(self, values: Mapping[str, Secret]) -> _Login:
        wanted = self._parse(values)
        if wanted.server != self._server:
            raise redis.RedisError(
                f"{self._names[0]} names another server now, and its password is not sent to the "
                "one of this client: create the client again"
            )
        return wanted

    def _asks(self, connection: Any, refused: Mapping[str, Secret]) -> bool:
        """Return whether to ask the stores for what takes the place of refused values."""
        now = monotonic()
        asked_at, asked_for = self._asked.get(connection, (0.0, None))
        if refused == asked_for and now < asked_at + REST_SECONDS:
            return False
        self._asked[connection] = now, refused
        return True

    def has_changed(self, values: Mapping[str, Secret]) -> bool:
        """Return whether a login with these values would be another one now."""
        environment = self._live.snapshot().environment
        return any(environment.get(name) != value for name, value in values.items())


def _awaitable(connector: _Connector) -> _Connector:
    """Let redis.asyncio await what the connector returns; the other client ignores it."""
    mark = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12
    if mark is not None:
        mark(connector)
    else:
        connector._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
    return connector


class _Provider(CredentialProvider):
    """Gives redis-py a login. A cluster's client asks it; others are logged in by a connector."""

    def __init__(self, current: Callable[[], _Login]) -> None:
        self._current = current

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        found = self._current()
        if found.username:
            return (found.username, found.password or "")
        return (found.password,) if found.password else ()  # type: ignore[return-value]

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


class _Checkout:
    """Stands before `connection.connect`, which a pool calls each time it hands one out."""

    def __init__(
        self, connection: Any, connector: _Connector, values: Mapping[str, Secret]
    ) -> None:
        self._connection: Callable[[], Any] = ref(connection)  # which refers to this object
        self._connector = connector
        self._values = values
        self._retire_at: float | None = None

    def __call__(self) -> None:
        connection = self._connection()
        if self._is_due(connection):
            connection.disconnect()
        type(connection).connect(connection)

    def _is_due(self, connection: Any) -> bool:
        """Return whether to replace a connection; each waits for a random part of SPREAD_SECONDS.

        A subscription calls `connect` between two messages, and would lose what it has not read.
        """
        if _is_subscribed(connection):
            return False
        if not self._connector.has_changed(self._values):
            self._retire_at = None
            return False
        now = monotonic()
        if self._retire_at is None:
            self._retire_at = now + random() * SPREAD_SECONDS  # noqa: S311 - it spreads logins
        return now >= self._retire_at


class _AsyncCheckout(_Checkout):
    async def __call__(self) -> None:  # type: ignore[override]
        connection = self._connection()
        if self._is_due(connection):
            await connection.disconnect()
        await type(connection).connect(connection)


def _is_subscribed(connection: Any) -> bool:
    owners = (getattr(one(), "__self__", None) for one in connection._connect_callbacks)  # noqa: SLF001
    return any(isinstance(one, redis.client.PubSub | redis.asyncio.client.PubSub) for one in owners)
