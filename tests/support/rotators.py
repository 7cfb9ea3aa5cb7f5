"""Targets of each rotator, which tests use directly: for `RotatorContract` and others.

The roles, users and programs are copied from the pages below docs/reference/rotators. This
proves that the grants on the pages are sufficient.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from envkit.errors import EnvkitError
from envkit.rotation.rotators.aws_iam_key import AwsIamKeyRotator
from envkit.rotation.rotators.command import CommandRotator
from envkit.rotation.rotators.keyring import KeyringRotator
from envkit.rotation.rotators.login import Login, login_of, with_login
from envkit.rotation.rotators.postgres.alternate import AlternateRotator
from envkit.rotation.rotators.postgres.single import SingleRotator
from envkit.rotation.rotators.random_value import RandomRotator
from envkit.rotation.rotators.redis_acl import RedisRotator
from envkit.secret import Secret
from envkit.testing.rotator_harness import assert_clean_of
from support.aws import REGION, admin_client
from support.fault_proxy import dead_address, silent_server
from support.pages import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from envkit.rotation_state.store import Fields
    from support.postgres import Postgres
    from support.valkey import Valkey

PAGES = ROOT / "docs" / "reference" / "rotators"
CANARY = "canary" + "-77"  # in two: a traceback shows the lines of this file


def shown(page: str, file: str) -> str:
    """Return the block of a page with this file name, or else with this language."""
    found = [b.text for b in blocks(PAGES / page) if file in (b.file, b.language)]
    assert found, f"{page} has no {file}"
    return found[0]


def refused(call: Callable[[], object], *hidden: str) -> EnvkitError:
    """Return the error of a call, and check that it contains nothing hidden."""
    with pytest.raises(EnvkitError) as caught:
        call()
    assert_clean_of(caught.value, {CANARY, *hidden})
    return caught.value


class Elsewhere:
    """Addresses of closed ports, and of servers that never answer."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def dead(self) -> str:
        return self._stack.enter_context(dead_address())

    def silent(self) -> str:
        return self._stack.enter_context(silent_server())


class PostgresHarness:
    """The roles of docs/reference/rotators/postgres.md, in a separate database.

    Args:
        server: on which they are created.
        stack: closes everything that is opened.
        shared: whether to use the database of all tests that only create roles, because
            creating a database takes most of a second.
    """

    generate: ClassVar = {}
    field = "url"
    admin_script = ""
    roles_script: str
    role_names: tuple[str, ...]

    def __init__(self, server: Postgres, stack: ExitStack, *, shared: bool = False) -> None:
        self.database = server.shared_database() if shared else server.database()
        self._elsewhere = Elsewhere(stack)
        self.password = secrets.token_urlsafe(12)
        self.admin_password = secrets.token_urlsafe(12)
        self.hidden = (self.admin_password,)
        self.run(shown("postgres.md", self.roles_script))
        if self.admin_script:
            self.run(shown("postgres.md", self.admin_script))
        self.dsn = self.database.dsn(self.role("envkit"), self.admin_password)

    def run(self, script: str) -> None:
        """Run a script of the page with this test's names and passwords."""
        for name in (*self.role_names, "envkit"):
            script = re.sub(rf"\b{name}\b", self.role(name), script)
        script = script.replace("the first password", self.password)
        self.database.run(script.replace("the admin password", self.admin_password))

    def role(self, name: str) -> str:
        return self.database.role(name)

    def current(self) -> Fields:
        """A URL with parts that a rotation must preserve byte for byte."""
        return {"url": Secret(f"{self._first_url()}?application_name=a%20b&connect_timeout=5")}

    def _first_url(self) -> str:
        raise NotImplementedError

    def wrong(self, fields: Fields) -> Fields:
        user = login_of(fields["url"]).user
        return {"url": with_login(fields["url"], Login(user, Secret("made-up")))}

    def works(self, fields: Fields) -> bool:
        login = login_of(fields["url"])
        return self.database.logs_in(login.user, login.password.reveal())

    def credentials(self) -> int:
        names = [self.role(name) for name in self.role_names]
        found = self.database.run(
            "SELECT count(*) FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL "
            f"AND rolname IN ({', '.join(repr(name) for name in names)})"
        )
        return found[0][0]

    def unavailable(self) -> Mapping[str, object]:
        return self._at(self._elsewhere.dead())

    def silent(self) -> Mapping[str, object]:
        return self._at(self._elsewhere.silent())

    def _at(self, address: str) -> Mapping[str, object]:
        login = f"{self.role('envkit')}:{self.admin_password}"
        dsn = f"postgresql://{login}@{address}/{self.database.name}"
        return {**self.target, "dsn": dsn, "server": "any"}


