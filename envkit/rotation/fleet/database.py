"""The PostgreSQL database of a fleet: its address, and procrastinate's tables in it.

    dsn = queue_dsn("env:QUEUE_DSN", os.environ)
    apply_schema(dsn)

A password is never taken from the command line, where others could read it in the list of
processes, and no message has it. Any number of workers may apply the schema at once. Tables of
another version of procrastinate are refused, and not changed.
"""

from __future__ import annotations

import re
from importlib.resources import files

from envkit._internal.installation import install_hint
from envkit._internal.os_errors import reason_of
from envkit.errors import (
    DeniedError,
    EnvkitError,
    ExtraMissingError,
    ProtocolError,
    UnavailableError,
    UsageError,
)
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

VARIABLE = "ENVKIT_QUEUE"
CONNECT_SECONDS = 10
LOCK_SECONDS = 30
APPLICATION = "envkit rotate serve"
# this lock is ours alone among the advisory locks of the database
_ADVISORY_LOCK = int.from_bytes(b"envkit q", "big")
_CREATED = re.compile(r"^CREATE (TABLE|FUNCTION) (procrastinate_\w+)", re.MULTILINE)


def queue_dsn(option: str | None, environ: Mapping[str, str]) -> Secret | None:
    """Return the address of the queue; None if there is none.

    Args:
        option: the value of `--queue`: `postgresql://...` without a password, `env:NAME` or
            `file:PATH`; default: the variable ENVKIT_QUEUE, which may have a password.
        environ: the process environment.

    Raises:
        UsageError: the option names nothing that exists, or has a password in plain sight.
        ExtraMissingError: a package that the queue needs is not installed.
    """
    if not option:
        text = environ.get(VARIABLE)
        return _checked(text, VARIABLE) if text else None
    kind, _, rest = option.partition(":")
    if kind == "env":
        if not environ.get(rest):
            raise UsageError(
                f"--queue {option}: the variable {rest} is not set", hint=f"set {rest}"
            )
        return _checked(environ[rest], rest)
    if kind == "file":
        try:
            with open(rest, encoding="utf-8") as file:
                return _checked(file.read().strip(), rest)
        except (OSError, ValueError) as error:
            reason = reason_of(error, "it is not text")
            raise UsageError(f"--queue {option}: {reason}") from None
    dsn = _checked(option, "--queue")
    if "password" in _parts(dsn, "--queue"):
        raise UsageError(
            "--queue has a password, which other users can read in the process list",
            hint=f"set {VARIABLE}, or write --queue file:PATH",
        )
    return dsn


def queue_place(dsn: Secret) -> str:
    """Return the host, port and database of a queue, for people."""
    parts = _parts(dsn, "the queue")
    host = parts.get("host") or "localhost"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or parts.get('user') or ''}"


def apply_schema(dsn: Secret) -> bool:
    """Create procrastinate's tables if there are none; return whether they were created.

    Raises:
        UnavailableError: the database cannot be reached, or another session has it locked.
        DeniedError: the user may not create tables in it.
        ProtocolError: the tables are those of another version of procrastinate.
    """
    import psycopg

    place = queue_place(dsn)
    try:
        with psycopg.connect(
            dsn.reveal(), connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
        ) as connection:
            if _complete(connection, place):
                return False
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
            if _complete(connection, place):  # another worker was faster
                return False
            connection.execute(_schema().encode())
            return True
    except psycopg.errors.InsufficientPrivilege:
        raise DeniedError(
            f"the queue at {place} has no tables yet, and this user may not create them",
            hint="run once as the database owner: envkit rotate serve --migrate --queue ...",
        ) from None
    except psycopg.Error as error:
        raise database_error(error, place) from None


def database_error(error: BaseException, place: str) -> EnvkitError:
    """Return our error for one of psycopg or its pool, without the original text."""
    import psycopg

    state = getattr(error, "sqlstate", None)
    text = str(error)
    if "password authentication failed" in text or "no password supplied" in text:
        return DeniedError(f"the queue at {place} refuses the login", hint=f"check {VARIABLE}")
    if isinstance(error, psycopg.OperationalError) or state is None:
        return UnavailableError(
            f"the queue at {place} cannot be reached",
            hint="check that PostgreSQL is running: pg_isready --host HOST --port PORT",
        )
    return ProtocolError(f"the queue at {place} answered with the error {state}")


def _complete(connection: Connection, place: str) -> bool:
    """Return whether all tables and functions of procrastinate exist; False if none does."""
    wanted = {name for _, name in _CREATED.findall(_schema())}
    found = connection.execute(
        "SELECT proname::text FROM pg_proc WHERE proname = ANY(%(names)s)"
        " AND pg_function_is_visible(oid)"
        " UNION SELECT relname::text FROM pg_class WHERE relname = ANY(%(names)s)"
        " AND pg_table_is_visible(oid)",
        {"names": sorted(wanted)},
    ).fetchall()
    missing = wanted - {name for (name,) in found}
    if missing and found:
        raise ProtocolError(
            f"the queue at {place} has the tables of another version of procrastinate: "
            f"{min(missing)} is missing",
            hint="apply its migrations; 'procrastinate schema --migrations-path' shows them",
        )
    return not missing


def _schema() -> str:
    return files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8")


def _checked(text: str, where: str) -> Secret:
    """Return an address after checking that it can be parsed."""
    require()
    dsn = Secret(text)
    _parts(dsn, where)
    return dsn


def _parts(dsn: Secret, where: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(dsn.reveal())
    except psycopg.Error:
        found = {}
    if not found:
        raise UsageError(
            f"{where} is not the address of a PostgreSQL database",
            hint="write postgresql://USER@HOST:5432/DATABASE",
        )
    return {name: str(value) for name, value in found.items() if value is not None}


def require() -> None:
    """Raise if a package that a fleet needs is not installed.

    Raises:
        ExtraMissingError: a package is not installed.
    """
    try:
        import procrastinate
        import psycopg  # noqa: F401
    except ImportError:
        raise ExtraMissingError(
            "a queue needs procrastinate and psycopg, which are not installed",
            hint=install_hint("fleet"),
        ) from None
    del procrastinate
