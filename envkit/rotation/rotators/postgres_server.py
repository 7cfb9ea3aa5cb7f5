"""A PostgreSQL server: changed as its admin, and tested with another login.

    server = Server("postgresql://admin:...@db:5432/app", deadline)
    with server.admin("app_b") as change:             # one transaction, one at a time per role
        change.give("app_b", Secret("new"))
    server.logs_in(Login("app_b", Secret("new")))     # True

A password reaches the server only as a SCRAM-SHA-256 verifier, which libpq computes here:
neither the server's log nor `pg_stat_activity` has it in clear.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import NamedTuple

from envkit.errors import RotationError, UnavailableError
from envkit.rotation.rotators.login import Login
from envkit.rotation.rotators.postgres_connection import (
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


class Role(NamedTuple):
    """What the catalogue says of one role.

    Attributes:
        can_log_in: it is LOGIN, and not NOLOGIN.
        expired: its VALID UNTIL has passed.
        becomes: what `ALTER ROLE ... SET ROLE` makes of it at a login; empty for nothing.
        is_member: of the owner that was asked about.
        is_ours: the admin may change its password.
    """

    can_log_in: bool
    expired: bool
    becomes: str
    is_member: bool
    is_ours: bool


class Server:
    """One server.

    Args:
        dsn: of its admin, a URL or `key=value`, as libpq takes it.
        deadline: when everything must be over.
    """

    def __init__(self, dsn: str, deadline: Deadline) -> None:
        self._dsn = dsn
        self._deadline = deadline

    @contextmanager
    def admin(self, role: str) -> Iterator[Change]:
        """Begin a transaction that no other envkit is in for the same role.

        Raises:
            SourceError: the server fails, or the admin may not do it.
            RejectedError: the server refuses a password for good.
        """
        try:
            with connected(parameters(self._dsn, self._deadline), self._deadline) as connection:
                change = Change(connection)
                change.begin(role, self._deadline)
                yield change
        except LoginRefusedError as refusal:
            raise admin_refused(refusal) from None

    def logs_in(self, login: Login, becomes: str | None = None) -> bool:
        """Return whether a login works now.

        Args:
            login: whose.
            becomes: the role that it must be then; None where that does not matter.

        Raises:
            RotationError: the server asks this user for no password, or makes another role
                of it.
            SourceError: the server fails, or refuses for another reason than the password.
        """
        refusal = self._refusal(login, becomes)
        if refusal is None:
            return True
        if self._is_for_the_password(refusal, login):
            return False
        raise UnavailableError(
            "the PostgreSQL server does not let a user in, and not for the password: "
            f"{refusal.reason}"
        )

    def knows(self, login: Login) -> bool:
        """Return whether a password is right, even if the server has other reasons to refuse.

        Raises:
            RotationError: the server asks this user for no password.
            SourceError: the server fails.
        """
        refusal = self._refusal(login, None)
        return refusal is None or not self._is_for_the_password(refusal, login)

    def _refusal(self, login: Login, becomes: str | None) -> LoginRefusedError | None:
        """Try a login; return what the server says where it does not let the user in."""
        try:
            self._try(login, becomes)
        except LoginRefusedError as refusal:
            return refusal
        return None

    def _is_for_the_password(self, refusal: LoginRefusedError, login: Login) -> bool:
        """Whether it is the password: the server says the same of one that is surely wrong.

        What libpq reports of a refusal has no SQLSTATE, and is in the server's language.
        """
        if not login.password.reveal():
            return True
        wrong = self._refusal(Login(login.user, Secret(secrets.token_urlsafe(24))), None)
        return wrong is not None and wrong.reported == refusal.reported

    def _try(self, login: Login, becomes: str | None) -> None:
        if not login.password.reveal():
            # with none, libpq would look for another one
            raise LoginRefusedError("there is no password")
        settings = parameters(
            self._dsn, self._deadline, user=login.user, password=login.password.reveal()
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
                    f"a user of the rotation does not become '{becomes}' when it logs in",
                    hint=f'run: ALTER ROLE ... SET ROLE "{becomes}", for all of target.users',
                )


class Change:
    """What the admin does in one transaction."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def begin(self, role: str, deadline: Deadline) -> None:
        """Wait until no other envkit is changing the role, for as long as the transaction."""
        from hashlib import sha256

        milliseconds = max(1, int(deadline.remaining_seconds() * 1000))
        self._connection.execute(
            "SELECT set_config('statement_timeout', %s, true)", (str(milliseconds),)
        )
        digest = sha256(f"envkit rotates {role}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))

    def role(self, name: str, owner: str = "") -> Role | None:
        """Return what the catalogue says of a role; None where there is none."""
        found = self._connection.execute(_ROLE, {"name": name, "owner": owner}).fetchone()
        return None if found is None else Role(*found)

    def may_end_sessions(self, users: Sequence[str]) -> bool:
        """Return whether the admin may end the sessions of these users."""
        found = self._connection.execute(_MAY_END, {"users": list(users)}).fetchone()
        return found == (True,)

    def give(self, role: str, password: Secret) -> None:
        """Let a role log in with this password and no other."""
        from psycopg import sql

        verifier = self._connection.pgconn.encrypt_password(
            password.to_bytes(), role.encode(), b"scram-sha-256"
        )
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        self._connection.execute(
            statement.format(sql.Identifier(role), sql.Literal(verifier.decode()))
        )

    def lock_out(self, role: str) -> None:
        """Take the password of a role away, and its right to log in."""
        from psycopg import sql

        statement = sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL")
        self._connection.execute(statement.format(sql.Identifier(role)))

    def end_sessions(self, user: str) -> None:
        """End every session that a user has logged in to, in all databases."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (user,)
        )


_ROLE = """
SELECT r.rolcanlogin,
       coalesce(r.rolvaliduntil <= now(), false),
       coalesce((SELECT substr(setting, 6)
                 FROM pg_db_role_setting s, unnest(s.setconfig) setting
                 WHERE s.setrole = r.oid AND setting LIKE 'role=%%'
                   AND s.setdatabase IN (0, (SELECT oid FROM pg_database
                                             WHERE datname = current_database()))
                 ORDER BY s.setdatabase DESC LIMIT 1), ''),
       coalesce(pg_has_role(r.oid, (SELECT oid FROM pg_roles WHERE rolname = %(owner)s),
                            'MEMBER'), false),
       me.rolsuper OR (me.rolcreaterole AND (
           current_setting('server_version_num')::int < 160000
           OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')))
FROM pg_roles r, pg_roles me
WHERE r.rolname = %(name)s AND me.rolname = current_user
"""
_MAY_END = """
SELECT me.rolsuper
       OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE')
       OR (SELECT bool_and(pg_has_role(me.oid, r.oid, 'USAGE'))
           FROM pg_roles r WHERE r.rolname = ANY(%(users)s))
FROM pg_roles me WHERE me.rolname = current_user
"""
