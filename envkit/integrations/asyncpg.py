"""asyncpg with the current login of a live environment.

    from envkit.integrations import asyncpg as live_asyncpg

    pool = await asyncpg.create_pool(connect=live_asyncpg.connect(live, "DATABASE_URL"))

Every physical connection takes the login of that moment. If the server refuses it, envkit asks
the store at once, for up to a second, and tries each newer one. Open connections go on; a pool
closes those whose login has changed when they are released.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from envkit.integrations.credential import Credential
from envkit.integrations.packages import missing
from envkit.integrations.refusals import is_refusal
from envkit.resident import login as logins

try:
    import asyncpg
except ImportError:
    raise missing("asyncpg", "asyncpg") from None

# asyncpg takes what follows the first '@' for a host, and looks that up in the DNS
_URL = re.compile(r"postgres(?:ql)?://[^@/?#]*@?[^@/?#]*(?:[/?#]|$)")

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from envkit.integrations.credential import Opened, Variables
    from envkit.resident.live import Live
    from envkit.resident.login import Login


def connect(live: Live, login: Variables, *, recycle: bool = True) -> Callable[..., Awaitable[Any]]:
    """Return a function to be used in place of `asyncpg.connect`; for `create_pool(connect=...)`.

    It accepts the arguments of `asyncpg.connect`, which take precedence, other than the DSN.

    Args:
        live: the live environment.
        login: the variable with the URL; or variables for its parts:
            `{"user": "DB_USER", "password": "DB_PASSWORD"}` (also `host`, `port`, `dbname`).
        recycle: whether a pool closes connections whose login has changed when they are
            released. If not, they stay until the pool's own limits.
    """
    credential = Credential(live, login, recycle=recycle)

    async def connect_now(_dsn: str | None = None, **kwargs: Any) -> Any:
        kind = _live_class(kwargs.pop("connection_class", None) or asyncpg.Connection)

        async def attempt(login: Login) -> Any:
            try:
                connection = await asyncpg.connect(
                    **{**arguments(credential, login), "connection_class": kind, **kwargs}
                )
            except ValueError:  # its text has parts of the value
                raise credential.unusable() from None
            except Exception as error:  # noqa: BLE001 - whatever the driver raises
                # the driver's frames hold the password, and pages about errors show frames
                raise error.with_traceback(None) from None
            connection.envkit_opened = credential.opened(login)
            return connection

        return await logins.connect_async(live, credential.names, attempt, is_refusal)

    return connect_now


def arguments(credential: Credential, login: Login) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect`, which raises ValueError if they are no login."""
    parts: dict[str, Any] = credential.parts(login)
    if "dbname" in parts:
        parts["database"] = parts.pop("dbname")
    if "port" in parts:
        parts["port"] = int(parts["port"])
    if not parts and not _URL.match(credential.url(login)):
        raise credential.unusable()
    return {"dsn": credential.url(login) or None, **parts}


@cache
def _live_class(base: type[Any]) -> type[Any]:
    """Return a subclass whose connections a pool closes once their login is outdated."""

    class Connection(base):  # type: ignore[misc]
        envkit_opened: Opened | None = None

        async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
            await super().reset(timeout=timeout)
            opened = self.envkit_opened
            if opened is not None and opened.is_due():
                await self.close(timeout=timeout)

    return Connection
