"""A file that dotenvx 2.38.2 encrypted, with its private key and its values."""

from __future__ import annotations

import json
from pathlib import Path

from envkit.dotenv.parser import Definition, split
from envkit.encryption.keys import PrivateKey, parse_private_keys
from envkit.secret import Secret
from support.vectors import DATA

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
    keys = folder / ".env.keys"
    keys.write_text(KEY_FILE, "utf-8")
    keys.chmod(0o600)
    path = folder / file
    path.write_text(FILE, "utf-8")
    path.chmod(0o600)
    return path
