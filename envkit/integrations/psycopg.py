"""psycopg 3 and psycopg_pool with the current login of a live environment.

    from envkit.integrations import psycopg as live_psycopg

    pool = ConnectionPool(connection_class=live_psycopg.connection_class(live, "DATABASE_URL"))
    connection = live_psycopg.connect(live, "DATABASE_URL")

Every physical connection takes the login of that moment. If the server refuses it, envkit asks
the store at once, for up to a second, and
tries each newer one. Open connections go on; a pool
replaces those whose login has changed when they are returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from envkit.integrations.credential import Credential
from envkit.integrations.packages import missing
from envkit.integrations.refusals import is_refusal
from envkit.resident import login as logins

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError:
    raise missing("psycopg", "psycopg") from None

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.integrations.credential import Opened, Variables
    from envkit.resident.live import Live
    from envkit.resident.login import Login

_PORTS = re.compile(r"[\d,]*")


class _LiveConnection:
    """What connections of both kinds have: how they were opened."""

    envkit_opened: Opened | None = None
    _expires = float("inf")

    @property
    def _expire_at(self) -> float:
        """When psycopg_pool replaces the connection; in the past if its login is outdated."""
        opened = self.envkit_opened
        return 0.0 if opened is not None and opened.is_due() else self._expires

    @_expire_at.setter
    def _expire_at(self, when: float) -> None:
        self._expires = when

    def _refuse_after_fork(self) -> None:
        opened = self.envkit_opened
        if opened is not None and opened.is_inherited():
            raise psycopg.InterfaceError(opened.fork_message())


def connection_class(
    live: Live, login: Variables, *, recycle: bool = True
) -> type[psycopg.Connection[Any]]:
    """Return a class whose `connect` logs in with the current values; for `ConnectionPool`.

    Arguments of `connect` other than the login, such as `kwargs` of a pool, are used as they
    are, and take precedence.

    Args:
        live: the live environment.
        login: the variable with the URL or connection string; or variables for its parts:
            `{"user": "DB_USER", "password": "DB_PASSWORD"}` (also `host`, `port`, `dbname`).
        recycle: whether a pool replaces connections whose login has changed when they are
            returned to it. If not, they stay until the pool's own `max_lifetime`.
    """
    credential = Credential(live, login, recycle=recycle)

    class Connection(_LiveConnection, psycopg.Connection[Any]):
        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            def attempt(login: Login) -> Any:
                try:
                    connection = super(Connection, cls).connect(
                        **parameters(credential, login, conninfo, kwargs)
                    )
                except psycopg.Error as error:
                    # the driver's frames hold the password, and pages about errors show frames
                    raise error.with_traceback(None) from None
                connection.envkit_opened = credential.opened(login)
                return connection

            return logins.connect(live, credential.names, attempt, is_refusal)

        def wait(self, *args: Any, **kwargs: Any) -> Any:
            self._refuse_after_fork()
            return super().wait(*args, **kwargs)

    return Connection


def async_connection_class(
    live: Live, login: Variables, *, recycle: bool = True
) -> type[psycopg.AsyncConnection[Any]]:
    """Return a class whose `connect` logs in with the current values; for `AsyncConnectionPool`.

    Arguments are those of `connection_class`. Stores are asked in a thread.
    """
    credential = Credential(live, login, recycle=recycle)

    class AsyncConnection(_LiveConnection, psycopg.AsyncConnection[Any]):
        @classmethod
        async def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            async def attempt(login: Login) -> Any:
                try:
                    connection = await super(AsyncConnection, cls).connect(
                        **parameters(credential, login, conninfo, kwargs)
                    )
                except psycopg.Error as error:
                    raise error.with_traceback(None) from None
                connection.envkit_opened = credential.opened(login)
                return connection

            return await logins.connect_async(live, credential.names, attempt, is_refusal)

        async def wait(self, *args: Any, **kwargs: Any) -> Any:
            self._refuse_after_fork()
            return await super().wait(*args, **kwargs)

    return AsyncConnection


def connect(live: Live, login: Variables, **kwargs: Any) -> psycopg.Connection[Any]:
    """Return a new connection; `kwargs` are those of `psycopg.connect`."""
    return connection_class(live, login).connect(**kwargs)


async def connect_async(
    live: Live, login: Variables, **kwargs: Any
) -> psycopg.AsyncConnection[Any]:
    """Return a new connection; `kwargs` are those of `psycopg.AsyncConnection.connect`."""
    return await async_connection_class(live, login).connect(**kwargs)


def parameters(
    credential: Credential,
    login: Login,
    conninfo: str = "",
    kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments of psycopg's `connect`, of which `kwargs` win.

    Raises:
        InvalidValueError: the variables are not a login.
    """
    if not _is_conninfo(credential.url(login)):
        raise credential.unusable()
    return {
        **conninfo_to_dict(conninfo),
        **conninfo_to_dict(credential.url(login)),
        **credential.parts(login),
        **(kwargs or {}),
    }


def _is_conninfo(text: str) -> bool:
    """Whether psycopg understands a text, and no part of a password was taken for a host.

    That happens where a password has unescaped characters; messages of drivers show hosts. It
    is a function, so that no frame of an exception has the text.
    """
    try:
        found = conninfo_to_dict(text)
    except (psycopg.ProgrammingError, ValueError):
        return False
    host, port = str(found.get("host", "")), str(found.get("port", ""))
    return "@" not in host and _PORTS.fullmatch(port) is not None