class AlternateHarness(PostgresHarness):
    kind = AlternateRotator
    roles_script, admin_script = "alternate.sql", "alternate-admin.sql"
    role_names = ("app_a", "app_b", "app")

    @property
    def target(self) -> Mapping[str, object]:
        users = [self.role("app_a"), self.role("app_b")]
        return {"dsn": self.dsn, "users": users, "owner": self.role("app")}

    def _first_url(self) -> str:
        return self.database.dsn(self.role("app_a"), self.password)


class SingleHarness(PostgresHarness):
    kind = SingleRotator
    roles_script = "single.sql"
    role_names = ("app",)

    @property
    def target(self) -> Mapping[str, object]:
        return {"dsn": self.dsn}

    def _first_url(self) -> str:
        return self.database.dsn(self.role("app"), self.password)


class RedisHarness:
    """Two new users, as in docs/reference/rotators/redis.md."""

    kind = RedisRotator
    field = "url"
    generate: ClassVar = {}

    def __init__(self, server: Valkey, stack: ExitStack) -> None:
        self.server = server
        self._elsewhere = Elsewhere(stack)
        self.user, self.admin = server.user("app"), server.user("envkit")
        self.password, admin_password = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
        self.hidden = (admin_password,)
        for line in shown("redis.md", "acl").splitlines():
            names = {"app": self.user, "envkit": self.admin}
            words = [names.get(word, word) for word in line.split()]
            passwords = {
                ">the-first-password": self.password,
                ">the-admin-password": admin_password,
            }
            self.ask(*(f">{passwords[w]}" if w in passwords else w for w in words))
        self.url = server.url(self.admin, admin_password)

    @property
    def target(self) -> Mapping[str, object]:
        return {"url": self.url}

    def ask(self, *command: str) -> object:
        """Send a command as a user with all rights."""
        with self.server.connect() as client:
            return client.execute_command(*command)

    def current(self) -> Fields:
        return {"url": Secret(f"{self.server.url(self.user, self.password)}/0?protocol=2")}

    def wrong(self, fields: Fields) -> Fields:
        user = login_of(fields["url"]).user
        return {"url": with_login(fields["url"], Login(user, Secret("made-up")))}

    def works(self, fields: Fields) -> bool:
        login = login_of(fields["url"])
        return self.server.logs_in(login.user, login.password.reveal())

    def credentials(self) -> int:
        return len(self.hashes())

    def hashes(self) -> list[str]:
        return self.ask("ACL GETUSER", self.user)["passwords"]

    def saved(self) -> str:
        """The user's line in the ACL file."""
        lines = self.server.acl_file.read_text().splitlines()
        return next(line for line in lines if line.startswith(f"user {self.user} "))

    def unavailable(self) -> Mapping[str, object]:
        return self._at(self._elsewhere.dead())

    def silent(self) -> Mapping[str, object]:
        return self._at(self._elsewhere.silent())

    def _at(self, address: str) -> Mapping[str, object]:
        parts = urlsplit(self.url)
        login = parts.netloc.rpartition("@")[0]
        url = urlunsplit(parts._replace(netloc=f"{login}@{address}"))
        return {"url": url, "server": "any"}


