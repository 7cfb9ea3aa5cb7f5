"""Connections to PostgreSQL that end with a deadline, and the translation of their errors.

    with connected(parameters(dsn, deadline), deadline) as connection: ...

No wait exceeds the deadline, whatever the server does. A server that disappears is noticed within
SILENCE_SECONDS. Names arrive as text, even from a SQL_ASCII database. Only envkit's errors escape.
None of them quotes the DSN or the server, since libpq takes a part of a password for a host or a
port if the DSN is not encoded.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress

from envkit._internal.installation import install_hint
from envkit.errors import (
    AuthError,
    DeniedError,
    EnvkitError,
    ExtraMissingError,
    RejectedError,
    RotationError,
    SourceError,
    TargetUnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from psycopg import Connection, Error

    from envkit._internal.clock import Deadline

CONNECT_SECONDS = 10
# after this time, a connection whose other end is gone is closed: by libpq here, and by the
# server at the request of `change`
SILENCE_SECONDS = 25
PAGE = "docs/reference/rotators/postgres.md"

# the reason for a failed connection, if libpq and the server report it in English: it has no
# SQLSTATE. Used for the wording of messages, never for a decision
_REASONS = {
    "no pg_hba.conf entry": "its pg_hba.conf has no entry for this user, host and database",
    "too many connections": "it has too many connections",
    "remaining connection slots": "it has too many connections",
    "does not exist": "there is no such database or user",
    "permission denied for database": "the user may not CONNECT to the database",
    "is not permitted to log in": "the user is NOLOGIN",
    "starting up": "it is starting up",
    "shutting down": "it is shutting down",
    "does not support SSL": "it does not support TLS, which the DSN requires",
    "certificate": "its certificate is not accepted",
    "timeout expired": "no answer in time",
    "Connection refused": "the connection is refused",
}
# SQLSTATEs, or classes of them, of errors that may be gone a moment later
_TRANSIENT = (
    *("08", "53", "57"),  # connections, resources, shutdowns and timeouts
    *("40", "55"),  # other sessions were faster
    "25P03",  # we were idle in a transaction for too long: stopped, or waiting for the store
    "XX000",  # "tuple concurrently updated": another session altered the role
)
_KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS * 1000,
}
_REJECTED = ("22", "28P01")  # raised by hooks that check passwords


class LoginRefusedError(Exception):
    """The server asked for a password, and then refused the login.

    This is an answer of the server. It does not leave the rotator.

    Args:
        reported: the text of libpq, in the server's language.
    """

    def __init__(self, reported: str) -> None:
        super().__init__("refused")
        self.reported = reported

    @property
    def reason(self) -> str:
        """The reason for people, if it is known."""
        return _reason(self.reported) or "see its log"


def parameters(dsn: str, deadline: Deadline, **more: str) -> dict[str, Any]:
    """Return the settings of a connection.

    Args:
        dsn: a URL or `key=value`, as libpq accepts it; all of its settings are used.
        deadline: when the connection must end.
        more: settings that override the DSN's: `user`, `password`.

    Raises:
        ExtraMissingError: the driver is not installed.
        RotationError: the DSN is invalid.
    """
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:  # from psycopg, or from the libpq that it needs
        raise ExtraMissingError(
            "the rotator 'postgres' needs a driver that is not installed",
            hint=install_hint("postgres"),
        ) from None
    try:
        found: dict[str, Any] = conninfo_to_dict(dsn, **more)
    except psycopg.Error:
        raise RotationError(
            "'target.dsn' is not a valid libpq connection string",
            hint="write {{ ... | urlencode }} for the password in a URL",
        ) from None
    found.setdefault("application_name", f"envkit {socket.gethostname()[:40]} {os.getpid()}")
    found["client_encoding"] = "utf8"  # psycopg would return bytes from a SQL_ASCII database
    for name, value in _KEEPALIVES.items():
        found.setdefault(name, value)
    asked = str(found.get("connect_timeout", ""))
    limit = int(asked) if asked.isdigit() and asked != "0" else CONNECT_SECONDS
    found["connect_timeout"] = max(1, int(deadline.remaining_seconds(limit)))  # 0 means no limit
    return found


@contextmanager
def connected(settings: dict[str, Any], deadline: Deadline) -> Iterator[Connection[Any]]:
    """Connect, and close the connection no later than the deadline.

    Raises:
        LoginRefusedError: the server asked for the password and then refused the login.
        SourceError: the connection or a statement failed.
        RejectedError: the server refuses a new password.
    """
    import psycopg

    if deadline.expired:
        raise TargetUnavailableError("no time is left to connect to the PostgreSQL server")
    try:
        connection = psycopg.connect(**settings)
    except psycopg.Error as error:
        reported = str(error)
        if error.pgconn is not None and error.pgconn.used_password:
            raise LoginRefusedError(reported) from None
        raise TargetUnavailableError(
            "cannot connect to the PostgreSQL server of target.dsn: "
            f"{_reason(reported) or 'it cannot be reached'}"
        ) from None
    try:
        with _cut_at(deadline, connection), connection:
            yield connection
    except psycopg.Error as error:
        raise _of_statement(error) from None


def admin_refused(refusal: LoginRefusedError) -> SourceError:
    """Return the error for an admin whose login is refused."""
    reason = _reason(refusal.reported)
    if reason is None:
        return AuthError(
            "the PostgreSQL server refuses the login of target.dsn",
            hint="check the user and the password in it",
        )
    return TargetUnavailableError(
        f"cannot connect to the PostgreSQL server of target.dsn: {reason}"
    )


def read_only() -> SourceError:
    """Return the error for a server that accepts no change."""
    return SourceError(
        "the PostgreSQL server of target.dsn is read-only, as a standby is (25006)",
        hint="name all hosts in the DSN, with target_session_attrs=read-write",
    )


@contextmanager
def _cut_at(deadline: Deadline, connection: Connection[Any]) -> Iterator[None]:
    """Cancel the wait for a server that no longer answers, since libpq itself has no limit."""
    with socket.socket(fileno=os.dup(connection.fileno())) as endpoint:

        def cut() -> None:
            with suppress(OSError):
                endpoint.shutdown(socket.SHUT_RDWR)

        # a little later than the server's statement_timeout, which cleans up after itself
        timer = threading.Timer(deadline.remaining_seconds() + 0.5, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _of_statement(error: Error) -> EnvkitError:
    state = error.sqlstate or ""
    if state == "42501":
        return DeniedError(
            "the admin of target.dsn may not do this (42501)",
            hint=f"grant what '{PAGE}' lists under 'The admin'",
        )
    if state == "25006":
        return read_only()
    if state.startswith(_REJECTED):
        return RejectedError(f"the PostgreSQL server refuses the new password ({state})")
    if not state or state.startswith(_TRANSIENT):
        detail = state or type(error).__name__
        return TargetUnavailableError(f"the PostgreSQL server did not finish ({detail})")
    return SourceError(f"the PostgreSQL server refuses a statement ({state})")


def _reason(reported: str) -> str | None:
    return next((reason for words, reason in _REASONS.items() if words in reported), None)
