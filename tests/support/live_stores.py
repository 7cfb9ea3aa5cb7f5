"""A real store with two secrets behind a fault proxy, with one interface for Vault and AWS.

    def test_something(store, project):
        project.profile("prod.toml", store.profile())
        project.run("exec", "--env", "prod", "--", "env", env=store.environ)

Every test gets its own secrets in the server that its test process shares.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from support.aws import operation
from support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.aws import Aws
    from support.fault_proxy import Request
    from support.openbao import OpenBao

CANARY = "canary-b51c7e02"  # a part of every value, and of AWS's own secrets
FIELDS = {
    "db": {"user": "app", "password": f"p@ss/{CANARY}"},
    "cache": {"url": f"redis://:{CANARY}@cache:6379"},
}
# the result of `LiveStore.profile`; NODE_ENV is an additional literal
VALUES = {
    "DATABASE_URL": f"postgresql://app:p%40ss%2F{CANARY}@db/app",
    "DB_PASSWORD": f"p@ss/{CANARY}",
    "CACHE_URL": f"redis://:{CANARY}@cache:6379",
}

_VARIABLES = """\
NODE_ENV = "production"
DATABASE_URL = "postgresql://{{ S:db#user }}:{{ S:db#password | urlencode }}@db/app"
DB_PASSWORD = "{{ S:db#password }}"
CACHE_URL = "{{ S:cache#url }}"
"""


class LiveStore:
    """The common base of Vault and AWS.

    Each has a `source`, the table `[sources.NAME]` with the proxy's address unless another is
    given, and knows which requests read secrets (`is_read`) and which read `pinned`.

    Attributes:
        name: of the source.
        proxy: in front of the server.
        environ: the variables that envkit needs to log in.
        hidden: texts that only the app may see: a part of every value, and the credentials.
        ca_variable: the variable with the path of the certificate authority.
        pinned: a reference that needs a separate request.
    """

    name: str
    ca_variable: str
    pinned: str

    def __init__(self, proxy: FaultProxy, environ: Mapping[str, str]) -> None:
        self.proxy = proxy
        self.environ = dict(environ)
        self.hidden = {CANARY}

    @property
    def server_url(self) -> str:
        """The address of the server itself."""
        host, port = self.proxy.upstream
        return f"http://{host}:{port}"

    def profile(self, url: str | None = None, more: str = "") -> str:
        """Return a profile with all VALUES; `more` is added to its variables."""
        return f"{self.source(url)}[variables]\n{_VARIABLES.replace('S:', f'{self.name}:')}{more}"


class VaultStore(LiveStore):
    """OpenBao; `auth` names the variable with the token."""

    name = "vault"
    ca_variable = "VAULT_CACERT"
    pinned = "vault:cache?version=1#url"

    def __init__(self, openbao: OpenBao, proxy: FaultProxy) -> None:
        self.openbao = openbao
        self.folder = f"live-{secrets.token_hex(4)}"
        for path, fields in FIELDS.items():
            openbao.put(f"{self.folder}/{path}", fields)
        super().__init__(proxy, {})
        paths = (f"secret/data/{self.folder}", f"secret/data/{self.folder}/*")
        self.log_in_with(openbao.policy({path: ["read"] for path in paths}))

    def log_in_with(self, policy: str) -> None:
        """Use a new token that has this policy."""
        self.token = self.openbao.token(policy)
        self.environ["BOOTSTRAP_TOKEN"] = self.token
        self.hidden.add(self.token)

    def source(self, url: str | None = None) -> str:
        return (
            f'[sources.vault]\naddress = "{url or self.proxy.url}"\n'
            f'mount = "secret"\nprefix = "{self.folder}"\n'
            'auth = { method = "token", token = "{{ env:BOOTSTRAP_TOKEN }}" }\n'
        )

    def is_read(self, request: Request) -> bool:
        return request.path.startswith("/v1/secret/data/")

    def is_pinned(self, request: Request) -> bool:
        return request.path.endswith("?version=1")


class AwsStore(LiveStore):
    """moto; the credentials are those of the environment."""

    name = "aws"
    ca_variable = "AWS_CA_BUNDLE"
    pinned = "aws:cache?stage=AWSCURRENT#url"

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        for name, fields in FIELDS.items():
            aws.put(name, json.dumps(fields))
        names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        super().__init__(aws.proxy, {**aws.environ, **dict.fromkeys(names, f"key-{CANARY}")})

    def source(self, url: str | None = None) -> str:
        endpoint = f'endpoint_url = "{url}"\n' if url else ""
        return f'[sources.aws]\nprefix = "{self.aws.prefix}"\n{endpoint}'

    def is_read(self, request: Request) -> bool:
        return operation(request) in ("BatchGetSecretValue", "GetSecretValue")

    def is_pinned(self, request: Request) -> bool:
        return operation(request) == "GetSecretValue"


@pytest.fixture
def vault_store(openbao: OpenBao) -> Iterator[VaultStore]:
    with FaultProxy(openbao.address) as proxy:
        yield VaultStore(openbao, proxy)


@pytest.fixture
def aws_store(aws: Aws) -> AwsStore:
    return AwsStore(aws)


@pytest.fixture(params=["vault", "aws"])
def store(request: pytest.FixtureRequest) -> LiveStore:
    """Yield each store."""
    found: LiveStore = request.getfixturevalue(f"{request.param}_store")
    return found
