"""Find the files of a program in a folder, and the language of each.

In a git repository, files that git ignores are left out. Third-party code (`node_modules`,
`vendor`, a virtual environment) is always left out.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from envkit._internal.git import find_repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_THIRD_PARTY = frozenset(
    (
        "__pycache__",
        "bower_components",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "target",
        "third_party",
        "vendor",
        "venv",
    )
)
_TESTS = re.compile(
    r"(?:^|/)(?:e2e|fixtures|specs?|testdata|tests?|__tests__)/"
    r"|(?:^|/)(?:test_|conftest\.)[^/]*$|[._-](?:spec|test)s?\.\w+$",
    re.IGNORECASE,
)
# files that list variables without using them
_NO_USE = (
    ".env*",
    ".envkit-ignore",
    "*.lock",
    "*.md",
    "*.rst",
    "*.adoc",
    "*.txt",
    "*-lock.json",
    "*.min.js",
    "*.map",
)
_LANGUAGES = {
    ".py": "Python",
    ".js": "JavaScript",
    ".jsx": "JavaScript",
    ".mjs": "JavaScript",
    ".cjs": "JavaScript",
    ".ts": "TypeScript",
    ".mts": "TypeScript",
    ".cts": "TypeScript",
    ".tsx": "TSX",
    ".go": "Go",
    ".rb": "Ruby",
    ".rake": "Ruby",
    ".ru": "Ruby",
    ".gemspec": "Ruby",
    ".sh": "shell",
    ".bash": "shell",
}
_NAMED = {"Gemfile": "Ruby", "Rakefile": "Ruby", "Guardfile": "Ruby", "Capfile": "Ruby"}
_INTERPRETERS = re.compile(
    rb"#!\s*\S*?(?:env\s+(?:-\S+\s+)*)?(python|node|ruby|bash|dash|sh)[\d.]*\b"
)
_INTERPRETED = {b"python": "Python", b"node": "JavaScript", b"ruby": "Ruby"}


def own_files(folder: str, environ: Mapping[str, str]) -> list[str]:
    """Return the absolute paths of the source files, sorted.

    Args:
        folder: absolute path.
        environ: the process environment.
    """
    repository = find_repository(folder, environ)
    found = _walk(folder) if repository is None else repository.files(folder)
    top = folder if repository is None else os.path.realpath(folder)
    return sorted(path for path in found if _is_own(os.path.relpath(path, top)))


def _walk(folder: str) -> Iterator[str]:
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _is_own(name) and not _is_environment(path, name)]
        yield from (os.path.join(path, name) for name in names)


def _is_environment(path: str, name: str) -> bool:
    """Return whether a folder is a virtual environment of Python, whatever its name."""
    return os.path.exists(os.path.join(path, name, "pyvenv.cfg"))


def _is_own(relative: str) -> bool:
    *folders, name = relative.split(os.sep)
    return not any(
        part in _THIRD_PARTY or part in (".git", ".venv", ".tox") for part in (*folders, name)
    ) and not any(fnmatchcase(name, glob) for glob in _NO_USE)


def is_test(relative: str) -> bool:
    """Return whether a path is that of a test, by the conventions of any language."""
    return _TESTS.search(relative.replace(os.sep, "/")) is not None


def language_of(path: str, content: bytes) -> str:
    """Return the language of a file, by its name or its first line; empty if unknown."""
    name = os.path.basename(path)
    extension = os.path.splitext(name)[1]
    if extension or name in _NAMED:
        return _LANGUAGES.get(extension) or _NAMED.get(name, "")
    interpreter = _INTERPRETERS.match(content)
    return _INTERPRETED.get(interpreter[1], "shell") if interpreter else ""