class IamHarness:
    """A new IAM user with one access key; the rotator reaches AWS through a proxy."""

    kind = AwsIamKeyRotator
    field = "secret_access_key"
    generate: ClassVar = {}
    hidden = ()

    def __init__(self, aws, iam=None) -> None:
        self.proxy = aws.proxy
        host, port = aws.proxy.upstream
        self.server_url = f"http://{host}:{port}"
        self.iam = iam or admin_client(self.server_url, "iam")
        self.user = f"deploy-{secrets.token_hex(6)}"
        self.iam.create_user(UserName=self.user)
        made = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self._first = {
            "access_key_id": Secret(made["AccessKeyId"]),
            "secret_access_key": Secret(made["SecretAccessKey"]),
        }

    @property
    def target(self) -> Mapping[str, object]:
        return {"user": self.user}

    def current(self) -> Fields:
        return self._first

    def wrong(self, fields: Fields) -> Fields:
        """A key that was deleted."""
        made = self.iam.create_user(UserName=f"{self.user}-gone")["User"]["UserName"]
        key = self.iam.create_access_key(UserName=made)["AccessKey"]
        self.iam.delete_access_key(UserName=made, AccessKeyId=key["AccessKeyId"])
        self.iam.delete_user(UserName=made)
        return {**fields, "access_key_id": Secret(key["AccessKeyId"])}

    def works(self, fields: Fields) -> bool:
        sts = _botocore().create_client(
            "sts",
            REGION,
            endpoint_url=self.server_url,
            aws_access_key_id=fields["access_key_id"].reveal(),
            aws_secret_access_key=fields["secret_access_key"].reveal(),
        )
        try:
            sts.get_caller_identity()
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidClientTokenId":
                raise
            return False
        return True

    def keys(self) -> dict[str, str]:
        """The status of each key of the user."""
        found = self.iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in found}

    def credentials(self) -> int:
        return list(self.keys().values()).count("Active")


@cache
def _botocore() -> Session:
    """One session for all clients, so that it reads the models of the services once."""
    return Session()


class KeyringHarness:
    kind = KeyringRotator
    field = "keys"
    hidden = ()

    def __init__(self, key_kind: str, keys: list[str]) -> None:
        self.target = {"kind": key_kind}
        self.generate: Mapping[str, object] = {}
        self._keys = keys

    def current(self) -> Fields:
        return {"keys": Secret(",".join(self._keys))}


class RandomHarness:
    kind = RandomRotator
    field = "TOKEN"
    target: ClassVar = {}
    generate: ClassVar = {"length": 40}
    hidden = ()

    def current(self) -> Fields:
        return {"TOKEN": Secret("the-first-token")}


class CommandHarness:
    """The program of docs/reference/rotators/command.md, and its list of tokens."""

    kind = CommandRotator
    field = "token"
    generate: ClassVar = {}
    hidden = ()

    def __init__(self, folder: Path) -> None:
        self.program = folder / "rotate-token"
        self.program.write_text(shown("command.md", "rotate-token"))
        self.program.chmod(0o755)
        self.tokens = folder / "tokens.json"
        self.tokens.write_text(json.dumps({"first": self._digest("the-first-token")}))

    @property
    def target(self) -> Mapping[str, object]:
        return {"command": [str(self.program)], "settings": {"tokens": str(self.tokens)}}

    def current(self) -> Fields:
        return {"token": Secret("the-first-token")}

    def wrong(self, fields: Fields) -> Fields:
        return {"token": Secret("made-up")}

    def works(self, fields: Fields) -> bool:
        kept = json.loads(self.tokens.read_text())
        return self._digest(fields["token"].reveal()) in kept.values()

    def credentials(self) -> int:
        return len(json.loads(self.tokens.read_text()))

    def silent(self) -> Mapping[str, object]:
        return {**self.target, "command": ["sleep", "1000"]}

    @staticmethod
    def _digest(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()
