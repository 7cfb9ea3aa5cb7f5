"""Find the `profiles/` folder and the files in it.

envkit searches the working directory, then each parent directory. It skips a folder of that
name without a profile (a Python package, dbt). It refuses a folder that it found in a parent
directory if another user owns it: the author of a profile decides which program
gets which secret.
"""

from __future__ import annotations

import os

from envkit._internal.files import narrow_project
from envkit._internal.paths import display_path
from envkit.errors import ProfileError, ProfileNotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FOLDER = "profiles"
FORMS = (".toml", ".env")

# files of other programs that a folder named `profiles` may contain
_OF_OTHER_TOOLS = ("pyproject", "Cargo", "ruff", "Pipfile", "netlify", "fly")
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def profiles_folder(explicit: str | None, environ: Mapping[str, str]) -> str:
    """Return the absolute path of the folder of profiles.

    Args:
        explicit: the value of `--profiles`; default: $ENVKIT_PROFILES, then an upward search.
        environ: the process environment.

    Raises:
        ProfileNotFoundError: there is no such folder.
        ProfileError: another user owns the folder found in a parent directory.
    """
    named = environ.get("ENVKIT_PROFILES") or None if explicit is None else explicit
    if named is not None:  # empty: an unset variable in the option, not a search
        if not os.path.isdir(named):
            raise ProfileNotFoundError(
                f"no folder {named or repr('')}", hint="name an existing folder with --profiles"
            )
        return _bounded(os.path.abspath(named))
    start = folder = _working_folder()
    empty = ""
    while True:
        candidate = os.path.join(folder, FOLDER)
        if os.path.isdir(candidate):
            if _has_profiles(candidate):
                if folder != start:
                    _refuse_strangers(candidate)
                return _bounded(candidate)
            empty = empty or candidate
        parent = os.path.dirname(folder)
        if parent == folder:
            if os.path.isdir(empty):
                if os.path.dirname(empty) != start:
                    _refuse_strangers(empty)
                return _bounded(empty)
            raise ProfileNotFoundError(
                f"no {FOLDER}/ folder in {display_path(start)} or above it",
                hint="run 'envkit init' to create one, or name one with --profiles",
            )
        folder = parent


def folders_above(folder: str) -> Iterator[str]:
    """Yield all folders of profiles in a folder and above it, but not those of another user."""
    while True:
        candidate = os.path.join(folder, FOLDER)
        if os.path.isdir(candidate) and _has_profiles(candidate):
            try:
                _refuse_strangers(candidate)
            except ProfileError:
                pass
            else:
                yield candidate
        if folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


def _has_profiles(folder: str) -> bool:
    """Return whether a folder may contain profiles: it has one, or cannot be listed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return True
    stems = (os.path.splitext(name)[0] for name in names if name.endswith(FORMS))
    return any(stem not in _OF_OTHER_TOOLS and is_profile_name(stem) for stem in stems)


def _bounded(folder: str) -> str:
    """Return a folder of profiles after limiting the project to what belongs to it.

    The project is the folder that contains `profiles/`. There are two exceptions: if the folder of
    profiles is itself a clone, nothing around it is part of the project; and the file system root
    is never a project. (A submodule has a file `.git` and is part of its parent project.)
    """
    root = os.path.dirname(folder)
    if root == "/" or os.path.isdir(os.path.join(folder, ".git")):
        narrow_project(root, folder)
    return folder


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        raise ProfileNotFoundError(
            "the working folder no longer exists", hint="change to another folder"
        ) from None


def _refuse_strangers(candidate: str) -> None:
    owner = os.stat(candidate).st_uid
    if owner not in (os.geteuid(), 0):
        raise ProfileError(
            f"{candidate} belongs to another user",
            hint=f"if you trust it, run again with --profiles {candidate}",
        )


def profile_names(folder: str) -> list[str]:
    """Return the names of all profiles in a folder, sorted.

    Raises:
        ProfileError: the folder cannot be read.
    """
    try:
        entries = os.listdir(folder)
    except OSError as error:
        from envkit._internal.os_errors import reason_of

        reason = reason_of(error, "unreadable")
        raise ProfileError(f"cannot read {display_path(folder)}: {reason}") from None
    stems = (os.path.splitext(entry)[0] for entry in entries if entry.endswith(FORMS))
    return sorted({stem for stem in stems if is_profile_name(stem)})


def is_profile_name(name: str) -> bool:
    """Return whether `name` is valid for a profile: letters, digits, `-`, `_`, inner dots."""
    return bool(name) and name[0] not in ".-" and _NAME.issuperset(name)


def profile_path(folder: str, name: str) -> str | None:
    """Return the path of the file of a profile; None if it does not exist.

    Raises:
        ProfileError: the profile exists in both forms, or its path is not a file.
    """
    if not is_profile_name(name):
        return None
    candidates = [os.path.join(folder, name + form) for form in FORMS]
    paths = [path for path in candidates if os.path.isfile(path)]
    if len(paths) > 1:
        raise ProfileError(
            f"profile '{name}' has two files: {' and '.join(map(display_path, paths))}",
            hint="remove one of the two files",
        )
    if not paths:
        for path in filter(os.path.lexists, candidates):
            reason = "is not a file" if os.path.exists(path) else "is a dangling link"
            raise ProfileError(f"{display_path(path)} {reason}")
    return paths[0] if paths else None


def unknown_profile(
    folder: str, name: str, names: Sequence[str], aliases: Iterable[str] = ()
) -> ProfileNotFoundError:
    """Return the error for an unknown profile, with the list of known names."""
    known = f"known: {', '.join(names)}" if names else "the folder has no profiles"
    stem = os.path.splitext(os.path.basename(name))[0]  # accept `profiles/prod.toml` as well
    longer_or_shorter = (n for n in names if stem and (n.startswith(stem) or stem.startswith(n)))
    from envkit._internal.suggestions import Meant, closest

    match = closest(name, [*names, *aliases]) or next(longer_or_shorter, None)
    hint: str | None = Meant(name, match) if match else None
    several = name.replace(",", " ").split()
    if len(several) > 1 and {*names, *aliases}.issuperset(several):
        hint = f"name one profile at a time: {' and '.join(map(repr, several))}"
    if not names:
        hint = "run 'envkit init' to create one, or name another folder with --profiles"
    return ProfileNotFoundError(
        f"no profile '{name}' in {display_path(folder)} ({known})", hint=hint
    )
