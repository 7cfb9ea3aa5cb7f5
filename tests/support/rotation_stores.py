"""Harnesses for rotation stores that use the servers directly, for the contract and other tests.

Every harness creates one secret, with the rotated fields and one other field, `other`.
`opener` is a function with its arguments, which can be sent to another process.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from typing import TYPE_CHECKING, ClassVar

from envkit._internal.clock import Deadline
from envkit.encryption.values import decrypt, is_encrypted
from envkit.profile.placeholder import Reference
from envkit.rotation_state.stores.encrypted import opened
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from envkit.rotation_state.stores.registry import open_store
from envkit.sources.aws.source import AwsSecretsManagerSource
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import SourceContext
from envkit.sources.vault.source import VaultSource
from support import dotenvx

if TYPE_CHECKING:
    from pathlib import Path

    from support.aws import Aws
    from support.openbao import OpenBao

TIMEOUT_SECONDS = 60.0
FIELDS = ("password", "username")
VARIABLES = ("PASSWORD", "USERNAME")


def vault_store(address, token, path, fields=FIELDS, timeout_seconds=TIMEOUT_SECONDS):
    deadline = Deadline(timeout_seconds)
    settings = {"address": address, "mount": "secret", "auth": {"token": token}}
    source = VaultSource(SourceContext("vault", settings=settings, deadline=deadline, environ={}))
    return open_store(source, Reference("vault", path, fields[0]), fields, deadline)


def aws_store(name, fields=FIELDS, timeout_seconds=TIMEOUT_SECONDS):
    deadline = Deadline(timeout_seconds)
    source = AwsSecretsManagerSource(SourceContext("aws", deadline=deadline))
    ref = Reference("aws", f"/{name}", fields[0] or None)
    return open_store(source, ref, fields, deadline)


def dotenv_store(root, file, fields=VARIABLES, timeout_seconds=TIMEOUT_SECONDS):
    deadline = Deadline(timeout_seconds)
    settings = {"path": file}
    source = DotenvSource(SourceContext("dotenv", settings=settings, deadline=deadline, root=root))
    return open_store(source, Reference("dotenv", fields[0]), fields, deadline)


class MemoryHarness:
    fields: ClassVar = FIELDS
    other = "other"
    has_fields_beside = True

    def __init__(self):
        self.shelf = MemoryShelf(None)

    def store(self, fields=FIELDS):
        return MemoryRotationStore(self.shelf, fields)

    def put(self, values):
        self.shelf.put(values)

    def stored(self):
        return dict(self.shelf.fields)

    def remove(self):
        self.shelf.put(None)

    def envelope(self):
        return json.loads(self.shelf.stored[FIELDS[0]].text)

    whole = envelope

    def put_envelope(self, envelope):
        self.put_text(json.dumps(envelope))

    def put_text(self, text):
        stored = self.shelf.stored
        stored[FIELDS[0]] = stored[FIELDS[0]]._replace(text=text)

    def left(self):
        return "".join(stored.text for stored in self.shelf.stored.values())


class VaultHarness:
    """A secret below a path of this test; uses `server` directly."""

    fields: ClassVar = FIELDS
    other = "other"
    has_fields_beside = True

    def __init__(self, server: OpenBao) -> None:
        self.server = server
        self.path = f"rotation-{secrets.token_hex(6)}/db"
        self.token = server.root_token
        self.address = server.address

    @property
    def beside(self) -> str:
        return f"envkit-rotation/{self.path}.password"

    @property
    def opener(self):
        return vault_store, (self.address, self.token, self.path)

    def store(self, fields=FIELDS):
        function, arguments = self.opener
        return function(*arguments, fields)

    def put(self, values):
        self.server.put(self.path, values)

    def stored(self):
        return self.server.ask("GET", f"secret/data/{self.path}")["data"]["data"]

    def remove(self):
        self.server.ask("DELETE", f"secret/data/{self.path}")

    def envelope(self):
        return self.server.ask("GET", f"secret/data/{self.beside}")["data"]["data"]

    def put_envelope(self, envelope):
        self.server.put(self.beside, envelope)

    def left(self):
        """Every version of the record, its metadata, and everything else in the folder."""
        metadata = self.server.ask("GET", f"secret/metadata/{self.beside}")["data"]
        versions = [
            self.server.ask("GET", f"secret/data/{self.beside}?version={version}")
            for version in metadata["versions"]
        ]
        folder = os.path.dirname(self.beside)
        return json.dumps(
            [metadata, versions, self.server.ask("LIST", f"secret/metadata/{folder}")]
        )

    def allow(self, secret=("read", "update"), beside=("create", "read", "update")):
        """From now on, use a token with these capabilities on the secret and on the record."""
        policy = self.server.policy(
            {
                f"secret/data/{self.path}": secret,
                f"secret/data/{self.beside}": beside,
                f"secret/metadata/{self.beside}": beside and ("create", "update"),
            }
        )
        self.token = self.server.token(policy)


class AwsHarness:
    """A secret below the test's prefix; uses `aws.admin` directly."""

    fields: ClassVar = FIELDS
    other = "other"
    has_fields_beside = True

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    @property
    def name(self) -> str:
        return f"{self.aws.prefix}db"

    @property
    def opener(self):
        return aws_store, (self.name,)

    def store(self, fields=FIELDS):
        return aws_store(self.name, fields)

    def put(self, values):
        self.aws.put("db", json.dumps(values))

    def stored(self):
        return json.loads(self.aws.stored("db"))

    def remove(self):
        self.aws.admin.delete_secret(SecretId=self.name)

    def whole(self):
        return json.loads(self._get(VersionStage="ENVKIT_ROTATION"))

    def envelope(self):
        return self.whole()["records"][FIELDS[0]]

    def put_envelope(self, envelope):
        document = self.whole()
        document["records"][FIELDS[0]] = {**envelope, "saved": "by-hand"}
        self.put_text(json.dumps(document))

    def put_text(self, text):
        self.aws.admin.put_secret_value(
            SecretId=self.name, SecretString=text, VersionStages=["ENVKIT_ROTATION"]
        )

    def left(self):
        """Every version with a label that is not one of AWS's own."""
        kept = {
            version: labels
            for version, labels in self.aws.labels("db").items()
            if labels and not labels & {"AWSCURRENT", "AWSPREVIOUS"}
        }
        return json.dumps([(sorted(kept[v]), self._get(VersionId=v)) for v in kept])

    def _get(self, **version):
        return self.aws.admin.get_secret_value(SecretId=self.name, **version)["SecretString"]


