"""Make git ignore private files, and stop it from ignoring encrypted ones.

Lines are only ever appended to the `.gitignore` beside the files. git itself decides what is
ignored, by all of its rules; without a repository, the `.gitignore` alone decides.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit.encryption.key_lookup import KEY_FILE
from envkit.errors import WriteRefusedError
from envkit.git.append import append_lines
from envkit.git.ignore_patterns import is_ignored, patterns_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit._internal.git import Repository

# files that envkit writes beside a `.env` file, and a name that each pattern must match
PRIVATE = {
    KEY_FILE: KEY_FILE,
    "*.envkit-previous": "any.env.envkit-previous",
    "*.envkit-rotation": "any.env.envkit-rotation",
}
NAME = ".gitignore"
_KEYS_HEAD = "# private keys and copies stay out of git"
_FILE_HEAD = "# encrypted, to be committed"
_FIELDS = 4  # of each answer: source, line, pattern, path


class Rule(NamedTuple):
    """The rule that decides about a path.

    Attributes:
        pattern: as written; `!` at the start stops git from ignoring the path.
        place: the file and line of the pattern, for messages.
    """

    pattern: str
    place: str

    @property
    def ignores(self) -> bool:
        """Whether git ignores the path."""
        return not self.pattern.startswith("!")


def keep_private(folder: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Make git ignore the private files in a folder.

    Args:
        folder: the absolute path of the folder, without links.
        environ: the process environment.

    Returns:
        the lines that were added to the `.gitignore` in the folder.

    Raises:
        SourceError: the `.gitignore` cannot be written.
    """

    def missing(ignored: Callable[[str], bool]) -> list[str]:
        return [pattern for pattern, sample in PRIVATE.items() if not ignored(sample)]

    return _add(folder, environ, _KEYS_HEAD, missing)


def let_in(path: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Stop git from ignoring a file.

    Args:
        path: the absolute path of the file, without links in its folder.
        environ: the process environment.

    Returns:
        the lines that were added to the `.gitignore` beside it.

    Raises:
        WriteRefusedError: git still ignores it, because it ignores a folder above it.
        SourceError: the `.gitignore` cannot be written.
    """
    folder, name = os.path.split(path)

    def missing(ignored: Callable[[str], bool]) -> list[str]:
        return [f"!{_literal(name)}"] if ignored(name) else []

    added = _add(folder, environ, _FILE_HEAD, missing)
    rule = deciding_rule(path, environ)
    if rule is not None and rule.ignores:
        raise WriteRefusedError(
            f"git ignores {display_path(path)}: {rule.place} has '{rule.pattern}'",
            hint=f"remove the line {rule.place}, or move the file to another folder",
        )
    return added


def deciding_rule(path: str, environ: Mapping[str, str]) -> Rule | None:
    """Return the rule of git that decides about a file; None if there is none.

    Args:
        path: the absolute path of the file, which may not exist.
        environ: the process environment.
    """
    repository = find_repository(os.path.dirname(path), environ)
    return None if repository is None else _rules(repository, [path]).get(path)


def _rules(repository: Repository, paths: Sequence[str]) -> dict[str, Rule]:
    below = {os.path.relpath(path, repository.root): path for path in paths}
    listed = "\0".join(f"./{name}" for name in below)
    # of tracked files too: whether a file is tracked is another question
    options = ("--verbose", "--no-index", "-z", "--stdin")
    fields = (repository.ask("check-ignore", *options, stdin=listed) or "").split("\0")
    found = {}
    for at in range(0, len(fields) - _FIELDS + 1, _FIELDS):
        source, line, pattern, name = fields[at : at + _FIELDS]
        source = display_path(os.path.join(repository.root, source))
        found[below[name.removeprefix("./")]] = Rule(pattern, f"{source}:{line}")
    return found


def _add(
    folder: str,
    environ: Mapping[str, str],
    head: str,
    missing: Callable[[Callable[[str], bool]], list[str]],
) -> tuple[str, ...]:
    """Append lines to the `.gitignore` in a folder.

    Args:
        folder: the folder of the files.
        environ: the process environment.
        head: a comment for the lines.
        missing: returns the lines, given a function that tells whether a file is ignored.
    """

    def lines(content: str) -> list[str]:
        return missing(_question(folder, content, environ))

    return append_lines(os.path.join(folder, NAME), lines, head=head)


def _question(folder: str, content: str, environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Return a function that tells whether git ignores a file of a folder."""
    repository = find_repository(folder, environ)
    if repository is None:
        patterns = patterns_in(content)
        return lambda name: is_ignored(name, patterns)

    def asked(name: str) -> bool:
        path = os.path.join(folder, name)
        rule = _rules(repository, [path]).get(path)
        return rule is not None and rule.ignores

    return asked


def _literal(name: str) -> str:
    """Return a pattern that matches only this name."""
    escaped = re.sub(r"([\\*?\[])", r"\\\1", name)
    ending = len(escaped) - len(escaped.rstrip(" "))  # git ignores blanks at the end
    return escaped[: len(escaped) - ending] + "\\ " * ending
