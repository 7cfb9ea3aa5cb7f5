"""Scan the files that git would commit: tracked and untracked files that are not ignored.

Files outside a repository, and ignored files that the user names, are scanned too. Symbolic links
are not followed; git stores the path that they contain, so that is what is scanned.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.errors import UsageError
from envkit.scan.content import PIECE_BYTES
from envkit.scan.errors import ScanError
from envkit.scan.found import Finding, Result, Unread, findings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from envkit._internal.git import Repository
    from envkit.scan.content import Scanner
    from envkit.scan.git_objects import Git

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_EVERY = 100  # files between two reports of progress


class _Listed(NamedTuple):
    """The files to scan, and the repositories below them, which are not entered."""

    files: list[str]
    nested: list[str]


def scan_tree(
    scanner: Scanner,
    repository: Repository | None,
    git: Git | None,
    paths: Sequence[str],
    *,
    stores: Collection[str],
    progress: Callable[[str, int, int], None],
) -> Result:
    """Scan files.

    Args:
        scanner: what to search for.
        repository: the repository of the working folder, with `git` for its queries; or None.
        git: queries of that repository.
        paths: files and folders; default: the whole repository, or the working folder.
        stores: the real paths of the files from which the values were read. They are scanned only
            if git would commit them.
        progress: called with the activity, the amount done, and the total.

    Raises:
        UsageError: a path does not exist.
        ScanError: a folder cannot be listed.
        GitError: git cannot list the files.
    """
    listed = _Listed([], [])
    for path in paths or [repository.root if repository else os.getcwd()]:
        if not os.path.lexists(path):
            raise UsageError(f"no file or folder {path}", hint="name what to scan: envkit scan src")
        _list(os.path.abspath(path), repository, git, stores, listed)
    files = list(dict.fromkeys(listed.files))
    findings: list[Finding] = []
    unread: list[Unread] = []
    pointers = count = 0
    for number, file in enumerate(files):
        if number % _EVERY == 0:
            progress("scanning files", number, len(files))
        try:
            scanned = scanner.scan(_content(file))
        except FileNotFoundError:
            continue  # deleted in the working tree
        except OSError as error:
            unread.append(Unread(display_path(file), reason_of(error)))
            continue
        count += 1
        pointers += scanned.is_pointer
        for occurrence in scanned.occurrences:
            findings += findings_of(occurrence, file)
    notes = left_out(listed.nested, pointers)
    if repository is None and not paths:
        notes.append("not in a git repository: all files in this folder were scanned")
    return Result(findings, unread, notes, count)


def left_out(nested: Sequence[str], pointers: int) -> list[str]:
    """Return the notes on submodules and on contents that Git LFS stores elsewhere."""
    notes = []
    if nested:
        names = ", ".join(sorted(map(display_path, nested)))
        notes.append(f"not scanned: the repositories inside this one: {names}")
    if pointers:
        files = "the content of 1 file" if pointers == 1 else f"the contents of {pointers} files"
        notes.append(f"not scanned: {files} in Git LFS")
    return notes


def _list(
    path: str,
    repository: Repository | None,
    git: Git | None,
    stores: Collection[str],
    listed: _Listed,
) -> None:
    folder, name = os.path.split(path)
    real = os.path.join(os.path.realpath(folder), name)
    found = []
    if repository is not None and git is not None and repository.contains(path):
        below = os.path.relpath(real, repository.root)
        options = ("--cached", "--others", "--exclude-standard")
        names = git.fields("--literal-pathspecs", "ls-files", "-z", *options, "--", below)
        found = [os.path.join(repository.root, os.fsdecode(name).rstrip("/")) for name in names]
    if found == [real] and os.path.isdir(real):
        found = []
    # git lists no file of an ignored folder or a repository in this one, which the user has named
    for file in found or _walked(real, stores):
        is_folder = os.path.isdir(file) and not os.path.islink(file)
        (listed.nested if is_folder else listed.files).append(file)


def _walked(path: str, stores: Collection[str]) -> Iterator[str]:
    """Yield a file, or the files in a folder without the stores."""
    if os.path.islink(path) or not os.path.isdir(path):
        yield path
        return

    def fail(error: OSError) -> None:
        where = display_path(str(error.filename))
        raise ScanError(f"cannot list {where}: {reason_of(error)}", hint=f"run: ls -la {where}")

    for folder, folders, files in os.walk(path, onerror=fail):
        if ".git" in folders:
            folders.remove(".git")
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted({*files, *links} - {".git"}):
            file = os.path.join(folder, name)
            if os.path.realpath(file) not in stores and stat.S_IFMT(os.lstat(file).st_mode) in (
                stat.S_IFREG,
                stat.S_IFLNK,
            ):
                yield file


def _content(file: str) -> Iterator[bytes]:
    """Yield the content of a regular file, or the path in a link."""
    try:
        descriptor = os.open(file, _OPEN)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        yield os.fsencode(os.readlink(file))
        return
    with open(descriptor, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", file)
        while piece := stream.read(PIECE_BYTES):
            yield piece
