"""Write the first profiles of a project, from its `.env` files.

Guarantees: no existing file is changed, except that lines are added to `.gitignore`. No
value is copied. No link out of the project is followed. If a file cannot be read, envkit writes
nothing.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.files import read_in_project, real_path
from envkit._internal.git import find_repository
from envkit._internal.names import reserved_for
from envkit._internal.os_errors import reason_of
from envkit._internal.writing.atomic_write import write_atomic
from envkit._internal.writing.leftovers import sweep_beside
from envkit._internal.writing.replaceable import lasting_failure
from envkit.detection.settings import is_connection, is_setting_everywhere
from envkit.dotenv.file import LIMIT_BYTES, LOCAL, parse
from envkit.dotenv.parser import decode
from envkit.errors import (
    DeniedError,
    DotenvError,
    SourceError,
    UnavailableError,
    UsageError,
)
from envkit.git.append import append_lines, check_appendable
from envkit.git.ignore_patterns import is_ignored, patterns_in
from envkit.git.ignore_rules import NAME as GITIGNORE
from envkit.git.ignore_rules import PRIVATE
from envkit.profile.discovery import FOLDER, is_profile_name, profile_path
from envkit.scaffold.profile_draft import (
    ALIASES,
    BASE,
    EXAMPLES,
    PLAIN,
    drafts,
    environments,
    is_dotenv_name,
    missing_somewhere,
    unused,
)
from envkit.scaffold.unused_files import passed_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envkit.scaffold.profile_draft import Lookup

_OTHERS = 0o066
PIPE_TIMEOUT_SECONDS = 15.0
_GITIGNORE_HEAD = "# values stay out of git"


class Initialised(NamedTuple):
    """The result of `envkit init`.

    Attributes:
        written: the new files, relative to the project's folder.
        environments: the names of the new profiles, without the base.
        existing: the names of profiles that already existed and were not written.
        ignored: the lines added to `.gitignore`.
        lookups: the lookup of each new profile that has one.
        unused: the `.env` files that no profile reads, each with the reason.
        settings: the variables that are not secret.
        without_plain: the environments that have files of their own and do not read `.env`, because
            it is not in git.
    """

    written: tuple[str, ...]
    environments: tuple[str, ...]
    existing: tuple[str, ...]
    ignored: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    unused: Mapping[str, str]
    settings: tuple[str, ...] = ()
    without_plain: tuple[str, ...] = ()


def shared_files(done: Initialised) -> list[str]:
    """Return the files of new profiles that a team could share, if they were encrypted.

    A plain `.env` and files with the suffix `.local` have values of one machine.
    """
    return list(
        dict.fromkeys(
            file
            for lookup in done.lookups
            for file in lookup.files
            if file not in PLAIN and not file.endswith(LOCAL)
        )
    )


def readable_by_others(done: Initialised, root: str = ".") -> list[str]:
    """Return the files of new profiles that other users of the machine can read or write."""
    files = dict.fromkeys(file for lookup in done.lookups for file in lookup.files)
    return [file for file in files if _mode(os.path.join(root, file)) & _OTHERS]


def initialise(root: str, names: Sequence[str] = ()) -> Initialised:
    """Write `profiles/`, and add the entries of `.gitignore`.

    Args:
        root: the project's folder.
        names: the environments; default: dev, staging, prod, and one per `.env.NAME` file.

    Raises:
        UsageError: a name is not valid for a profile, or a folder cannot be written.
        DotenvError: a `.env` file cannot be read.
        SourceError: a link, or a file that may not be replaced, is in the way.
    """
    for name in names:
        if not is_profile_name(name) or name == BASE:
            raise UsageError(
                f"an environment cannot be called '{name}'",
                hint=f"use letters, digits, '-' and '_', and a name other than '{BASE}'",
            )
    folder = os.path.join(root, FOLDER)
    gitignore = os.path.join(os.path.realpath(root), GITIGNORE)
    try:
        real = real_path(folder, root)
        check_appendable(gitignore, _missing)
        values = _variables(root)
        found = {file: list(texts) for file, texts in values.items()}
        shared = _is_shared(root)
        wanted = list(dict.fromkeys(names)) or environments(found)
        settings = _settings(values.values(), missing_somewhere(wanted, found, shared=shared))
        drafted = drafts(wanted, found, settings=settings, shared=shared)
        existing = [name for name in drafted if _exists(folder, name)]
        new = {name: draft for name, draft in drafted.items() if name not in existing}
        if new:
            os.makedirs(real, exist_ok=True)
            sweep_beside(os.path.join(real, "any.toml"))
        for name, draft in new.items():
            path = os.path.join(real, f"{name}.toml")
            write_atomic(path, draft.text.encode(), mode=0o644, follow=False)
        ignored = append_lines(gitignore, _missing, head=_GITIGNORE_HEAD)
    except OSError as error:
        lasting = lasting_failure(error, folder, "make")
        raise lasting or UsageError(f"cannot create {folder}: {reason_of(error)}") from None
    lookups = tuple(draft.lookup for draft in new.values() if draft.lookup is not None)
    return Initialised(
        tuple(f"{FOLDER}/{name}.toml" for name in new),
        tuple(name for name in new if name != BASE),
        tuple(existing),
        ignored,
        lookups,
        {**unused(found, drafted, shared=shared), **passed_over(root)},
        settings,
        tuple(
            one.environment
            for one in lookups
            if PLAIN[0] in found and PLAIN[0] not in one.files and found.keys() & set(one.files)
        ),
    )


def _variables(root: str) -> dict[str, dict[str, str | None]]:
    """Return, per `.env` file, the variables that it sets; None if a value cannot be read."""
    found = {}
    for file in sorted(filter(is_dotenv_name, os.listdir(root))):
        path = os.path.join(root, file)
        if os.path.isfile(path) or stat.S_ISFIFO(_mode(path)):
            until = Deadline(PIPE_TIMEOUT_SECONDS)
            try:
                data, _ = read_in_project(path, root, LIMIT_BYTES, pipe_until=until)
            except OSError as error:
                raise _unreadable(file, error) from None
            parsed = parse(decode(data, path=file), path=file, expand=False)
            if parsed.unclear is not None:
                raise parsed.unclear
            found[file] = {
                name: None if entry.error else entry.text
                for name, entry in parsed.entries.items()
                if not reserved_for(name)
            }
    return found


def _settings(
    files: Iterable[Mapping[str, str | None]], missing: Collection[str]
) -> tuple[str, ...]:
    """Return the variables that are not secret in any of the files.

    Args:
        files: the variables of each file.
        missing: those whose values are not all known, so that one may have a password.
    """
    texts: dict[str, list[str | None]] = {}
    for file in files:
        for name, text in file.items():
            texts.setdefault(name, []).append(text)
    return tuple(name for name, found in texts.items() if _is_setting(name, found, missing))


def _is_setting(name: str, texts: Sequence[str | None], missing: Collection[str]) -> bool:
    known = [text for text in texts if text is not None]
    if len(known) < len(texts) or (name in missing and any(map(is_connection, known))):
        return False
    return is_setting_everywhere(name, known)


def _is_shared(root: str) -> bool:
    """Return whether `.env` is in git: then it has the defaults of all environments."""
    repository = find_repository(root, os.environ)
    path = os.path.join(os.path.abspath(root), PLAIN[0])
    return repository is not None and bool(repository.tracked([path]))


def _unreadable(file: str, error: OSError) -> SourceError:
    message = f"cannot read {file}: {reason_of(error)}"
    if isinstance(error, PermissionError):
        return DeniedError(message, hint=f"run 'ls -l {file}' to see who may read it")
    return (UnavailableError if isinstance(error, TimeoutError) else DotenvError)(message)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _exists(folder: str, name: str) -> bool:
    names = (name, ALIASES[name]) if name in ALIASES else (name,)
    return any(profile_path(folder, each) for each in names)


def _missing(text: str) -> list[str]:
    """Return the lines that a `.gitignore` lacks.

    A pattern for the exact name of a file decides, wherever it is in the `.gitignore`.
    """
    patterns = patterns_in(text)
    probes = {".env": ".env", ".env.*": ".env.environment"}
    missing = [
        entry
        for entry, probe in probes.items()
        if f"!{entry}" not in patterns and not is_ignored(probe, patterns)
    ]
    allowed = [line for line in patterns if line.lstrip("!/").startswith(".env") and line[0] == "!"]
    allowed = list(dict.fromkeys(allowed)) if ".env.*" in missing else []  # they must follow it
    missing += allowed
    for sample in EXAMPLES:
        decided = sample in patterns or f"/{sample}" in patterns
        if not decided and is_ignored(sample, [*patterns, *missing]):
            missing.append(f"!{sample}")
    now = [*patterns, *missing]
    return [*missing, *(line for line, name in PRIVATE.items() if not is_ignored(name, now))]
