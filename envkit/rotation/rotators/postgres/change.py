"""The admin's changes to a PostgreSQL server in one transaction, and what it reads there.

    with server.admin("app_b") as change:
        with fenced(context.confirm):
            change.give("app_b", Secret("new"))

An advisory lock that ends with the transaction lets only one envkit at a time change a role. A
client that dies or stops in a transaction loses it, and the lock with it, after SILENCE_SECONDS.
A change is committed only if the rotation is still ours after it.

A password reaches the server only as a verifier, which libpq computes here: neither the server's
log nor `pg_stat_activity` has it in clear.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from envkit.errors import TargetUnavailableError
from envkit.rotation.protocols import Reader, Usage
from envkit.rotation.rotators.postgres.connection import SILENCE_SECONDS, read_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from psycopg import Connection

    from envkit._internal.clock import Deadline
    from envkit.rotation.rotators.login_forms.hosts import Host
    from envkit.secret import Secret


class Verifier(StrEnum):
    """How a server stores a password."""

    SCRAM = "scram-sha-256"
    MD5 = "md5"


class Role(NamedTuple):
    """A role in the server's catalogue.

    Attributes:
        can_log_in: whether it is LOGIN, and not NOLOGIN.
        expired: whether its VALID UNTIL has passed.
        becomes: the role that `ALTER ROLE ... SET ROLE` switches to at login; empty for none.
        is_member: whether it is a member of the owner in the query.
        is_ours: whether the admin may change its password.
        connection_limit: how many sessions it may have; negative means no limit.
    """

    can_log_in: bool
    expired: bool
    becomes: str
    is_member: bool
    is_ours: bool
    connection_limit: int


@contextmanager
def fenced(confirm: Callable[[], None]) -> Iterator[None]:
    """Confirm before and after a change, so that the transaction is rolled back on conflict.

    A process that stops in between still has the role's lock, or has lost its transaction.
    """
    confirm()
    yield
    confirm()


class Change:
    """One transaction.

    Args:
        connection: the admin's.
            hosts: the servers to which it may have connected.

    Attributes:
        hosts: as given.
    """

    def __init__(self, connection: Connection[Any], hosts: tuple[Host, ...]) -> None:
        self._connection = connection
        self.hosts = hosts

    def begin(self, role: str | None, deadline: Deadline) -> None:
        """Start the transaction and lock the role, once no other envkit is changing it.

        Raises:
            TargetUnavailableError: another session had the lock for the whole time.
        """
        from psycopg import errors

        remaining = deadline.remaining_seconds()
        patience = remaining - min(0.5, remaining / 4)  # the rest is for finding who has the lock
        self._connection.execute(
            _SETTINGS,
            {
                "statement": str(max(1, int(remaining * 1000))),
                "lock": str(max(1, int(patience * 1000))),
                "silence": str(SILENCE_SECONDS * 1000),
            },
        )
        if role is None:
            return
        key = _key(role)
        try:
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
        except errors.LockNotAvailable:
            self._connection.rollback()
            raise self._held(key) from None

    def admins(self) -> set[str]:
        """Return the admin's names: the role that it logged in as, and the role after SET ROLE."""
        found = self._connection.execute("SELECT session_user, current_user").fetchone() or ()
        return set(found)

    def check_writable(self) -> None:
        """Raise if the server accepts no change: a standby, or read-only transactions.

        Raises:
            SourceError: the server accepts no change.
        """
        found = self._connection.execute("SHOW transaction_read_only").fetchone()
        if found == ("on",):
            raise read_only()

    def role(self, name: str, owner: str = "") -> Role | None:
        """Return a role from the catalogue; None if it does not exist."""
        found = self._connection.execute(_ROLE, {"name": name, "owner": owner}).fetchone()
        return None if found is None else Role(*found)

    def verifier(self, role: str) -> Verifier | None:
        """Return how the password of a role is stored; None if the admin may not see it."""
        if self._connection.execute(_MAY_SEE).fetchone() != (True,):
            return None
        found = self._connection.execute(_VERIFIER, {"name": role}).fetchone()
        if found is None:
            return None
        return Verifier.MD5 if found[0] else Verifier.SCRAM

    def is_full(self, role: str) -> bool:
        """Return whether a role, or the database, has reached its limit of sessions."""
        return self._connection.execute(_IS_FULL, {"name": role}).fetchone() == (True,)

    def may_end_sessions(self, users: Sequence[str]) -> bool:
        """Return whether the admin may end the sessions of these users."""
        found = self._connection.execute(_MAY_END, {"users": list(users)}).fetchone()
        return found == (True,)

    def give(self, role: str, password: Secret, kind: Verifier, *, login: bool = False) -> None:
        """Let a role log in with this password and no other.

        Args:
            role: the role.
            password: in clear; it does not leave this process.
            kind: how the server will store it.
            login: whether to change a NOLOGIN role to LOGIN.
        """
        from psycopg import sql

        verifier = self._connection.pgconn.encrypt_password(
            password.to_bytes(), role.encode(), kind.value.encode()
        )
        statement = sql.SQL(
            "ALTER ROLE {} LOGIN PASSWORD {}" if login else "ALTER ROLE {} PASSWORD {}"
        )
        self._connection.execute(
            statement.format(sql.Identifier(role), sql.Literal(verifier.decode()))
        )

    def lock_out(self, role: str) -> None:
        """Remove the password of a role and its right to log in."""
        from psycopg import sql

        statement = sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL")
        self._connection.execute(statement.format(sql.Identifier(role)))

    def end_sessions(self, user: str) -> None:
        """End every session that a user has logged in to, in all databases, except this one."""
        self._connection.execute(_END, {"user": user})

    def usage(self, user: str) -> Usage:
        """Return who has sessions of a user, in all databases of the server.

        If there is none at first, look a few more times, because an app that connects for each
        request often has no session at a given moment.

        Without pg_read_all_stats the server shows the number and the application name of
        sessions, but neither address nor start.
        """
        found = self._connection.execute(_USAGE, {"user": user}).fetchall()
        for _ in range(_MORE_LOOKS):
            if found:
                break
            self._connection.execute(_PAUSE)
            found = self._connection.execute(_USAGE, {"user": user}).fetchall()
        readers = tuple(
            Reader(user, address, application, sessions=number, since=since)
            for address, application, number, since, _ in found
        )
        if not any(row[-1] for row in found):
            return Usage(readers)
        admin = self._connection.info.user
        return Usage(
            readers,
            f"'{admin}' cannot see the client addresses of sessions at the PostgreSQL server; run: "
            f'GRANT pg_read_all_stats TO "{admin}"',
        )

    def _held(self, key: int) -> TargetUnavailableError:
        """Return the error that names the session with the lock."""
        found = self._connection.execute(_HOLDER, {"key": key}).fetchone()
        if found is None:
            return TargetUnavailableError(
                "the PostgreSQL server did not finish: another session has the lock on this user"
            )
        pid, name, address, since = found
        known = (f" ('{name}')" if name else "") + (f" from {address}" if address else "")
        begun = f" since {since} UTC" if since else ""
        return TargetUnavailableError(
            f"the PostgreSQL server did not finish: session {pid}{known} has the lock on this "
            f"user{begun}",
            hint="wait until that rotation finishes; a dead client loses the lock after "
            f"{SILENCE_SECONDS} s; or run: SELECT pg_terminate_backend({pid})",
        )


