"""Let `git diff` show encrypted files by `envkit env textconv`: names and masked values.

The attribute is a line in `.gitattributes`, which is committed. The program is a setting of the
clone: git runs no program that a repository names. Without the setting, the attribute has no
effect.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from envkit.errors import WriteRefusedError
from envkit.git.append import append_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit._internal.git import Repository

DRIVER = "envkit"
SETTING = f"diff.{DRIVER}.textconv"
NAME = ".gitattributes"
_USUAL = {".env": ".env", ".env.*": ".env.any"}  # a pattern, and a name that it must match
_FIELDS = 3  # of each answer: path, attribute, value


class Shown(NamedTuple):
    """The result of `show_in_diffs`.

    Attributes:
        lines: the lines that were added to `.gitattributes`.
        path: the path of `.gitattributes`.
        configured: False if the setting of git was there already.
    """

    lines: tuple[str, ...]
    path: str
    configured: bool


def show_in_diffs(repository: Repository, command: str, files: Iterable[str]) -> Shown:
    """Let `git diff` show files by a command.

    Args:
        repository: the repository.
        command: a command line that gets the path of a file, and prints text.
        files: the absolute paths of encrypted files, in addition to `.env` and `.env.*`.

    Raises:
        WriteRefusedError: the settings of the repository cannot be written.
        SourceError: `.gitattributes` cannot be written.
    """
    path = os.path.join(repository.root, NAME)
    patterns = {**_USUAL, **{_pattern(name): name for name in _inside(repository, files)}}

    def missing(_: str) -> list[str]:
        return [f"{pattern} diff={DRIVER}" for pattern in _without_driver(repository, patterns)]

    lines = append_lines(path, missing)
    now = (repository.ask("config", "--local", "--get", SETTING) or "").removesuffix("\n")
    if now != command and repository.ask("config", "--local", SETTING, command) is None:
        raise WriteRefusedError(
            "cannot change the settings of this repository",
            hint=f"run: git config --local {SETTING} '{command}'",
        )
    return Shown(lines, path, now != command)


def _without_driver(repository: Repository, patterns: dict[str, str]) -> list[str]:
    """Return the patterns whose sample does not have the attribute yet."""
    listed = "\0".join(patterns.values())
    answer = repository.ask("check-attr", "-z", "--stdin", "diff", stdin=listed) or ""
    fields = answer.split("\0")
    values = {fields[at]: fields[at + 2] for at in range(0, len(fields) - _FIELDS + 1, _FIELDS)}
    missing = [pattern for pattern, name in patterns.items() if values.get(name) != DRIVER]
    usual = [pattern for pattern in missing if pattern in _USUAL]
    if usual:  # they cover most files
        return [*usual, *(one for one in missing if not _is_usual(one))]
    return missing


def _is_usual(pattern: str) -> bool:
    name = os.path.basename(pattern)
    return name == ".env" or name.startswith(".env.")


def _inside(repository: Repository, files: Iterable[str]) -> list[str]:
    names = (os.path.relpath(path, repository.root) for path in files)
    return [name for name in names if name.split(os.sep, 1)[0] != os.pardir]


def _pattern(name: str) -> str:
    """Return a pattern that matches only this path, relative to the root."""
    escaped = re.sub(r"([\\*?\[])", r"\\\1", f"/{name}")
    if re.search(r'[\s"]', escaped):
        inner = escaped.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{inner}"'
    return escaped