class DotenvHarness:
    """A file in a separate folder."""

    fields: ClassVar = VARIABLES
    other = "OTHER"
    has_fields_beside = False
    file = ".env.prod"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / self.file
        self.beside = root / f"{self.file}.PASSWORD.envkit-rotation"

    @property
    def opener(self):
        return dotenv_store, (str(self.root), self.file)

    def store(self, fields=VARIABLES):
        return dotenv_store(str(self.root), self.file, fields)

    def put(self, values):
        self.path.write_text("".join(f"{name}={text!r}\n" for name, text in values.items()))
        self.path.chmod(0o600)

    def stored(self):
        lines = self.path.read_text().splitlines()
        return {n: v.strip("'\"") for n, _, v in (line.partition("=") for line in lines)}

    def remove(self):
        self.path.unlink()

    def envelope(self):
        return json.loads(self.beside.read_text())

    whole = envelope

    def put_envelope(self, envelope):
        self.put_text(json.dumps(envelope))

    def put_text(self, text):
        self.beside.write_text(text)

    def left(self):
        """Every file except the `.env` file, its previous copy and the private key."""
        names = (self.file, f"{self.file}.envkit-previous", ".env.keys")
        mine = {self.path.with_name(name) for name in names}
        return "\n".join(
            f"{path.name}: {path.read_text()}" for path in self.root.iterdir() if path not in mine
        )


class EncryptedHarness(DotenvHarness):
    """An encrypted file, whose records are encrypted too."""

    def put(self, values):
        dotenvx.write_keys(self.root, dotenvx.KEY_FILE)
        self.path.write_text(dotenvx.encrypted_text(values))
        self.path.chmod(0o600)

    def stored(self):
        key = dotenvx.private_key()
        written = dotenvx.written(self.path.read_text())
        return {name: decrypt(text, [key]) for name, text in written.items() if is_encrypted(text)}

    def envelope(self):
        return opened(super().envelope(), lambda text: decrypt(text, [dotenvx.private_key()]))

    whole = envelope

    def left(self):
        """The files with decrypted values."""
        keys = [dotenvx.private_key()]
        return re.sub('encrypted:[^"]+', lambda found: decrypt(found[0], keys), super().left())
