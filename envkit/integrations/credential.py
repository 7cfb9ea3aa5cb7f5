"""The variables that a database login consists of, and whether a connection's login is current.

    credential = Credential(live, "DATABASE_URL")
    credential = Credential(live, {"user": "DB_USER", "password": "DB_PASSWORD"})

A connection keeps the login that it was opened with. It is outdated as soon as the live
environment has another one: a change of any other variable does not affect it.
"""

from __future__ import annotations

import os
import random
import re
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from envkit.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from envkit.resident.live import Live
    from envkit.resident.login import Login
    from envkit.secret import Secret

    Variables: TypeAlias = str | Mapping[str, str]  # a URL, or the parts of a login

SPREAD_SECONDS = 1.0  # outdated connections are closed within this time, not all at once
PARTS = ("user", "password", "host", "port", "dbname")  # as libpq calls them


class _Current(NamedTuple):
    """The login of a live environment, and when it was first noticed (monotonic clock)."""

    generation: int
    login: Mapping[str, Secret | None]
    since: float


class Credential:
    """The variables that a login consists of.

    Args:
        live: the live environment.
        login: the variable with the URL; or variables for the parts of a login, by the names
            of libpq: `{"user": "DB_USER", "password": "DB_PASSWORD"}`.
        recycle: whether connections with an outdated login are to be closed.

    Raises:
        TypeError: there is no such part.
    """

    def __init__(self, live: Live, login: Variables, *, recycle: bool = True) -> None:
        self.live = live
        self.recycle = recycle
        self._url = login if isinstance(login, str) else None
        self._parts = {} if isinstance(login, str) else dict(login)
        unknown = self._parts.keys() - set(PARTS)
        if unknown or not (self._url or self._parts):
            raise TypeError(f"a login has the parts {', '.join(PARTS)}, not {sorted(unknown)}")
        self.names = (self._url,) if self._url else tuple(dict.fromkeys(self._parts.values()))
        self._current: _Current | None = None

    def __repr__(self) -> str:
        return f"Credential({', '.join(self.names)})"

    def __deepcopy__(self, memo: object) -> Credential:
        return self  # frameworks copy their settings

    def url(self, login: Login) -> str:
        """Return the text of the URL without a driver; empty where the login consists of parts."""
        text = self._text(login[self._url]) if self._url else ""
        return re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", text)  # a form of SQLAlchemy

    def parts(self, login: Login) -> dict[str, str]:
        """Return the text of each part; none where the login is a URL."""
        return {part: self._text(login[name]) for part, name in self._parts.items()}

    def _text(self, value: Secret) -> str:
        if not _is_utf8(value):  # the error of a driver would have the whole text
            raise self.unusable()
        return value.reveal()

    def unusable(self) -> InvalidValueError:
        """Return the error that the variables are not a login; the driver's has their text."""
        return InvalidValueError(
            f"{', '.join(self.names)} cannot be used to log in to PostgreSQL",
            hint="write a URL as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the filter "
            "'urlencode' for USER and PASSWORD"
            if self._url
            else "write the values as UTF-8, and the port as a number",
        )

    def opened(self, login: Login) -> Opened:
        """Return what a new connection is to remember."""
        return Opened(self, login)

    def current(self) -> _Current:
        """Return the current login, and when it was first noticed."""
        snapshot, known = self.live.snapshot(), self._current
        if known is None or known.generation != snapshot.generation:
            login = {name: snapshot.environment.get(name) for name in self.names}
            if known is not None and known.login == login:
                known = known._replace(generation=snapshot.generation)
            else:
                known = _Current(snapshot.generation, login, monotonic())
            self._current = known
        return known


def _is_utf8(value: Secret) -> bool:
    try:
        value.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True


class Opened:
    """How one connection was opened: with which login, in which process.

    Attributes:
        pid: the process.
    """

    __slots__ = ("_credential", "_delay", "_login", "pid")

    def __init__(self, credential: Credential, login: Login) -> None:
        self._credential = credential
        self._login = dict(login)
        self._delay = random.uniform(0, SPREAD_SECONDS)  # noqa: S311 - spreads reconnections
        self.pid = os.getpid()

    def is_inherited(self) -> bool:
        """Whether another process opened the connection, before a fork."""
        return self.pid != os.getpid()

    def is_due(self) -> bool:
        """Whether the connection is to be closed, because the login has changed."""
        if not self._credential.recycle:
            return False
        current = self._credential.current()
        return current.login != self._login and monotonic() >= current.since + self._delay

    def fork_message(self) -> str:
        """Say that the connection cannot be used here."""
        return (
            f"this connection was opened in process {self.pid} and inherited by process "
            f"{os.getpid()}: open connections and pools after the fork, in each worker "
            "(gunicorn: in the hook post_fork)"
        )
