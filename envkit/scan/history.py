"""Scan the history of a repository: each content once, and the messages of commits and tags.

By default, it is the history of every branch, tag, stash and remote branch. Commits that none of
them reaches, such as those of a deleted branch, are not scanned: name a commit or range for them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit.errors import UsageError
from envkit.scan.found import Finding, Result, Unread, findings_of
from envkit.scan.tree import left_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from envkit.scan.content import Occurrence, Scanned, Scanner
    from envkit.scan.git_objects import Git, GitObject
    from envkit.scan.values import Label

_EVERY = 500  # objects between two reports of progress
_TREE, _MISSING, _BLOB = b"tree", b"missing", b"blob"


class _Change(NamedTuple):
    """A path that a commit adds or changes: its new content and those in the commit's parents."""

    commit: str
    path: bytes
    new: bytes
    old: Sequence[bytes]


def scan_history(
    scanner: Scanner,
    git: Git,
    revisions: Sequence[str],
    progress: Callable[[str, int, int], None],
) -> Result:
    """Scan commits.

    Args:
        scanner: what to search for.
        git: queries of the repository.
        revisions: commits, branches or ranges such as `main..HEAD`; default: everything.
        progress: called with the activity, the amount done, and the total.

    Raises:
        UsageError: git does not know a revision.
        GitError: a query failed.
    """
    selected = _selected(git, revisions)
    progress("listing the history", 0, 0)
    paths, missing = _objects(git, selected)
    known = [one for one in git.objects(paths) if one.type != _TREE]
    missing += sum(one.type == _MISSING for one in known)
    there = [one for one in known if one.type != _MISSING]
    found: dict[bytes, tuple[Occurrence, ...]] = {}
    findings: list[Finding] = []
    pointers = 0
    for number, (content, scanned) in enumerate(_scanned(scanner, git, there)):
        if number % _EVERY == 0:
            progress("scanning the history", number, len(there))
        pointers += scanned.is_pointer
        if not scanned.occurrences:
            continue
        if content.type == _BLOB:
            found[content.name] = scanned.occurrences
        else:
            for occurrence in scanned.occurrences:
                findings += findings_of(occurrence, "", content.name.decode())
    if found:
        progress("finding the commits", 0, 0)
        findings += _placed(found, paths, _changes(git, selected), git.root)
    objects = "1 object" if missing == 1 else f"{missing} objects"
    unread = [Unread(f"{objects} of the history", "missing or damaged")] if missing else []
    return Result(findings, unread, [*_notes(git, there), *left_out((), pointers)], len(there))


def _selected(git: Git, revisions: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments of `git rev-list` for revisions."""
    for revision in revisions:
        known = not revision.startswith("-") and git.succeeds(
            "rev-list", "--max-count=1", "--end-of-options", revision, "--"
        )
        if not known:
            raise UsageError(
                f"git does not know the commit or range '{revision}'",
                hint="name a commit, a branch or a range, such as main..HEAD",
            )
    return ("--end-of-options", *revisions, "--") if revisions else ("--all", "--")


def _objects(git: Git, selected: Sequence[str]) -> tuple[dict[bytes, bytes], int]:
    """Return the names of all objects, each with a path or nothing, and the number of missing."""
    found: dict[bytes, bytes] = {}
    missing = 0
    for line in git.output("rev-list", "--objects", "--missing=print", *selected).split(b"\n"):
        name, _, path = line.partition(b" ")
        if name.startswith(b"?"):
            missing += 1
        elif name:
            found[name] = path
    return found, missing


def _scanned(
    scanner: Scanner, git: Git, objects: Sequence[GitObject]
) -> Iterator[tuple[GitObject, Scanned]]:
    for content, pieces in git.contents([one.name for one in objects]):
        if content.type == _BLOB:
            yield content, scanner.scan(pieces)
        else:  # only the message, which follows the first empty line
            yield content, scanner.scan([b"".join(pieces).partition(b"\n\n")[2]])


def _placed(
    found: Mapping[bytes, Sequence[Occurrence]],
    paths: Mapping[bytes, bytes],
    changes: Iterable[_Change],
    root: str,
) -> Iterator[Finding]:
    """Yield the findings in contents, at the commits that added them.

    A commit adds a value to a file if none of its parents has the value there. If no such commit
    is in the range, the first one that has the value counts.
    """
    added: set[tuple[bytes, Label | str]] = set()
    present: dict[tuple[bytes, Label | str], tuple[Occurrence, str]] = {}
    seen = set()
    for change in changes:
        if change.new not in found:
            continue
        seen.add(change.new)
        before = {one.label for old in change.old for one in found.get(old, ())}
        for occurrence in found[change.new]:
            key = (change.path, occurrence.label)
            present.setdefault(key, (occurrence, change.commit))
            if occurrence.label not in before:
                added.add(key)
                yield from findings_of(occurrence, _file(root, change.path), change.commit)
    for key, (occurrence, commit) in present.items():
        if key not in added:
            yield from findings_of(occurrence, _file(root, key[0]), commit)
    for name, occurrences in found.items():
        for occurrence in occurrences if name not in seen else ():
            yield from findings_of(occurrence, _file(root, paths[name]))


def _file(root: str, path: bytes) -> str:
    return os.path.join(root, os.fsdecode(path))


def _changes(git: Git, selected: Sequence[str]) -> Iterator[_Change]:
    """Yield what each commit adds or changes, the oldest commit first."""
    commits = git.output("rev-list", "--reverse", *selected).split()
    fields = git.fields(
        *("diff-tree", "--stdin", "-r", "-c", "--root", "--raw", "-z"),
        *("--no-renames", "--no-abbrev"),
        stdin=commits,
    )
    commit = ""
    for field in fields:
        if not field.startswith(b":"):
            commit = field.decode()
            continue
        parents = len(field) - len(field.lstrip(b":"))
        names = field.split(b" ")[parents + 1 :]
        yield _Change(commit, next(fields), names[parents], names[:parents])


def _notes(git: Git, objects: Sequence[GitObject]) -> Iterator[str]:
    if not objects:
        yield "there are no commits to scan"
    if git.output("rev-parse", "--is-shallow-repository").strip() == b"true":
        yield "not scanned: the older commits, which a shallow clone does not have"
