"""The targets of the six rotators: how readers log in, and what must not be left behind.

The roles and users are those of the pages below docs/reference/rotators, as in `support.rotators`.
"""

from __future__ import annotations

import hashlib
import http.client
import secrets
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envkit.secret import Secret
from support.aws import REGION
from support.fault_proxy import HOST
from support.rotators import (
    AlternateHarness,
    CommandHarness,
    IamHarness,
    RedisHarness,
    SingleHarness,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

URL, KEY, KEY_ID, TOKEN, PREVIOUS = (
    "URL",
    "SECRET_ACCESS_KEY",
    "ACCESS_KEY_ID",
    "TOKEN",
    "TOKEN_PREVIOUS",
)


# ---------------------------------------------------------------- how readers log in


def login_postgres(fields: Mapping[str, str]) -> bool:
    """Whether the URL logs in, on a new connection."""
    from psycopg import pq

    url = f"{fields[URL]}&sslmode=disable&gssencmode=disable"
    connection = pq.PGconn.connect(url.encode())
    try:
        if connection.status == pq.ConnStatus.OK:
            return True
        said = connection.error_message.decode()
        if "authentication failed" in said or "not permitted to log in" in said:
            return False
        raise AssertionError(f"PostgreSQL does not let anybody in: {said}")
    finally:
        connection.finish()


def login_redis(fields: Mapping[str, str]) -> bool:
    parts = urlsplit(fields[URL])
    words = ["AUTH", unquote(parts.username or ""), unquote(parts.password or "")]
    command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection((HOST, parts.port), timeout=30) as connection:
        connection.sendall(command.encode())
        answer = connection.recv(1024)
    if answer.startswith((b"+OK", b"-WRONGPASS")):
        return answer.startswith(b"+OK")
    raise AssertionError(f"Valkey answers {answer!r}")


def login_iam(fields: Mapping[str, str], port: int) -> bool:
    """Whether STS knows the key; its secret is compared by `Readers`, since moto does not."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={fields[KEY_ID]}/20260101/{REGION}/sts/"
        "aws4_request, SignedHeaders=host, Signature=0",
    }
    connection.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status in (200, 403), answer.status
    return answer.status == 200


def _login_of(fields: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the user and password in the URL, and another password."""
    parts = urlsplit(fields[URL])
    return parts.username or "", parts.password or "", secrets.token_urlsafe(12)


# ---------------------------------------------------------------- the targets


class _Harnessed:
    """The base of the targets; uses a harness of `support.rotators`."""

    http = False
    overlap = True
    strategy = "alternate"
    fields = (URL,)
    publications = 1  # how often one rotation publishes a value

    def __init__(self, harness) -> None:
        self.harness = harness

    def first(self) -> dict[str, str]:
        return {name.upper(): value.reveal() for name, value in self.harness.current().items()}

    def works(self, fields: Mapping[str, str], current: Mapping[str, str]) -> bool:
        return self.harness.works({name.lower(): Secret(text) for name, text in fields.items()})

    def change_by_hand(self, current: Mapping[str, str]) -> dict[str, str]:
        """Replace the credential that readers have, as a person does; return the new fields."""
        raise NotImplementedError

    def clean_up(self, current: Mapping[str, str]) -> None:
        """Do at the target what envkit advises after an abort that could not change it."""

    def left(self, current: Mapping[str, str]) -> list[str]:
        found = self.harness.credentials()
        return [] if found == 1 else [f"{found} credentials work"]


class AlternateTarget(_Harnessed):
    name, rotator = "postgres-alternate", "postgres"
    login = "login_postgres"

    def __init__(self, servers, stack: ExitStack) -> None:
        super().__init__(AlternateHarness(servers.postgres, stack))
        self.port = servers.postgres.port
        self._roles = self._all_roles()

    def table(self, port: int) -> dict[str, object]:
        return dict(self.harness._at(f"{HOST}:{port}"))

    def login_arguments(self) -> list:
        return []

    def change_by_hand(self, current: Mapping[str, str]) -> dict[str, str]:
        user, password, theirs = _login_of(current)
        self.harness.database.run(f"ALTER ROLE \"{user}\" LOGIN PASSWORD '{theirs}'")
        return {URL: current[URL].replace(password, theirs)}

    def left(self, current: Mapping[str, str]) -> list[str]:
        wrong = super().left(current)
        if (roles := self._all_roles()) != self._roles:
            wrong.append(f"the roles {sorted(roles ^ self._roles)}")
        [(locks,)] = self.harness.database.run(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        )
        if locks:
            wrong.append(f"{locks} advisory locks")
        return wrong

    def _all_roles(self) -> set[str]:
        return {name for (name,) in self.harness.database.run("SELECT rolname FROM pg_roles")}


class SingleTarget(AlternateTarget):
    name = "postgres-single"
    strategy = "single"
    overlap = False

    def __init__(self, servers, stack: ExitStack) -> None:
        _Harnessed.__init__(self, SingleHarness(servers.postgres, stack))
        self.port = servers.postgres.port
        self._roles = self._all_roles()


class RedisTarget(_Harnessed):
    name = rotator = "redis"
    login = "login_redis"

    def __init__(self, servers, stack: ExitStack) -> None:
        super().__init__(RedisHarness(servers.valkey, stack))
        self._server = servers.valkey
        self.port = servers.valkey.port

    def table(self, port: int) -> dict[str, object]:
        return {**self.harness._at(f"{HOST}:{port}"), "user": self.harness.user}

    def login_arguments(self) -> list:
        return []

    def change_by_hand(self, current: Mapping[str, str]) -> dict[str, str]:
        user, password, theirs = _login_of(current)
        self.harness.ask("ACL SETUSER", user, f">{theirs}", f"<{unquote(password)}")
        self.harness.ask("ACL SAVE")
        return {URL: current[URL].replace(password, theirs)}

    def left(self, current: Mapping[str, str]) -> list[str]:
        wrong = super().left(current)
        password = unquote(urlsplit(current[URL]).password or "")
        digest = hashlib.sha256(password.encode()).hexdigest()
        if f"#{digest} " not in self.harness.saved():
            wrong.append("the ACL file has not the password")
        return wrong


class IamTarget(_Harnessed):
    name = rotator = "aws-iam-key"
    login = "login_iam"
    http = True
    fields = (KEY, KEY_ID)

    def __init__(self, servers, stack: ExitStack) -> None:
        port = urlsplit(servers.moto).port
        proxy = SimpleNamespace(upstream=(HOST, port))
        super().__init__(IamHarness(SimpleNamespace(proxy=proxy)))
        self.port = port

    def table(self, port: int) -> dict[str, object]:
        return dict(self.harness.target)

    def login_arguments(self) -> list:
        return [self.port]

    def change_by_hand(self, current: Mapping[str, str]) -> dict[str, str]:
        iam, user = self.harness.iam, self.harness.user
        iam.delete_access_key(UserName=user, AccessKeyId=current[KEY_ID])
        made = iam.create_access_key(UserName=user)["AccessKey"]
        return {KEY: made["SecretAccessKey"], KEY_ID: made["AccessKeyId"]}

    def clean_up(self, current: Mapping[str, str]) -> None:
        for key in self.harness.keys().keys() - {current[KEY_ID]}:
            self.harness.iam.update_access_key(
                UserName=self.harness.user, AccessKeyId=key, Status="Inactive"
            )

    def left(self, current: Mapping[str, str]) -> list[str]:
        keys = self.harness.keys()
        wrong = super().left(current)
        if keys.pop(current[KEY_ID], None) != "Active":
            wrong.append("the current key is not active")
        if len(keys) > 1:  # the retired one stays, inactive, until the next rotation
            wrong.append(f"{len(keys)} other keys")
        return wrong


class CommandTarget(_Harnessed):
    """A program, and its list of tokens."""

    name = rotator = "command"
    port = 0
    fields = ("token",)  # the name that the program uses

    def __init__(self, servers, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        super().__init__(CommandHarness(folder))

    def first(self) -> dict[str, str]:
        return {"token": self.harness.current()["token"].reveal()}

    def table(self, port: int) -> dict[str, object]:
        return dict(self.harness.target)

    def works(self, fields: Mapping[str, str], current: Mapping[str, str]) -> bool:
        return self.harness.works({"token": Secret(fields["token"])})


class RandomTarget:
    """The readers are the target: they take what they read, and what they read before."""

    name = rotator = "random"
    strategy = "alternate"
    login = "login_random"
    http = False
    overlap = True
    port = 0
    fields = (TOKEN, PREVIOUS)
    publications = 2

    def __init__(self, servers, stack: ExitStack) -> None:
        pass

    def first(self) -> dict[str, str]:
        token = secrets.token_urlsafe(16)
        return {TOKEN: token, PREVIOUS: token}

    def table(self, port: int) -> dict[str, object]:
        return {}

    def login_arguments(self) -> list:
        return []

    def works(self, fields: Mapping[str, str], current: Mapping[str, str]) -> bool:
        return fields[TOKEN] in (current[TOKEN], current[PREVIOUS])

    def left(self, current: Mapping[str, str]) -> list[str]:
        return [] if current[PREVIOUS] == current[TOKEN] else ["the previous value"]


ROTATORS = {
    kind.name: kind
    for kind in (AlternateTarget, SingleTarget, RedisTarget, IamTarget, RandomTarget)
}
ALL = {**ROTATORS, CommandTarget.name: CommandTarget}  # readers do not log in with a command
