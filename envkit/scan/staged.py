"""Scan what the next commit would add: the staged files that differ from HEAD."""

from __future__ import annotations

import os

from envkit.scan.found import Finding, Result, Unread, findings_of
from envkit.scan.tree import left_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.scan.content import Scanner
    from envkit.scan.git_objects import Git

_SUBMODULE = b"160000"
_EVERY = 100  # files between two reports of progress


def scan_staged(scanner: Scanner, git: Git, progress: Callable[[str, int, int], None]) -> Result:
    """Scan the staged files, each as a whole.

    Args:
        scanner: what to search for.
        git: queries of the repository, in the hook that runs this if there is one.
        progress: called with the activity, the amount done, and the total.

    Raises:
        GitError: a query failed.
    """
    files: dict[bytes, list[str]] = {}  # by the name of the content
    nested = []
    fields = git.fields(
        *("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev"),
        *("--diff-filter=du", "--ignore-submodules=none", _base(git), "--"),
    )
    for change, path in zip(fields, fields, strict=True):
        _, mode, _, name, _ = change.split(b" ")
        file = os.path.join(git.root, os.fsdecode(path))
        if mode == _SUBMODULE:
            nested.append(file)
        else:
            files.setdefault(name, []).append(file)
    findings: list[Finding] = []
    unread: list[Unread] = []
    pointers = 0
    for number, (content, pieces) in enumerate(git.contents(list(files))):
        if number % _EVERY == 0:
            progress("scanning staged files", number, len(files))
        if content.type == b"missing":
            unread += [Unread(file, "missing or damaged") for file in files[content.name]]
            continue
        scanned = scanner.scan(pieces)
        pointers += scanned.is_pointer
        for file in files[content.name]:
            for occurrence in scanned.occurrences:
                findings += findings_of(occurrence, file)
    return Result(findings, unread, left_out(nested, pointers), len(files))


def _base(git: Git) -> str:
    """Return what to compare the index with: HEAD, or an empty tree before the first commit."""
    if git.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        return "HEAD"
    return git.output("hash-object", "-t", "tree", "--stdin").decode().strip()
