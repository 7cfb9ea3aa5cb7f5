"""A file that dotenvx 2.38.2 encrypted, with its private key and its values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envkit.dotenv.parser import Definition, split
from envkit.encryption.keys import PrivateKey, parse_private_keys
from envkit.encryption.values import encrypt
from envkit.secret import Secret
from support.vectors import DATA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = DATA / "dotenvx"
FILE = (FOLDER / "dot-env.production").read_text("utf-8")
KEY_FILE = (FOLDER / "dot-env.keys").read_text("utf-8")
EXPECTED: dict[str, str] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
PUBLIC_NAME = "DOTENV_PUBLIC_KEY_PRODUCTION"
PRIVATE_NAME = "DOTENV_PRIVATE_KEY_PRODUCTION"


def written(text: str) -> dict[str, str]:
    """Return the values of a file as they are written in it."""
    pieces = split(text, path=".env")
    return {piece.name: piece.value for piece in pieces if isinstance(piece, Definition)}


def private_key() -> PrivateKey:
    [key] = parse_private_keys(Secret(written(KEY_FILE)[PRIVATE_NAME]), where=".env.keys")
    return key


def write_pair(folder: Path, *, file: str = ".env.production") -> Path:
    """Write the encrypted file and its key into a folder; return the path of the file."""
    write_keys(folder, KEY_FILE)
    path = folder / file
    path.write_text(FILE, "utf-8")
    path.chmod(0o600)
    return path


def write_keys(folder: Path, text: str) -> Path:
    path = folder / ".env.keys"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def encrypted_text(values: Mapping[str, str], public_name: str = PUBLIC_NAME) -> str:
    """Return a file in which values are encrypted to the recorded key."""
    key = private_key().public_key()
    lines = [f"{name}='{encrypt(value, key)}'\n" for name, value in values.items()]
    return "".join([f'{public_name}="{key}"\n', *lines])
