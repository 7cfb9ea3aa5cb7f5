"""The three stores, without envkit: the values of readers, and leftovers of rotations.

    shelf = VaultShelf(server, "URL")
    shelf.put({"URL": "..."})
    shelf.reader()                  # can be sent to another process
    shelf.left()                    # what a rotation must not have left behind

A reader does not use envkit: it reads as an application would.
"""

from __future__ import annotations

import http.client
import io
import json
import secrets
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from dotenv import dotenv_values

from support.aws import REGION, admin_client
from support.fault_proxy import HOST

OTHER = {"OTHER": "left as it is"}
RECORD_LABEL = "ENVKIT_ROTATION"
STAGED = "ENVKIT_STAGED"


class MissingError(LookupError):
    """The value does not exist."""


# ---------------------------------------------------------------- readers


class VaultReader:
    """Reads over one connection, which stays open."""

    def __init__(self, port: int, token: str, path: str, field: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=30)
        self._token = token
        self._path = path
        self._beside = f"envkit-rotation/{path}.{field}"

    def current(self) -> dict[str, str]:
        return self._get(self._path)

    def pending(self) -> dict[str, dict[str, str]]:
        return self._get(self._beside).get("values", {})

    def _get(self, path: str) -> dict:
        self._connection.request("GET", f"/v1/secret/data/{path}", headers=self._headers())
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status == 404:
            raise MissingError(path)
        assert answer.status == 200, answer.status
        return json.loads(body)["data"]["data"]

    def _headers(self) -> dict[str, str]:
        return {"X-Vault-Token": self._token}


class AwsReader:
    """Reads with its own request, because botocore takes longer than the server."""

    def __init__(self, port: int, name: str, field: str) -> None:
        self._port = port
        self._name = name
        self._field = field

    def current(self) -> dict[str, str]:
        return self._get("AWSCURRENT")

    def pending(self) -> dict[str, dict[str, str]]:
        records = self._get(RECORD_LABEL).get("records", {})
        return records.get(self._field, {}).get("values", {})

    def _get(self, label: str) -> dict:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=30)
        body = json.dumps({"SecretId": self._name, "VersionStage": label})
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "secretsmanager.GetSecretValue",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=reader/20260101/{REGION}/"
            "secretsmanager/aws4_request, SignedHeaders=host, Signature=0",
        }
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        if answer.status in (400, 404):  # moto, for a label that never existed
            raise MissingError(label)
        assert answer.status == 200, answer.status
        return json.loads(found["SecretString"])


class DotenvReader:
    """Reads the file as an application does."""

    def __init__(self, path: str, field: str) -> None:
        self._path = path
        self._beside = f"{path}.{field}.envkit-rotation"

    def current(self) -> dict[str, str]:
        with open(self._path, encoding="utf-8") as file:
            text = file.read()
        return {
            name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()
        }

    def pending(self) -> dict[str, dict[str, str]]:
        try:
            with open(self._beside, encoding="utf-8") as file:
                return json.load(file).get("values", {})
        except FileNotFoundError:
            raise MissingError(self._beside) from None


# ---------------------------------------------------------------- the stores


class VaultShelf:
    """A secret in OpenBao."""

    name = "vault"
    http = True

    def __init__(self, server, field: str) -> None:
        self._server = server
        self._field = field
        self._path = f"torture-{secrets.token_hex(4)}/db"
        self._looked_at = self._given = 0  # the newest version at that time, and its value
        self._last_values: object = None
        self.port = urlsplit(server.address).port
        self.secret = f"vault:{self._path}#{field}"
        self.sources = '[sources.vault]\nmount = "secret"\n'

    def environ(self, port: int) -> dict[str, str]:
        return {"VAULT_ADDR": f"http://{HOST}:{port}", "VAULT_TOKEN": self._server.root_token}

    def put(self, fields: dict[str, str]) -> None:
        self._server.put(self._path, {**OTHER, **fields})

    change = put

    def reader(self) -> tuple[str, list]:
        return "VaultReader", [self.port, self._server.root_token, self._path, self._field]

    def record(self) -> dict:
        """The stored rotation record."""
        beside = f"secret/data/envkit-rotation/{self._path}.{self._field}"
        return self._ask("GET", beside)["data"]

    def put_record(self, stored: object) -> None:
        """Replace it with another value, as only a person would."""
        self._server.put(f"envkit-rotation/{self._path}.{self._field}", stored)

    def left(self) -> list[str]:
        beside = f"envkit-rotation/{self._path}.{self._field}"
        folder = beside.rpartition("/")[0]
        wrong = []
        keys = self._ask("LIST", f"secret/metadata/{folder}")["keys"]
        if set(keys) - {f"{self._path.rpartition('/')[2]}.OTHER"} != {beside.rpartition("/")[2]}:
            wrong.append(f"there are {keys} beside the record")
        metadata = self._ask("GET", f"secret/metadata/{beside}")
        if len(metadata["versions"]) != 1:
            wrong.append(f"{len(metadata['versions'])} versions of the record")
        if metadata["custom_metadata"]:
            wrong.append("the record has metadata")
        return wrong

    def writes(self) -> int | None:
        """The number of times that readers got another value; a rehearsal does not count."""
        newest = self._ask("GET", f"secret/metadata/{self._path}")["current_version"]
        for version in range(self._looked_at + 1, newest + 1):
            data = f"secret/data/{self._path}?version={version}"
            values = self._ask("GET", data)["data"]
            self._given += values != self._last_values
            self._looked_at, self._last_values = version, values
        return self._given

    def _ask(self, method: str, path: str) -> dict:
        return self._server.ask(method, path)["data"]


