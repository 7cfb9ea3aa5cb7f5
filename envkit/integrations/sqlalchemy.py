"""SQLAlchemy engines that log in to PostgreSQL with the current values of a live environment.

    from envkit.integrations import sqlalchemy as live_sqlalchemy

    engine = live_sqlalchemy.create_engine(live, "DATABASE_URL")
    engine = live_sqlalchemy.create_async_engine(live, "DATABASE_URL")

Every physical connection takes the login of that moment. If the server refuses it, envkit asks
the store at once, for up to a second, and
tries each newer one. Open connections go on; the pool
replaces those whose login has changed when they are returned or checked out. Connections that
were opened before a fork are left to the parent.

The engine's own URL has no host and no login: a page or log that shows it shows no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.integrations.credential import Credential
from envkit.integrations.packages import missing
from envkit.integrations.refusals import is_refusal
from envkit.resident import login as logins

try:
    import sqlalchemy
    from sqlalchemy import event
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import DisconnectionError
    from sqlalchemy.util import concurrency
except ImportError:
    raise missing("sqlalchemy", "SQLAlchemy") from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from envkit.integrations.credential import Opened, Variables
    from envkit.resident.live import Live
    from envkit.resident.login import Login

_DRIVERS = ("postgresql+psycopg", "postgresql+asyncpg")
_OPENED = "envkit.opened"  # in the `info` of a connection's record
_inherited: list[object] = []  # connections of the parent: to collect one could close it
# SQLAlchemy 2.1 has another name for it
_await: Callable[..., Any] = getattr(concurrency, "await_", None) or concurrency.await_only


def create_engine(
    live: Live,
    login: Variables,
    *,
    drivername: str = "postgresql+psycopg",
    recycle: bool = True,
    **kwargs: Any,
) -> Engine:
    """Return an engine; `kwargs` are those of `sqlalchemy.create_engine`. Reads no store yet.

    Args:
        live: the live environment.
        login: the variable with the URL, of which the driver is ignored; or variables for its
            parts: `{"user": "DB_USER", "password": "DB_PASSWORD"}` (also `host`, `port`,
            `dbname`).
        drivername: the dialect and driver.
        recycle: whether connections whose login has changed are replaced when they are
            returned or checked out. If not, they stay until the pool's own `pool_recycle`.
        kwargs: such as `pool_size` or `connect_args`.
    """
    engine = sqlalchemy.create_engine(_url(drivername), **kwargs)
    _listen(engine, Credential(live, login, recycle=recycle), _connect)
    return engine


def create_async_engine(
    live: Live,
    login: Variables,
    *,
    drivername: str = "postgresql+asyncpg",
    recycle: bool = True,
    **kwargs: Any,
) -> AsyncEngine:
    """Return an engine for asyncio; the arguments are those of `create_engine`.

    `drivername` may also be `postgresql+psycopg`. Stores are asked in a thread.
    """
    from sqlalchemy.ext import asyncio

    engine = asyncio.create_async_engine(_url(drivername), **kwargs)
    _listen(engine.sync_engine, Credential(live, login, recycle=recycle), _connect_in_greenlet)
    return engine


def _url(drivername: str) -> URL:
    if drivername not in _DRIVERS:
        raise ValueError(f"drivername is {drivername!r}, and must be one of {', '.join(_DRIVERS)}")
    return URL.create(drivername)


def _listen(engine: Engine, credential: Credential, connect: Callable[..., Any]) -> None:
    @event.listens_for(engine, "do_connect")
    def do_connect(dialect: Any, record: Any, _args: list[Any], kwargs: dict[str, Any]) -> Any:
        connection, opened = connect(credential, dialect, kwargs)
        if record is not None:
            record.info[_OPENED] = opened
        return connection

    @event.listens_for(engine, "checkout")
    def checkout(connection: Any, record: Any, proxy: Any) -> None:
        opened = record.info.get(_OPENED)
        if opened is not None and opened.is_inherited():
            _inherited.append(connection)
            record.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError(opened.fork_message())
        if opened is not None and opened.is_due():
            raise DisconnectionError("the login has changed since this connection was opened")

    @event.listens_for(engine, "checkin")
    def checkin(connection: Any, record: Any) -> None:
        opened = record.info.get(_OPENED)
        if connection is not None and opened is not None and opened.is_due():
            record.invalidate()


def _connect(credential: Credential, dialect: Any, kwargs: dict[str, Any]) -> tuple[Any, Opened]:
    def attempt(login: Login) -> tuple[Any, Opened]:
        try:
            return _open(credential, dialect, login, kwargs), credential.opened(login)
        except dialect.loaded_dbapi.Error as error:
            # the driver's frames hold the password, and pages about errors show frames
            raise error.with_traceback(None) from None

    return logins.connect(credential.live, credential.names, attempt, is_refusal)


def _connect_in_greenlet(
    credential: Credential, dialect: Any, kwargs: dict[str, Any]
) -> tuple[Any, Opened]:
    async def attempt(login: Login) -> tuple[Any, Opened]:
        try:
            connection = await concurrency.greenlet_spawn(_open, credential, dialect, login, kwargs)
        except ValueError:  # its text has parts of the value
            raise credential.unusable() from None
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            raise error.with_traceback(None) from None
        return connection, credential.opened(login)

    waiting = logins.connect_async(credential.live, credential.names, attempt, is_refusal)
    result: tuple[Any, Opened] = _await(waiting)
    return result


def _open(credential: Credential, dialect: Any, login: Login, kwargs: dict[str, Any]) -> Any:
    """Connect with the arguments that the driver itself takes from a URL, and the engine's."""
    if dialect.driver == "asyncpg":
        from envkit.integrations.asyncpg import arguments

        return dialect.connect(**{**arguments(credential, login), **kwargs})
    from envkit.integrations.psycopg import parameters

    return dialect.connect(**parameters(credential, login, kwargs=kwargs))
