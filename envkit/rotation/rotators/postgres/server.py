"""A PostgreSQL server: the admin changes it, and other logins are tested at it.

server = Server("postgresql://admin:...@db:5432/app", deadline)
with server.admin("app_b") as change:             # one transaction, one at a time per role
    change.give("app_b", Secret("new"), Verifier.SCRAM)
server.logs_in(Login("app_b", Secret("new")))     # True
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager, suppress

from envkit.errors import RotationError, TargetUnavailableError
from envkit.rotation.rotators.login import Login
from envkit.rotation.rotators.login_forms.hosts import Host, paired
from envkit.rotation.rotators.postgres.change import Change, Verifier
from envkit.rotation.rotators.postgres.connection import (
    LoginRefusedError,
    admin_refused,
    connected,
    parameters,
)
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from psycopg import Connection

    from envkit._internal.clock import Deadline

PORT = 5432
_TRIES = 5
_FIRST_WITH_REQUIRE_AUTH = 160000  # the version of libpq


class Server:
    """One server.

    Args:
        dsn: of its admin, a URL or `key=value`, as libpq accepts it.
        deadline: when the whole operation must be done.
        own_login: whether the DSN has the password that is rotated. The role may have another
            one by now, which `admin` then receives among its logins.
    """

    def __init__(self, dsn: str, deadline: Deadline, *, own_login: bool = False) -> None:
        self._dsn = dsn
        self._deadline = deadline
        self._own_login = own_login

    @contextmanager
    def admin(self, role: str | None, own: Sequence[Login] = ()) -> Iterator[Change]:
        """Start a transaction, one at a time for each role.

        Args:
            role: the role to change; None if nothing is changed.
            own: logins that may be the admin's, if it rotates its own password.

        Raises:
            SourceError: the server fails, or the admin lacks the rights.
            RejectedError: the server will never accept a password.
        """
        with ExitStack() as stack:
            connection, settings = self._connected(stack, own)
            change = Change(connection, _hosts(connection, settings))
            change.begin(role, self._deadline)
            yield change

    def accepts(self, login: Login, becomes: str | None = None) -> bool:
        """Return whether a login works now, or would if one of its sessions ended.

        The server checks the number of sessions only after the password. So the password can be
        tested even while an application uses all sessions of its role.

        Args:
            login: the login to test.
            becomes: the role that the login must switch to; None if it does not matter.

        Raises:
            RotationError: the server does not ask this user for a password, or switches to
                another role.
            SourceError: the server fails, or refuses for another reason.
        """
        reason = ""
        for _ in range(_TRIES):  # a session may have ended since the refusal
            refusal = self._refusal(login, becomes)
            if refusal is None:
                return True
            if self._is_for_the_password(refusal, login):
                return False
            reason = refusal.reason
            with self.admin(None, (login,)) as change:
                if change.is_full(login.user):
                    return True
        raise TargetUnavailableError(
            f"the PostgreSQL server refuses a user, but not because of the password: {reason}"
        )

    def knows(self, login: Login) -> bool:
        """Return whether a password is right, even if the server has other reasons to refuse.

        Raises:
            RotationError: the server does not ask this user for a password.
            SourceError: the server fails.
        """
        refusal = self._refusal(login)
        return refusal is None or not self._is_for_the_password(refusal, login)

    def is_dead(self, login: Login, own: Sequence[Login] = ()) -> bool:
        """Return whether a login is refused for good: for its password, or as NOLOGIN.

        Raises:
            RotationError: the server does not ask this user for a password.
            SourceError: the server fails.
        """
        refusal = self._refusal(login)
        if refusal is None:
            return False
        if self._is_for_the_password(refusal, login):
            return True
        with self.admin(None, own) as change:
            role = change.role(login.user)
        return role is None or not role.can_log_in

    def verifier(self, login: Login) -> Verifier:
        """Return how the server stores the password of a role, from its authentication method.

        With the method `md5` in pg_hba.conf, a server asks for an MD5 hash only if it stores no
        other verifier. With every other method, or a libpq before 16, this is unknown, and SCRAM
        is used.
        """
        from psycopg import pq

        if pq.version() < _FIRST_WITH_REQUIRE_AUTH or not login.password.reveal():
            return Verifier.SCRAM
        if "require_auth" in parameters(self._dsn, self._deadline):
            return Verifier.SCRAM
        try:
            self._try(login, require_auth="md5")
        except LoginRefusedError:
            return Verifier.MD5  # it asked for the hash, and refused for another reason
        except TargetUnavailableError:
            return Verifier.SCRAM
        return Verifier.MD5

    def _connected(
        self, stack: ExitStack, own: Sequence[Login]
    ) -> tuple[Connection[Any], dict[str, Any]]:
        settings = parameters(self._dsn, self._deadline)
        tries = [settings]
        if self._own_login:
            passwords = [one.password.reveal() for one in own if one.user == settings.get("user")]
            others = [one for one in passwords if one and one != settings.get("password")]
            tries += [{**settings, "password": one} for one in dict.fromkeys(others)]
        refused = None
        for one in tries:
            try:
                return stack.enter_context(connected(one, self._deadline)), one
            except LoginRefusedError as refusal:
                refused = refused or refusal
        assert refused is not None  # noqa: S101 - at least one login was tried
        raise admin_refused(refused) from None

    def _refusal(self, login: Login, becomes: str | None = None) -> LoginRefusedError | None:
        """Try a login; return the refusal, or None if the login works."""
        try:
            self._try(login, becomes)
        except LoginRefusedError as refusal:
            return refusal
        return None

    def _is_for_the_password(self, refusal: LoginRefusedError, login: Login) -> bool:
        """Return whether the password is the reason: a surely wrong one gets the same refusal.

        libpq reports a refusal without an SQLSTATE, and in the server's language.
        """
        if not login.password.reveal():
            return True
        wrong = self._refusal(Login(login.user, Secret(secrets.token_urlsafe(24))))
        return wrong is not None and wrong.reported == refusal.reported

    def _try(self, login: Login, becomes: str | None = None, **more: str) -> None:
        if not login.password.reveal():
            # without a password, libpq would look for one elsewhere
            raise LoginRefusedError("there is no password")
        settings = parameters(
            self._dsn, self._deadline, user=login.user, password=login.password.reveal(), **more
        )
        with connected(settings, self._deadline) as connection:
            if not connection.pgconn.used_password:
                raise RotationError(
                    "the PostgreSQL server does not check passwords (trust)",
                    hint="write scram-sha-256 instead of trust into its pg_hba.conf",
                )
            (role,) = connection.execute("SELECT current_user").fetchone() or ("",)
            if becomes is not None and role != becomes:
                raise RotationError(
                    f"a user of the rotation does not switch to role '{becomes}' at login",
                    hint=f"run 'ALTER ROLE USER SET ROLE \"{becomes}\"' for each of target.users",
                )


def _hosts(connection: Connection[Any], settings: dict[str, Any]) -> tuple[Host, ...]:
    """Return the servers that the DSN names; otherwise the one that libpq connected to."""
    found: list[Host] = []
    for key in ("host", "hostaddr"):
        with suppress(ValueError):  # libpq has connected, so that the other key is valid
            found += paired(str(settings.get(key) or ""), str(settings.get("port") or ""))
    return tuple(found) or (Host(connection.info.host, connection.info.port),)
