"""A folder of OpenBao and a prefix of Secrets Manager, with one interface to change and read them.

    folder = VaultFolder(openbao, proxy)
    project.profile("prod.toml", folder.table("prod") + variables)
    folder.put("prod/db", {"password": "x"})
    folder.fields("prod/db")

Paths are below the folder; the empty path is the secret at the prefix itself.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING

import pytest

from support.aws import names as secret_ids
from support.aws import operation
from support.fault_proxy import FaultProxy
from support.transcript import transcript

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

    from support.aws import Aws
    from support.fault_proxy import Request
    from support.openbao import OpenBao


class StoreFolder:
    """The common base of both.

    Attributes:
        name: of the source.
        version: a pattern that matches its versions.
        place: the name that envkit prints for the folder.
        environ: the variables that envkit needs to log in.
    """

    name: str
    version: str
    place: str
    environ: dict[str, str]

    def told(self, done: subprocess.CompletedProcess[str]) -> str:
        """Return the transcript, with V for each version and AT for the folder."""
        text = transcript(done, {self.place: "AT/"})
        return re.sub(rf"version {self.version}", "version V", text)


class VaultFolder(StoreFolder):
    name = "vault"
    version = r"\d+"

    def __init__(self, openbao: OpenBao, proxy: FaultProxy) -> None:
        self.openbao = openbao
        self.proxy = proxy
        self.folder = f"folder-{secrets.token_hex(6)}"
        self.environ = {"VAULT_TOKEN": openbao.root_token}
        self.place = f"vault:secret/{self.folder}/"

    def table(self, below: str = "") -> str:
        return (
            f'[sources.vault]\naddress = "{self.proxy.url}"\nmount = "secret"\n'
            f'prefix = "{self._path(below)}"\n'
        )

    def put(self, path: str, fields: Mapping[str, object]) -> None:
        self.openbao.put(self._path(path), fields)

    def fields(self, path: str = "db") -> dict[str, object]:
        return self.openbao.ask("GET", f"secret/data/{self._path(path)}")["data"]["data"]

    def versions(self, path: str = "db") -> list[str]:
        data = self.openbao.ask("GET", f"secret/metadata/{self._path(path)}")["data"]
        return list(data["versions"])

    def deny_writes(self) -> None:
        policy = self.openbao.policy({f"secret/data/{self.folder}/*": ["read"]})
        self.environ["VAULT_TOKEN"] = self.openbao.token(policy)

    def is_write_of(self, path: str) -> Callable[[Request], bool]:
        wanted = self._path(path)
        return lambda request: (
            request.method in ("POST", "PUT") and request.path.endswith(f"/{wanted}")
        )

    def _path(self, path: str) -> str:
        return f"{self.folder}/{path}".rstrip("/")


class AwsFolder(StoreFolder):
    name = "aws"
    version = r"[0-9a-f-]{36}"

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.proxy = aws.proxy
        self.environ = dict(aws.environ)
        self.place = f"aws:{aws.prefix}"

    def table(self, below: str = "") -> str:
        return f'[sources.aws]\nprefix = "{self.aws.prefix}{below and below + "/"}"\n'

    def put(self, path: str, fields: Mapping[str, object]) -> None:
        self.aws.put(path.rstrip("/"), json.dumps(fields))

    def fields(self, path: str = "db") -> dict[str, object]:
        found = self.aws.admin.get_secret_value(SecretId=self._name(path))
        return json.loads(found["SecretString"])

    def versions(self, path: str = "db") -> list[str]:
        found = self.aws.admin.list_secret_version_ids(
            SecretId=self._name(path), IncludeDeprecated=True
        )
        return [entry["VersionId"] for entry in found["Versions"]]

    def deny_writes(self) -> None:
        for name in ("PutSecretValue", "CreateSecret"):
            self.aws.fail(name, "AccessDeniedException")

    def is_write_of(self, path: str) -> Callable[[Request], bool]:
        writes, wanted = ("CreateSecret", "PutSecretValue"), self._name(path)
        return lambda request: operation(request) in writes and wanted in secret_ids(request)

    def _name(self, path: str) -> str:
        return f"{self.aws.prefix}{path}".rstrip("/")


@pytest.fixture
def vault_folder(openbao: OpenBao) -> Iterator[VaultFolder]:
    with FaultProxy(openbao.address) as proxy:
        yield VaultFolder(openbao, proxy)


@pytest.fixture
def aws_folder(aws: Aws) -> AwsFolder:
    return AwsFolder(aws)


@pytest.fixture(params=["vault", "aws"])
def store_folder(request: pytest.FixtureRequest) -> StoreFolder:
    """One after the other."""
    found: StoreFolder = request.getfixturevalue(f"{request.param}_folder")
    return found