class AwsShelf:
    """A secret in moto's Secrets Manager."""

    name = "aws"
    http = True

    def __init__(self, url: str, field: str) -> None:
        self._admin = admin_client(url)
        self._field = field
        self.port = urlsplit(url).port
        self._name = f"torture-{secrets.token_hex(4)}/db"
        self.secret = f"aws:/{self._name}#{field}"
        self.sources = "[sources.aws]\n"

    def environ(self, port: int) -> dict[str, str]:
        return {}  # as of every rotation here

    def put(self, fields: dict[str, str]) -> None:
        self._admin.create_secret(Name=self._name, SecretString=json.dumps({**OTHER, **fields}))

    def change(self, fields: dict[str, str]) -> None:
        text = json.dumps({**OTHER, **fields})
        self._admin.put_secret_value(SecretId=self._name, SecretString=text)

    def reader(self) -> tuple[str, list]:
        return "AwsReader", [self.port, self._name, self._field]

    def record(self) -> dict:
        """The stored rotation record."""
        return self._document()["records"][self._field]

    def put_record(self, stored: object) -> None:
        """Replace it with another value, as only a person would."""
        document = self._document()
        saved = document["records"].get(self._field, {}).get("saved")
        if isinstance(stored, dict):
            stored = {**stored, "saved": saved}
        document["records"][self._field] = stored
        self._admin.put_secret_value(
            SecretId=self._name, SecretString=json.dumps(document), VersionStages=[RECORD_LABEL]
        )

    def _document(self) -> dict:
        found = self._admin.get_secret_value(SecretId=self._name, VersionStage=RECORD_LABEL)
        return json.loads(found["SecretString"])

    def left(self) -> list[str]:
        stages = self._admin.describe_secret(SecretId=self._name)["VersionIdsToStages"]
        allowed = ({"AWSCURRENT"}, {"AWSPREVIOUS"}, {RECORD_LABEL}, {RECORD_LABEL, STAGED})
        # the last of these: a process died once all was done, with that label alone to be
        # taken off a record without values; the next write moves it
        wrong = [labels for labels in map(set, stages.values()) if labels and labels not in allowed]
        return [f"versions with the labels {wrong}"] if wrong else []

    def writes(self) -> int | None:
        return None  # versions that were never current are not distinguished from others


class DotenvShelf:
    """A `.env` file."""

    name = "dotenv"
    http = False
    port = 0
    _KEPT: ClassVar = {
        *(".env.prod", ".env.prod.envkit-previous"),
        ".env.prod.OTHER.envkit-rotation",  # if it is rotated too
    }

    def __init__(self, root: Path, field: str) -> None:
        self._path = root / "env" / ".env.prod"
        self._path.parent.mkdir()
        self._field = field
        self.folder = str(self._path.parent)
        self.secret = f"dotenv:{field}"
        self.sources = '[sources.dotenv]\npath = "env/.env.prod"\n'

    def environ(self, port: int) -> dict[str, str]:
        return {}

    def put(self, fields: dict[str, str]) -> None:
        lines = [f'{name}="{value}"\n' for name, value in {**OTHER, **fields}.items()]
        self._path.write_text("".join(lines))
        self._path.chmod(0o600)

    change = put

    def reader(self) -> tuple[str, list]:
        return "DotenvReader", [str(self._path), self._field]

    def record(self) -> dict:
        """The stored rotation record."""
        return json.loads(self._beside.read_text())

    def put_record(self, stored: object) -> None:
        """Replace it with another value, as only a person would."""
        self._beside.write_text(json.dumps(stored))

    @property
    def _beside(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._field}.envkit-rotation")

    def left(self) -> list[str]:
        record = f".env.prod.{self._field}.envkit-rotation"
        wrong = []
        for path in self._path.parent.iterdir():
            if path.name.endswith(".envkit-lock") and not path.stat().st_size:
                continue  # of a writer that died once all was done; the next one takes it over
            if path.name not in self._KEPT | {record}:
                wrong.append(f"the file {path.name}")
            if path.stat().st_mode & 0o077:
                wrong.append(f"{path.name} can be read by others")
        return wrong

    def writes(self) -> int | None:
        return None
