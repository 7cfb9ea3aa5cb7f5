"""Read and replace the login in a secret, in one of the usual forms or as a password alone.

    stored = StoredLogin("password", user_field="username")
    stored.read({"username": Secret("app_a"), "password": Secret("hunter2")}).user   # app_a

    >>> login = login_of("postgresql://app_a:p%40ss@db:5432/app?sslmode=require")
    >>> login.user, login.password.reveal(), login.hosts
    ('app_a', 'p@ss', (Host(name='db', port=5432),))
    >>> with_login("Host=db;Username=app_a;Password=x", Login("app_b", Secret("n;w"))).reveal()
    'Host=db;Username=app_b;Password="n;w"'

Only the text of the user and the password is changed; all other bytes stay. A value that looks
like a connection string but is not understood is refused: as a password, it would be replaced as
a whole. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit.errors import RotationError
from envkit.rotation.rotators.generate import generated
from envkit.rotation.rotators.login_forms import json_object, pairs, url
from envkit.rotation.rotators.login_forms.hosts import Host
from envkit.rotation.rotators.login_forms.parts import Found, not_understood, only, replaced
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation_state.store import Fields

# fields with the user of a password, beside the password
USER_FIELDS = ("username", "user")
_TRIES = 100

# forms that a password alone never has
_CONNECTION = re.compile(
    r"://"
    r"|\A\s*(?:[{<]|\[\s*[{\[\"]|\(\s*\w+\s*=)"
    r"|\A\s*\"(?:[^\"\\]|\\.)*\"\s*\Z"  # a text of JSON or of a shell
    r"|\A\s*jdbc:"
    r"|(?:password|passwd|pwd)[\"']?\s*[=:]"
    r"|\A\s*(?:server|host|hostaddr|data ?source|address|addr|port|user|user ?name|user ?id|uid"
    r"|dbname|database|initial catalog|service|driver|dsn|endpoint|sslmode)\s*="
    r"|\A[^:@/\s]+:[^\s]*@(?:tcp\(|unix\(|[A-Za-z0-9.-]+(?::[0-9]+|/\w))"
    r"|\A[A-Za-z0-9.-]+:[0-9]+,"
    r"|\A[^:\s]+:(?:[0-9]+|\*):[^:\s]*:[^:\s]*:"  # a line of .pgpass
    r"|\A//[^/\s@]+@"
    r"|\A[^\s@/]+/[^\s@]*@(?://)?[A-Za-z0-9.-]+(?::[0-9]+)?/\w"  # of Oracle
    r"|\A(?:export\s+)?\w*(?:pass|pwd|auth)\w*\s*=\s*[^\s=]"
    r"|\A(?:basic|bearer|psql|mysql|redis-cli|valkey-cli)\s+\S",
    re.IGNORECASE,
)


class Login(NamedTuple):
    """A user, a password and the servers of the login.

    Attributes:
        user: not encoded.
        password: not encoded.
        hosts: as written; empty if the value names none. `with_login` does not write them.
    """

    user: str
    password: Secret
    hosts: tuple[Host, ...] = ()


class StoredLogin:
    """The place of the login among the fields of a secret.

    Args:
        field: of the value, in any form.
        user_field: of the user, if the value is a password alone.
        user: the user if neither field names one.
        must_be: the only user that the secret may name; also the user if it names none.
    """

    __slots__ = ("_field", "_must_be", "_user", "_user_field")

    def __init__(
        self,
        field: str,
        *,
        user_field: str | None = None,
        user: str | None = None,
        must_be: str | None = None,
    ) -> None:
        self._field = field
        self._user_field = user_field
        self._user = must_be if must_be is not None else user
        self._must_be = must_be

    def read(self, fields: Fields) -> Login:
        """Return the login in the fields of a secret.

        Raises:
            RotationError: there is no login, or its user is not the one of the profile.
        """
        value = self._one(fields, self._field)
        found = _found(value.reveal())
        hosts = () if found is None else found.hosts
        password = value if found is None else Secret(only(found.passwords, "passwords"))
        named = [] if found is None or not found.users else [only(found.users, "users")]
        if self._user_field is not None and (not named or self._user_field in fields):
            named.append(self._one(fields, self._user_field).reveal())
        if not named and self._user is None:
            raise RotationError(
                "the secret has a password but no user",
                hint='name the field with the user: target = { user_field = "username" }',
            )
        user = next((user for user in named if user), self._user or "")
        if found is None and user and value.reveal().startswith(tuple(f"{user}{c}" for c in ":/ ")):
            raise not_understood("starts with its user and is not just a password")
        if found is None or not found.users:  # fields beside it must agree, but are not its user
            beside = [name for name in USER_FIELDS if name in fields and name != self._field]
            named += [fields[name].reveal() for name in beside]
        others = {one for one in named if one} - {user}
        if self._must_be is not None and (others or user != self._must_be):
            raise RotationError(
                f"the secret names another user than 'target.user', '{self._must_be}'",
                hint="find out who changed the secret, or correct 'target.user'",
            )
        if others:
            raise RotationError(
                "the secret names two different users",
                hint="correct the user in the secret, or the user field beside it",
            )
        return Login(user, password, hosts)

    def write(self, fields: Fields, login: Login) -> dict[str, Secret]:
        """Return the fields of a secret with another login.

        Raises:
            RotationError: they have no login, or their form cannot represent this one.
        """
        now = self.read(fields)
        value = self._one(fields, self._field).reveal()
        found = _found(value)
        user = None if login.user == now.user else login.user
        if found is None:
            written = {self._field: login.password}
        else:
            text = replaced(value, found, user, login.password.reveal())
            written = {self._field: Secret(text)}
        if self._user_field is not None:
            written[self._user_field] = Secret(login.user)
        changed = StoredLogin(self._field, user_field=self._user_field, user=self._user)
        if changed._differs({**fields, **written}, login):
            raise RotationError(
                "the secret's form cannot represent this login",
                hint="restrict 'generate.alphabet', or store the secret in another form",
            )
        return written

    def renewed(
        self, fields: Fields, generate: Mapping[str, object], user: str | None = None
    ) -> dict[str, Secret]:
        """Return the fields with a generated password, and another user if one is given.

        A password that the form cannot represent is not used, such as one with a comma in a list
        of settings that commas separate.

        Raises:
            RotationError: no suitable password could be generated.
        """
        user = self.read(fields).user if user is None else user
        tries = _TRIES
        while True:
            tries -= 1
            try:
                return self.write(fields, Login(user, generated(generate)))
            except RotationError:
                if not tries:
                    raise

    def _differs(self, fields: Fields, login: Login) -> bool:
        try:
            return self.read(fields)[:2] != login[:2]
        except RotationError:
            return True

    @staticmethod
    def _one(fields: Fields, field: str) -> Secret:
        if field not in fields:
            raise RotationError(f"the secret has no field '{field}'")
        return fields[field]


def is_url(value: Secret) -> bool:
    """Return whether a value is a URL, and not a password alone."""
    return url.is_url(value.reveal())


def login_of(value: Secret | str) -> Login:
    """Return the login in a value of any form that includes the user.

    Raises:
        RotationError: the value has no login.
    """
    return StoredLogin("value").read({"value": _secret(value)})


def with_login(value: Secret | str, login: Login) -> Secret:
    """Return a value with another login.

    Raises:
        RotationError: the value has no login that could be replaced.
    """
    return StoredLogin("value").write({"value": _secret(value)}, login)["value"]


def _secret(value: Secret | str) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _found(text: str) -> Found | None:
    """Return the login in a text and its place; None if the text is a password alone.

    Raises:
        RotationError: the text looks like a connection string, but is not understood.
    """
    if url.is_jdbc(text):
        return url.read_jdbc(text)
    if url.is_url(text):
        return url.read_url(text)
    if json_object.is_json(text):
        found = json_object.read_json(text)
        if any(_has_the_password(other, found) for other in found.others):
            raise not_understood("has its password in more than one member")
        return found
    if _CONNECTION.search(text) is None:
        return None
    settings = pairs.read_pairs(text)
    if settings is None:
        raise not_understood()
    return settings


def _has_the_password(text: str, found: Found) -> bool:
    passwords = {part.text for part in found.passwords}
    if text in passwords:
        return True
    try:
        inner = _found(text)
    except RotationError:
        return False  # not a login that envkit understands
    return inner is not None and not passwords.isdisjoint(part.text for part in inner.passwords)
