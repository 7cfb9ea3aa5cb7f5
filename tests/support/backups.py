"""Key pairs of age, and backups made in memory.

keys = new_keys(tmp_path)
project.run("backup", "--env", "prod", "-o", "prod.age", "--to", keys.recipient)
project.run("backup", "verify", "prod.age", "--identity", keys.identity)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pyrage
import pytest

from envkit.backup.format import Backup, EnvironmentBackup, SavedSecret
from envkit.profile.placeholder import parse_reference
from envkit.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path


class Keys(NamedTuple):
    """A public key, and the path of the file with the secret one."""

    recipient: str
    identity: str

    def opened(self, path: Path) -> dict:
        """Return the JSON of a backup as a person with another program would read it."""
        with open(self.identity, encoding="utf-8") as file:
            identity = pyrage.x25519.Identity.from_str(file.read().strip())
        return json.loads(pyrage.decrypt(path.read_bytes(), [identity]))


def new_keys(folder: Path, name: str = "key.txt") -> Keys:
    identity = pyrage.x25519.Identity.generate()
    path = folder / name
    path.write_text(f"{identity}\n", encoding="utf-8")
    path.chmod(0o600)
    return Keys(str(identity.to_public()), str(path))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return new_keys(tmp_path)


def saved(reference: str, value: str | None = "x", *names: str, **more: str) -> SavedSecret:
    """Return a secret with the version 7 in Vault, unless said otherwise."""
    parsed = parse_reference(reference)
    return SavedSecret(
        names or ("NAME",),
        parsed,
        reference,
        more.get("store", parsed.source),
        None if value is None else more.get("version", "7"),
        None if value is None else Secret(value),
    )


def backup_of(*environments: EnvironmentBackup) -> Backup:
    return Backup(1_796_004_000, "0.1.0", "host", "/srv/shop/profiles", environments)
