"""Find the variables that a program reads in all files of its folders.

    code = scan(["/srv/shop/src"], names={"PORT"}, environ=os.environ)

No code is run. Variables that the program sets itself are left out.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from envkit._internal.files import read_capped
from envkit.code import go, javascript, python, ruby, shell
from envkit.code.files import is_test, language_of, own_files
from envkit.code.found import Found, UnreadableError
from envkit.errors import ExtraMissingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from envkit.code.found import Read

MAX_BYTES = 2 * 1024 * 1024  # more than a person writes in one file
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_FINDERS: dict[str, Callable[[bytes], Found]] = {
    "Python": python.find,
    "JavaScript": javascript.find,
    "TypeScript": lambda source: javascript.find(source, "TypeScript"),
    "TSX": lambda source: javascript.find(source, "TSX"),
    "Go": go.find,
    "Ruby": ruby.find,
    "shell": shell.find,
}


class Use(NamedTuple):
    """One read of a variable, and the absolute path of the file that contains it."""

    file: str
    read: Read


class Code(NamedTuple):
    """The result of a scan.

    Attributes:
        uses: the reads of the program itself, not those of its tests.
        mentioned: which of the given names appear anywhere, as words, in capitals or not.
        unreadable: files that are not in the language that their names suggest.
        files: the number of files in a supported language.
        unparsed: the files whose parser is not installed, by the error that says so.
    """

    uses: tuple[Use, ...]
    mentioned: frozenset[str]
    unreadable: tuple[str, ...]
    files: int
    unparsed: tuple[tuple[ExtraMissingError, tuple[str, ...]], ...] = ()


def scan(
    folders: Sequence[str],
    *,
    names: Collection[str],
    environ: Mapping[str, str],
    without: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Code:
    """Read a program's files.

    Args:
        folders: absolute paths.
        names: the variables to look for in any text.
        environ: the process environment.
        without: absolute path of a folder to leave out.
        progress: called with the number of files read so far, and the total.

    """
    excluded = os.path.realpath(without) + os.sep if without else "\0"
    paths = {
        path: is_test(os.path.relpath(path, os.path.realpath(folder)))
        for folder in folders
        for path in own_files(folder, environ)
        if not os.path.realpath(path).startswith(excluded)
    }
    by_language: dict[str, list[tuple[str, Found]]] = {}
    mentioned: set[str] = set()
    unreadable = []
    unparsed: dict[str, tuple[ExtraMissingError, list[str]]] = {}
    for number, (path, test) in enumerate(paths.items()):
        if progress is not None:
            progress(number, len(paths))
        content = _content(path)
        mentioned.update(_mentioned(content, names))
        language = language_of(path, content)
        if language and not test:
            try:
                found = _FINDERS[language](content)
            except UnreadableError:
                unreadable.append(path)
                continue
            except ExtraMissingError as error:  # only for this language
                unparsed.setdefault(language, (error, []))[1].append(path)
                continue
            by_language.setdefault(language, []).append((path, found))
    uses: list[Use] = []
    for files in by_language.values():
        given = {name for _, found in files for name in found.given}
        uses += (
            Use(p, read) for p, found in files for read in found.reads if read.name not in given
        )
    uses.sort(key=lambda use: (use.file, use.read.line))
    count = sum(map(len, by_language.values())) + sum(len(paths) for _, paths in unparsed.values())
    missing = tuple((error, tuple(files)) for error, files in unparsed.values())
    return Code(tuple(uses), frozenset(mentioned), tuple(unreadable), count, missing)


def _content(path: str) -> bytes:
    """Return the content of a file; empty if it is binary, generated or missing."""
    try:
        content = read_capped(path, MAX_BYTES)
    except OSError:  # git also lists deleted files and submodules
        return b""
    return b"" if b"\0" in content[:8192] else content


def _mentioned(content: bytes, names: Collection[str]) -> set[str]:
    words = {word.upper() for word in _WORD.findall(content)}
    return {name for name in names if name.upper().encode() in words}
