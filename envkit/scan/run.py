"""Scan for values and tokens: choose environments, read them, scan, and return one report.

    chosen = choose((), folder, environ=os.environ, deadline=deadline, has_reason=False)
    access.begin(chosen.prepared)
    report = scan(Request(Scope.STAGED, folder), chosen, read(chosen, deadline), os.environ)

Guarantees: values stay in the memory of this process. Nothing is changed. What could not be scanned
is in the report.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.git import find_repository
from envkit.checks.problem import listed
from envkit.errors import UsageError
from envkit.scan.content import Scanner
from envkit.scan.environments import files_of
from envkit.scan.errors import ScanError
from envkit.scan.found import Report, Result, Scope
from envkit.scan.git_objects import Git, GitError
from envkit.scan.history import scan_history
from envkit.scan.private_keys import private_keys_of
from envkit.scan.staged import scan_staged
from envkit.scan.tree import scan_tree
from envkit.scan.values import Owner, Skipped, wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envkit.scan.environments import Chosen, Read
    from envkit.scan.values import Wanted


class Request(NamedTuple):
    """What to scan.

    Attributes:
        scope: files, staged files or history.
        folder: the folder of profiles.
        names: files and folders, or commits and ranges.
    """

    scope: Scope
    folder: str
    names: tuple[str, ...] = ()


def scan(
    request: Request,
    chosen: Chosen,
    read: Sequence[Read],
    environ: Mapping[str, str],
    progress: Callable[[str, int, int], None],
) -> Report:
    """Scan for the values of environments and for tokens.

    Args:
        request: what to scan, in the repository of the working folder.
        chosen: the environments; `read` has their values.
        read: the environments as far as they could be read.
        environ: the process environment.
        progress: called with the activity, the amount done, and the total.

    Raises:
        UsageError: there is no such file, commit or repository.
        ScanError: git, or the list of a folder's files, cannot be read.
    """
    sought = wanted((one.values for one in read), private_keys_of(chosen.prepared))
    absent = {Owner(one.profile.name, name): Skipped.ABSENT for one in read for name in one.absent}
    failures = [failure for one in read for failure in one.failed]
    if chosen.explicit:  # a scan for nothing must not succeed
        failures += [failure for one in read if one.is_empty for failure in one.missing]
    notes = [*chosen.left_out, *chosen.notes]
    if not chosen.explicit:
        notes += [note for one in read for note in _unread(one)]
        failures = []
    result = _scanned(request, chosen, sought, environ, progress)
    return Report(
        request.scope,
        os.path.dirname(request.folder),
        tuple(sorted(set(result.findings), key=lambda one: (one.file, one.line, one))),
        (),
        sought.searched,
        {**sought.skipped, **absent},
        tuple(result.unread),
        tuple(failures),
        (*notes, *result.notes),
        result.contents,
    )


def _unread(read: Read) -> Iterator[str]:
    """Yield a note for each reason why values could not be read."""
    names: dict[str, list[str]] = {}
    for failure in read.failed:
        names.setdefault(failure.error.message, []).append(failure.name)
    for message, found in names.items():
        yield f"not searched for: {listed(found)} of {read.profile.name}: {message}"


def _scanned(
    request: Request,
    chosen: Chosen,
    sought: Wanted,
    environ: Mapping[str, str],
    progress: Callable[[str, int, int], None],
) -> Result:
    here = os.getcwd()
    repository = find_repository(here, environ)
    if repository is None and request.scope is not Scope.TREE:
        raise UsageError(
            "not in a git repository", hint="change to a folder of the repository and run it again"
        )
    scanner = Scanner(sought.texts)
    in_hook = request.scope is Scope.STAGED
    git = None if repository is None else Git(repository.root, environ, in_hook=in_hook)
    try:
        if git is not None and request.scope is Scope.STAGED:
            return scan_staged(scanner, git, progress)
        if git is not None and request.scope is Scope.HISTORY:
            return scan_history(scanner, git, request.names, progress)
        return scan_tree(
            scanner,
            repository,
            git,
            request.names,
            stores=files_of(chosen.prepared),
            progress=progress,
        )
    except GitError as error:
        raise ScanError(
            f"cannot scan {here}: {error}", hint="run 'git fsck' to see what is wrong"
        ) from None
