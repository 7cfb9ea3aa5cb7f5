"""Check that only their owner can read the `.env` files in use, and that git does not track them.

The same is checked for the files that envkit writes beside them: the previous version of the
file, the pending values of a rotation, and the private keys of encrypted files. An encrypted file
may be tracked and read by anyone, if no value in it is plain that should not be.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from envkit._internal.files import read_in_project
from envkit._internal.git import find_repository
from envkit._internal.paths import display_path
from envkit.checks.problem import Problem, listed
from envkit.dotenv.file import LIMIT_BYTES, parse
from envkit.dotenv.parser import OddLine, decode, split
from envkit.encryption.env_file import variables
from envkit.encryption.key_lookup import KEY_FILE
from envkit.errors import DotenvError, UntrustedError
from envkit.sources.dotenv import PREVIOUS_SUFFIX, DotenvSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit._internal.git import Repository
    from envkit.checks.inspection import Inspection

# `FILE_SUFFIX` of `rotation_state.stores.naming`, which projects without rotations never load
ROTATION_SUFFIX = ".envkit-rotation"
_READABLE = stat.S_IRGRP | stat.S_IROTH
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield the problems of the `.env` files in use."""
    files = in_use(inspection)
    there = [path for path in files if os.path.isfile(path)]
    repository = find_repository(inspection.root, inspection.environ)
    tracked = set() if repository is None else repository.tracked(there)
    encrypted = set()
    for path in there:
        content = _content(path, inspection.root)
        if content is not None and content.encrypted:
            encrypted.add(path)
        sealed = path in encrypted and content is not None and not content.plain
        found = _exposed(path, encrypted=sealed)
        if path in tracked and not sealed:
            found.append(_tracked(path, content))
        elif content is not None and content.encrypted and content.plain:
            found.append(_half_plain(path, content.plain))
        yield from (problem._replace(environments=files[path]) for problem in found)
    if repository is not None:
        secret = [path for path in files if path not in tracked and path not in encrypted]
        yield from _not_ignored(repository, secret, all_secret=not encrypted)


def in_use(inspection: Inspection, *, beside: bool = True) -> Mapping[str, tuple[str, ...]]:
    """Return the files in which environments look up values, existing or not, with their names.

    Args:
        inspection: the input of the checks.
        beside: whether to include the files that envkit has created beside them.
    """
    found: dict[str, dict[str, None]] = {}
    for one in inspection.prepared:
        for name, references in one.plan.references.items():
            source = one.sources[name]
            if isinstance(source, DotenvSource):
                for path in (path for reference in references for path in source.files(reference)):
                    found.setdefault(os.path.normpath(path), {})[one.profile.name] = None
    for path in list(found) if beside else ():
        found.update(dict.fromkeys(_files_beside(path), found[path]))
    return {path: tuple(names) for path, names in found.items()}


def _files_beside(path: str) -> Iterator[str]:
    """Yield the files with values that envkit has created beside a file."""
    folder, name = os.path.split(path)
    try:
        others = sorted(os.listdir(folder))
    except OSError:
        return
    for other in others:
        rotated = other.startswith(f"{name}.") and other.endswith(ROTATION_SUFFIX)
        if rotated or other in (name + PREVIOUS_SUFFIX, KEY_FILE):
            yield os.path.join(folder, other)


def _exposed(path: str, *, encrypted: bool) -> list[Problem]:
    mode = os.stat(path).st_mode
    readable = 0 if encrypted else _READABLE
    rights = [right for mask, right in ((readable, "read"), (_WRITABLE, "written")) if mode & mask]
    if not rights:
        return []
    shown = display_path(path)
    message = f"{shown} can be {listed(rights)} by other users"
    return [Problem("file-exposed", message, path, hint=f"run: chmod 600 {shown}")]


class _Content(NamedTuple):
    """Whether a file is encrypted, and its variables that are not and should be."""

    encrypted: bool
    plain: list[str]


def _tracked(path: str, content: _Content | None) -> Problem:
    clear = [] if content is None else content.plain
    shown = display_path(path)
    which = f", with the values of {listed(clear)} in clear text" if clear else ""
    if content is not None and content.encrypted:
        remedy = f"run: envkit env encrypt --file {shown}; then change these secrets"
    else:
        remedy = f"run 'git rm --cached {shown}', add it to .gitignore, and change its secrets"
    return Problem(
        "file-tracked",
        f"git tracks {shown}{which}",
        path,
        hint=f"{remedy}: they remain in git history",
        variables=tuple(clear),
    )


def _half_plain(path: str, plain: Sequence[str]) -> Problem:
    shown = display_path(path)
    verb = "is" if len(plain) == 1 else "are"
    return Problem(
        "file-half-plain",
        f"{shown} is encrypted, but {listed(plain)} {verb} not",
        path,
        hint=f"run: envkit env encrypt --file {shown}",
        variables=tuple(plain),
    )


def _content(path: str, project: str) -> _Content | None:
    """Return what a file contains; None if a line may have a value that cannot be read."""
    try:
        text = decode(read_in_project(path, project, LIMIT_BYTES)[0], path=path)
    except (OSError, DotenvError, UntrustedError):
        return None
    pieces = list(split(text, path=path))
    if any(isinstance(one, OddLine) and not (one.conflict or one.declares) for one in pieces):
        return None
    found = variables(text, path=path)
    if not parse(text, path=path, expand=False).public_keys and not any(
        one.encrypted for one in found
    ):
        plain = [one.name for one in found if not one.encrypted]
        return _Content(False, list(dict.fromkeys(plain)))  # noqa: FBT003 - a field
    return _Content(True, list(dict.fromkeys(one.name for one in found if one.exposed)))  # noqa: FBT003


def _not_ignored(
    repository: Repository, paths: Sequence[str], *, all_secret: bool
) -> Iterator[Problem]:
    """Yield one problem for all paths; `all_secret` is False if other files may be committed."""
    inside = [path for path in paths if repository.contains(path)]
    ignored = repository.ignored(inside)
    names = [display_path(path) for path in inside if path not in ignored]
    if names:
        usual = all_secret and all(os.path.basename(name).startswith(".env.") for name in names)
        yield Problem(
            "file-not-ignored",
            f"git does not ignore {listed(names)}",
            os.path.join(repository.root, ".gitignore"),  # the file to be written, existing or not
            hint=f"add {'.env.*' if usual else listed(names)} to .gitignore",
        )
