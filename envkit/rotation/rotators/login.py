"""The login that a secret holds: a URL with user and password in it, or a password alone.

    stored = StoredLogin("password", user_field="username")
    stored.read({"username": Secret("app_a"), "password": Secret("hunter2")}).user   # app_a

    >>> login = login_of("postgresql://app_a:p%40ss@db:5432/app?sslmode=require")
    >>> login.user, login.password.reveal()
    ('app_a', 'p@ss')
    >>> with_login("postgresql://app_a:p%40ss@db/app", Login("app_b", Secret("n/w"))).reveal()
    'postgresql://app_b:n%2Fw@db/app'

Of a URL only the text of the user and the password is changed; every other byte stays, odd
ports, several hosts and query included, which a parser of URLs would put in order. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from envkit.errors import RotationError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.rotation_state.store import Fields

_USER_INFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^:/?#]*):(?P<password>[^/?#]*)@", re.DOTALL
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Login(NamedTuple):
    """A user, and the password as it is typed: not encoded."""

    user: str
    password: Secret


class StoredLogin:
    """Where among the fields of a secret its login is.

    Args:
        field: of the value: a URL, or a password alone.
        user_field: of the user, where the value is a password alone.
        user: who it is where neither says so.
    """

    __slots__ = ("_field", "_user", "_user_field")

    def __init__(
        self, field: str, *, user_field: str | None = None, user: str | None = None
    ) -> None:
        self._field = field
        self._user_field = user_field
        self._user = user

    def read(self, fields: Fields) -> Login:
        """Return the login that the fields of a secret hold.

        Raises:
            RotationError: they hold none.
        """
        value = self._one(fields, self._field)
        if is_url(value):
            return login_of(value)
        if self._user_field is not None:
            return Login(self._one(fields, self._user_field).reveal(), value)
        if self._user is not None:
            return Login(self._user, value)
        raise RotationError(
            "the secret is a password alone, and nothing says whose",
            hint='name the field of the user: target = { user_field = "username" }',
        )

    def write(self, fields: Fields, login: Login) -> dict[str, Secret]:
        """Return the fields of a secret with another login in them."""
        value = self._one(fields, self._field)
        written = {self._field: with_login(value, login) if is_url(value) else login.password}
        if self._user_field is not None:
            written[self._user_field] = Secret(login.user)
        return written

    @staticmethod
    def _one(fields: Fields, field: str) -> Secret:
        if field not in fields:
            raise RotationError(f"the secret has no field '{field}'")
        return fields[field]


def is_url(value: Secret) -> bool:
    """Return whether a value is a URL, and not a password alone."""
    return _URL.match(value.reveal()) is not None


def login_of(url: Secret | str) -> Login:
    """Return the login in a URL.

    Raises:
        RotationError: it has none.
    """
    match = _found(url.reveal() if isinstance(url, Secret) else url)
    user, password = (
        unquote(match[name], errors="surrogateescape") for name in ("user", "password")
    )
    return Login(user, Secret(password))


def with_login(url: Secret | str, login: Login) -> Secret:
    """Return a URL with another login in it.

    Raises:
        RotationError: it has none that could be replaced.
    """
    text = url.reveal() if isinstance(url, Secret) else url
    match = _found(text)
    user, password = (
        quote(part, safe="", errors="surrogateescape")
        for part in (login.user, login.password.reveal())
    )
    return Secret(f"{match['scheme']}{user}:{password}@{text[match.end() :]}")


def _found(text: str) -> re.Match[str]:
    match = _USER_INFO.match(text)
    if match is None:
        raise RotationError(
            "the secret is a URL without a user and a password in it",
            hint="store it as scheme://user:password@host/..., or store the password alone",
        )
    return match
