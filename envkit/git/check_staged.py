"""Find in staged files what must not be committed: private keys, and values that are not encrypted.

Every staged file is searched for private keys. In a file with a public key, each value must be
encrypted, and a whole one: a point of the curve and all parts. No key is needed, and nothing is
decrypted, so a value that is encrypted to another key is not found.

No message quotes a line.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple

from envkit.detection.token_shapes import DOTENV_KEY_FORM
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.parser import PUBLIC_KEY, OddLine, decode, split, stays_plain
from envkit.encryption.key_lookup import KEY_FILE
from envkit.encryption.keys import parse_public_key
from envkit.encryption.values import is_encrypted, parts
from envkit.errors import DotenvError
from envkit.git.staged import contents, staged_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit.dotenv.parser import Definition
    from envkit.git.staged import Staged

_PRIVATE_KEY = re.compile(DOTENV_KEY_FORM.encode())
_NAME = re.compile(rb"\w+")
_HAS_PUBLIC_KEY = re.compile(
    rb"(?m)^[ \t]*(export[ \t]+)?" + PUBLIC_KEY.encode() + rb"\w{0,200}[ \t]*="
)
_DOTENV_NAME = re.compile(r"(^|\.)env(\.|$)")


class Problem(NamedTuple):
    """Something that must not be committed.

    Attributes:
        message: what is wrong and where, without a value.
        hint: how to fix it.
    """

    message: str
    hint: str


def check_staged(folder: str, environ: Mapping[str, str]) -> dict[str, list[Problem]] | None:
    """Return the problems in staged files by path, in order; None without a repository.

    Args:
        folder: a folder in the working tree.
        environ: the process environment, with the variables of a hook.
    """
    files = staged_files(folder, environ)
    if files is None:
        return None
    wanted = [blob for file in files for blob in (file.blob, file.before) if blob]
    at: dict[str, list[Staged]] = {}
    for file in files:
        at.setdefault(file.blob, []).append(file)
    found: dict[str, list[Problem]] = {
        file.path: [_key_file(file.path)] for file in files if is_key_file(file.path)
    }
    encrypted: set[str] = set()  # ids of blobs
    for blob, data in contents(folder, environ, wanted, limit_bytes=LIMIT_BYTES):
        if _HAS_PUBLIC_KEY.search(data):
            encrypted.add(blob)
        for file in at.get(blob, ()):
            if file.path not in found:
                found[file.path] = list(check_content(file.path, data))
    for file in files:
        if file.before in encrypted and file.blob not in encrypted and file.blob:
            found.setdefault(file.path, []).append(_no_longer_encrypted(file.path))
    return {path: found[path] for path in sorted(found) if found[path]}


def check_content(path: str, data: bytes) -> Iterator[Problem]:
    """Yield the problems in the content of a staged file.

    Args:
        path: relative to the root of the repository.
        data: the content.
    """
    for match in _PRIVATE_KEY.finditer(data):
        line = data.count(b"\n", 0, match.start()) + 1
        yield Problem(
            f"{path}:{line}: {_name(match[0])} is a private key",
            f"run: git restore --staged {shlex.quote(path)}; if the key was ever pushed, "
            "also run 'envkit env rotate-key'",
        )
    if _HAS_PUBLIC_KEY.search(data) and _is_dotenv(path, data):
        yield from _check_values(path, data)


def is_key_file(path: str) -> bool:
    """Return whether a path is that of a file of private keys, by its name."""
    return os.path.basename(path) == KEY_FILE


def _name(assignment: bytes) -> str:
    """Return the name in `NAME=value`."""
    match = _NAME.match(assignment)
    return "" if match is None else match[0].decode()


def _check_values(path: str, data: bytes) -> Iterator[Problem]:
    quoted = shlex.quote(path)
    encrypt = f"run: envkit env encrypt --file {quoted} && git add {quoted}"
    try:
        for piece in split(decode(data, path=path), path=path):
            if isinstance(piece, OddLine):
                if piece.conflict:
                    yield Problem(piece.error.message, piece.error.hint or encrypt)
                    return
                if not piece.declares:
                    yield Problem(
                        f"{piece.error.message}: it may be a value that is not encrypted",
                        f"correct the line, then run: git add {quoted}",
                    )
            elif not isinstance(piece, str):
                yield from _check_one(piece, encrypt)
    except DotenvError as error:
        yield Problem(error.message, error.hint or encrypt)


def _check_one(definition: Definition, encrypt: str) -> Iterator[Problem]:
    name, value, place = definition.name, definition.value, definition.place
    if name.startswith(PUBLIC_KEY):
        parse_public_key(value, where=f"{place}: {name}")
    elif is_encrypted(value):
        try:
            parts(value)
        except DotenvError as error:
            yield Problem(
                f"{place}: the value of {name} {error.message}",
                f"restore the line from git, or set the value again: envkit env set {name}",
            )
    elif value and not stays_plain(name):
        yield Problem(f"{place}: {name} is not encrypted", encrypt)


def _is_dotenv(path: str, data: bytes) -> bool:
    """Return whether a file with a public key is a `.env` file, and no page that shows one."""
    if _DOTENV_NAME.search(os.path.basename(path)):
        return True
    pieces = split(data.decode("utf-8", "surrogateescape"), path=path)
    return not any(isinstance(piece, OddLine) for piece in pieces)


def _key_file(path: str) -> Problem:
    quoted = shlex.quote(path)
    return Problem(
        f"{path} has private keys, which anyone who gets the repository could use",
        f"run: git rm --cached {quoted}; git ignores it if .gitignore has the line {KEY_FILE}",
    )


def _no_longer_encrypted(path: str) -> Problem:
    quoted = shlex.quote(path)
    return Problem(
        f"{path} was encrypted in the last commit, and has no public key any more",
        f"run: git restore --staged --worktree {quoted}; to commit its values in plain, "
        "run 'git commit --no-verify'",
    )