def _key(role: str) -> int:
    """Return the number of a role's advisory lock."""
    digest = sha256(f"envkit rotates {role}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


# only the settings that this server has: `tcp_user_timeout` is new in PostgreSQL 12
_SETTINGS = """
SELECT set_config(name, value, true)
FROM (VALUES ('statement_timeout', %(statement)s), ('lock_timeout', %(lock)s),
             ('idle_in_transaction_session_timeout', %(silence)s),
             ('tcp_user_timeout', %(silence)s), ('tcp_keepalives_idle', '10'),
             ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) ours (name, value)
WHERE name IN (SELECT name FROM pg_settings)
"""
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
       me.rolsuper OR me.oid = r.oid OR (me.rolcreaterole AND NOT r.rolsuper AND (
           current_setting('server_version_num')::int < 160000
           OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'))),
       r.rolconnlimit
FROM pg_roles r, pg_roles me
WHERE r.rolname = %(name)s AND me.rolname = current_user
"""
_MAY_SEE = "SELECT has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')"
_VERIFIER = """
SELECT rolpassword ~ '^md5[0-9a-f]{32}$' FROM pg_authid
WHERE rolname = %(name)s AND rolpassword IS NOT NULL
"""
_IS_FULL = """
SELECT coalesce((SELECT rolconnlimit BETWEEN 0 AND
                        (SELECT count(*) FROM pg_stat_activity WHERE usename = rolname)
                 FROM pg_roles WHERE rolname = %(name)s), false)
    OR (SELECT datconnlimit BETWEEN 0 AND
               (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname)
        FROM pg_database d WHERE datname = current_database())
"""
_MAY_END = """
SELECT me.rolsuper
       OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE')
       OR (SELECT bool_and(pg_has_role(me.oid, r.oid, 'USAGE'))
           FROM pg_roles r WHERE r.rolname = ANY(%(users)s))
FROM pg_roles me WHERE me.rolname = current_user
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = %(user)s AND pid <> pg_backend_pid()
"""
_MORE_LOOKS = 10  # for sessions
_PAUSE = "SELECT pg_stat_clear_snapshot(), pg_sleep(0.02)"  # the snapshot lasts for a transaction
_USAGE = """
SELECT coalesce(host(client_addr), ''), coalesce(application_name, ''), count(*)::int,
       coalesce(extract(epoch FROM min(backend_start)), 0)::float8,
       bool_or(backend_start IS NULL)
FROM pg_stat_activity
WHERE usename = %(user)s AND pid <> pg_backend_pid()
      AND coalesce(backend_type, 'client backend') IN ('client backend', 'walsender')
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100
"""
_HOLDER = """
SELECT a.pid, a.application_name, host(a.client_addr),
       to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %(key)s
"""
