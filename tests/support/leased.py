"""The database engine of OpenBao, which creates users of a real PostgreSQL.

def test_something(leased):
    leased.role(ttl=3, max_ttl=9)                # the role `app`
    leased.profile(project, monkeypatch)         # `prod`, with DB_USER and DB_PASSWORD
    leased.users()                               # those that live now
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from envkit.resident.watcher import Watcher, WatchRequest
from support.openbao import RefusedError
from support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.openbao import OpenBao
    from support.postgres import Database, Postgres

CREATE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
REVOKE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';"
    'DROP ROLE IF EXISTS "{{name}}"'
)
PROFILE = """
[sources.vault]
poll = "1s"
{settings}
[variables]
DB_USER = {{ value = "{{{{ vault:{path}#username }}}}", secret = false }}
DB_PASSWORD = "{{{{ vault:{path}#password }}}}"
"""


class Leased:
    """A mount of the engine, an AppRole that may read its role `app`, and a database.

    Attributes:
        path: of the dynamic secret.
        bao: the server.
        database: where its users can log in.
    """

    def __init__(self, bao: OpenBao, database: Database) -> None:
        self.bao, self.database = bao, database
        self._tag = secrets.token_hex(4)
        self._mount = f"database-{self._tag}"
        self.path = f"{self._mount}/creds/app"
        server = database.server
        bao.ask("POST", f"sys/mounts/{self._mount}", {"type": "database"})
        url = server.dsn(database.name, "ROLE", "").replace("ROLE:", "{{username}}:{{password}}")
        config = {
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": ["*"],
            "connection_url": url,
            "username": "postgres",
            "password": server.password,
        }
        bao.ask("POST", f"{self._mount}/config/db", config)
        self._auth = bao.enable_auth("approle")

    def role(self, *, ttl: int = 3600, max_ttl: int = 7200, name: str = "app") -> None:
        """Create a role, whose leases live that many seconds."""
        body = {
            "db_name": "db",
            # the users of this mount are told apart by their names
            "creation_statements": [CREATE, f"COMMENT ON ROLE \"{{{{name}}}}\" IS '{self._tag}'"],
            "revocation_statements": [REVOKE],
            "default_ttl": ttl,
            "max_ttl": max_ttl,
        }
        self.bao.ask("POST", f"{self._mount}/roles/{name}", body)

    def users(self) -> list[str]:
        """Return the users that were created and not dropped."""
        rows = self.database.run(
            "SELECT rolname FROM pg_roles JOIN pg_shdescription ON objoid = pg_roles.oid "
            f"WHERE description = '{self._tag}' ORDER BY rolname"
        )
        return [name for (name,) in rows]

    def all_dropped(self) -> bool:
        """Wait until there is no user left: the server drops them after it has answered."""
        return bool(wait_until(lambda: not self.users(), "a user is left"))

    def policy(self, **more: list[str]) -> str:
        """Create a policy that allows reads of the secret, and `more`."""
        return self.bao.policy({self.path: ["read"], **more})

    def accessor(self) -> str:
        """Return the accessor of the token that has logged in last."""
        found = self.bao.ask("LIST", "auth/token/accessors")["data"]["keys"]
        mine = []
        for accessor in found:
            data = self.bao.ask("POST", "auth/token/lookup-accessor", {"accessor": accessor})
            if data["data"]["path"].startswith(f"auth/{self._auth}/"):
                mine.append((data["data"]["creation_time"], accessor))
        return max(mine)[1]

    def approle(self, policy: str = "", **options: Any) -> dict[str, str]:
        """Return an AppRole: its `role_id`, `secret_id` and `mount`.

        Args:
            policy: default: reads of the secret.
            options: of the role, such as `token_ttl`.
        """
        role = f"auth/{self._auth}/role/{secrets.token_hex(4)}"
        body = {"token_policies": [policy or self.policy()], **options}
        self.bao.ask("POST", role, body)
        role_id = self.bao.ask("GET", f"{role}/role-id")["data"]["role_id"]
        secret_id = self.bao.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"]
        return {"role_id": role_id, "secret_id": secret_id, "mount": self._auth}

    def profile(
        self,
        project: Any,
        environ: Any,
        login: dict[str, str] | str = "",
        more: str = "",
        address: str = "",
    ) -> None:
        """Write the profile `prod`.

        Args:
            project: the project.
            environ: gets the address, and the token or the secret_id.
            login: an AppRole, or a token; default: a new AppRole.
            more: lines of the profile's variables.
            address: of a proxy before the server.
        """
        login = login or self.approle()
        environ["VAULT_ADDR"] = address or self.bao.address
        settings = ""
        if isinstance(login, str):
            environ["VAULT_TOKEN"] = login
        else:
            environ["VAULT_SECRET_ID"] = login["secret_id"]
            settings = (
                f'auth = {{ method = "approle", role_id = "{login["role_id"]}", '
                f'mount = "{login["mount"]}", secret_id = "{{{{ env:VAULT_SECRET_ID }}}}" }}'
            )
        project.profile("prod.toml", PROFILE.format(settings=settings, path=self.path) + more)

    def logs_in(self, environ: dict[bytes, bytes]) -> bool:
        """Whether the login of an environment works now."""
        user, password = environ[b"DB_USER"].decode(), environ[b"DB_PASSWORD"].decode()
        return self.database.logs_in(user, password)

    def revoke(self) -> None:
        """Revoke all leases of the role, as an operator may."""
        self.bao.ask("PUT", f"sys/leases/revoke-prefix/{self.path}")

    def leases(self) -> list[str]:
        """Return the ids of the leases that live, without the path."""
        try:
            found = self.bao.ask("LIST", f"sys/leases/lookup/{self.path}")
        except RefusedError:  # 404: none
            return []
        keys: list[str] = found["data"]["keys"]
        return keys

    def is_renewed(self) -> bool:
        """Whether a lease that lives was renewed."""
        ids = [{"lease_id": f"{self.path}/{key}"} for key in self.leases()]
        found = [self.bao.ask("PUT", "sys/leases/lookup", body)["data"] for body in ids]
        return any(lease["last_renewal"] for lease in found)


@pytest.fixture
def leased(openbao: OpenBao, postgres: Postgres) -> Iterator[Leased]:
    """A mount of a single test, whose leases are all revoked afterwards."""
    made = Leased(openbao, postgres.shared_database())
    made.role()
    yield made
    made.revoke()


QUICK: dict[str, Any] = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05}


@pytest.fixture
def started(leased: Leased, project: Any) -> Iterator[Callable[..., tuple[Watcher, Any]]]:
    """Start a watcher of `prod`; the arguments are those of `Leased.profile`."""
    made = []

    def start(
        login: dict[str, str] | str = "", more: str = "", address: str = "", **role: int
    ) -> tuple[Watcher, Any]:
        if role:
            leased.role(**role)
        leased.profile(project, os.environ, login, more, address)
        request = WatchRequest(["prod"], str(project.profiles), timeout_seconds=10, **QUICK)
        watcher = Watcher(request)
        made.append(watcher)
        watcher.prepare()
        return watcher, watcher.first().environ

    yield start
    for watcher in made:
        watcher.close()
