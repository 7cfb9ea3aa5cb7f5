"""Query git about the files around a profile. Changes nothing.

`find_repository` returns None if there is no repository, or git is not installed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TIMEOUT_SECONDS = 60
_LITERAL = "--literal-pathspecs"
# set in hooks, where they describe the commit in progress and not the folder in question
_OF_HOOKS = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE")

# a repository's settings may name programs, which no query here needs. A folder in the
# project may also look like a bare repository with its own settings
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
# no query needs a lock, or an object that git would have to fetch from a server
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


class Repository:
    """One working tree.

    Attributes:
        root: the absolute path, without symbolic links.
    """

    __slots__ = ("_environ", "root")

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self.root = root
        self._environ = environ

    def tracked(self, paths: Iterable[str]) -> set[str]:
        """Return the tracked paths among these absolute paths."""
        inside = self._inside(paths)
        if not inside:
            return set()
        found = _run(self.root, self._environ, _LITERAL, "ls-files", "-z", "--", *inside)
        return {inside[name] for name in _names(found) if name in inside}

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Return the ignored paths among these absolute paths, which may not exist."""
        inside = self._inside(paths)
        if not inside:
            return set()
        # check-ignore has no `--literal-pathspecs`; a leading dot disables pathspec magic
        listed = "\0".join(f"./{name}" for name in inside)
        found = _run(self.root, self._environ, "check-ignore", "-z", "--stdin", stdin=listed)
        return {inside[name[2:]] for name in _names(found) if name[2:] in inside}

    def ask(self, *arguments: str, stdin: str = "") -> str | None:
        """Return the output of a git command, run at the root; None if it fails."""
        return _run(self.root, self._environ, *arguments, stdin=stdin)

    def contains(self, path: str) -> bool:
        """Return whether an absolute path is below the root."""
        return bool(self._inside([path]))

    def files(self, folder: str) -> list[str]:
        """Return the absolute paths of the files in a folder that are not ignored."""
        below = os.path.relpath(os.path.realpath(folder), self.root)
        options = ("--cached", "--others", "--exclude-standard")
        found = _run(self.root, self._environ, _LITERAL, "ls-files", "-z", *options, "--", below)
        return [os.path.join(self.root, name) for name in dict.fromkeys(_names(found))]

    def _inside(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the paths below the root: path relative to the root -> path as given."""
        found = {}
        for path in paths:
            folder, name = os.path.split(path)
            relative = os.path.relpath(os.path.join(os.path.realpath(folder), name), self.root)
            if relative.split(os.sep, 1)[0] != os.pardir:
                found[relative] = path
        return found


def find_repository(folder: str, environ: Mapping[str, str]) -> Repository | None:
    """Return the repository around a folder."""
    root = _run(folder, environ, "rev-parse", "--show-toplevel")
    return Repository(root.removesuffix("\n"), environ) if root else None


def _names(listed: str | None) -> list[str]:
    return [name for name in (listed or "").split("\0") if name]


def git_command(
    folder: str, environ: Mapping[str, str], *arguments: str, in_hook: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Return a query of git as words, and the environment to run it in.

    Args:
        folder: where git runs.
        environ: the process environment.
        arguments: the command of git and its arguments.
        in_hook: whether to query the commit in progress, which a hook's environment describes.
    """
    kept = () if in_hook else _OF_HOOKS
    clean = {name: value for name, value in environ.items() if name not in kept}
    return ["git", *_HARMLESS, "-C", folder, *arguments], {**clean, **_QUIET}


def _run(folder: str, environ: Mapping[str, str], *arguments: str, stdin: str = "") -> str | None:
    """Return the output of a git command; None if it fails or git is not installed."""
    data = stdin.encode("utf-8", "surrogateescape")
    found = output_of(git_command(folder, environ, *arguments), data)
    return None if found is None else found.decode("utf-8", "surrogateescape")


def output_of(command: tuple[list[str], dict[str, str]], stdin: bytes = b"") -> bytes | None:
    """Return the output of a `git_command`; None if it fails or git is not installed."""
    import subprocess

    words, environ = command
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and no shell
            words,
            input=stdin,
            capture_output=True,
            env=environ,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
