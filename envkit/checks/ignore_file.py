"""The ignore file: differences and problems that a team has accepted, each with a reason.

    # .envkit-ignore, beside the profiles/ folder
    LOG_LEVEL                  # quieter in production
    SENTRY_* missing           # only deployed environments report
    METRICS_TOKEN reused       # one account, by the vendor's terms
    src/legacy/* dynamic-read  # a problem of `envkit check`, by its file
    tests/* leaked-token       # a finding of `envkit scan`, by its file, variable or fingerprint

A line has a glob, what it accepts for the matching variables, and the reason. By default it
accepts `missing` and `different`; to accept a reused secret or an unreadable store, name that
status. `envkit diff` matches a line by status, `envkit check` and `envkit scan` by code.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import NamedTuple

from envkit._internal.files import read_capped, read_in_project
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit._internal.suggestions import did_you_mean
from envkit.checks.problem import KINDS
from envkit.comparison.model import (
    DIFFERENCES,
    DiffStatus,
    Entry,
    EnvDiff,
    FindingKind,
    gravest_first,
)
from envkit.errors import ProfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.checks.problem import Problem

NAME = ".envkit-ignore"
MAX_BYTES = 1024 * 1024
_DEFAULT = (DiffStatus.MISSING, DiffStatus.DIFFERENT)
SCAN_CODES = ("leaked-value", "leaked-token")
_KNOWN = tuple(dict.fromkeys((*DIFFERENCES, *KINDS, *SCAN_CODES)))


class Rule(NamedTuple):
    """One line: the variables, what it accepts about them, the reason, and its place."""

    glob: str
    statuses: tuple[str, ...]
    reason: str
    location: str

    def accepts(self, entry: Entry) -> bool:
        """Return whether the line accepts this difference, or a part of it."""
        some = not set(self.statuses).isdisjoint(entry.statuses)
        return some and fnmatchcase(entry.name, self.glob)

    def accepts_problem(self, problem: Problem, root: str) -> bool:
        """Return whether the line accepts this problem, by its variables or by its file.

        Args:
            problem: a problem of `envkit check`.
            root: the folder to which the problem's path is made relative.
        """
        names = problem.variables or (os.path.relpath(problem.file or root, root),)
        return problem.code in self.statuses and all(fnmatchcase(n, self.glob) for n in names)

    def accepts_any(self, code: str, names: Sequence[str]) -> bool:
        """Return whether the line accepts what has this code, by one of its names."""
        return code in self.statuses and any(fnmatchcase(name, self.glob) for name in names)


class Accepted(NamedTuple):
    """The result of `accept`.

    Attributes:
        diff: without the accepted differences. If a variable is reused here and missing there, one
            may be accepted and the other stay.
        ignored: the accepted differences, each with the line that accepts it.
        idle: the lines that accept nothing.
    """

    diff: EnvDiff
    ignored: tuple[tuple[Entry, Rule], ...] = ()
    idle: tuple[Rule, ...] = ()


def load_rules(path: str, project: str | None = None) -> list[Rule]:
    """Read an ignore file.

    Args:
        path: the file.
        project: the project's folder, if the file is the project's own; None if the user named it.

    Raises:
        ProfileError: the file or a line of it cannot be read; the error names file and line.
        UntrustedError: it is a link out of the project that the user has not allowed.
    """
    shown = display_path(path)
    try:
        if project is None:
            data = read_capped(path, MAX_BYTES)
        else:
            data, _ = read_in_project(path, project, MAX_BYTES)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProfileError(f"{shown}: not UTF-8", hint="save the file as UTF-8") from None
    except OSError as error:
        reason = reason_of(error)
        raise ProfileError(f"cannot read {shown}: {reason}") from None
    lines = enumerate(text.splitlines(), start=1)
    return [_rule(line, f"{shown}:{number}") for number, line in lines if _means_something(line)]


def project_rules(root: str) -> list[Rule]:
    """Read the ignore file of a project; it may have none.

    Args:
        root: the folder that contains `profiles/`.

    Raises:
        ProfileError: the file or a line of it cannot be read.
        UntrustedError: it is a link out of the project that the user has not allowed.
    """
    path = os.path.join(root, NAME)
    return load_rules(path, root) if os.path.lexists(path) else []


def _means_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _rule(line: str, place: str) -> Rule:
    what, _, reason = line.partition("#")
    glob, *words = what.split()
    statuses = [status for word in words for status in word.split(",") if status]
    for status in statuses:
        if status not in _KNOWN:
            raise ProfileError(
                f"{place}: '{status}' cannot be ignored",
                hint=did_you_mean(status, _KNOWN),
            )
    if not reason.strip():
        raise ProfileError(
            f"{place}: {glob} is ignored without a reason", hint="write the reason after '#'"
        )
    return Rule(glob, tuple(statuses) or _DEFAULT, reason.strip(), place)


def accept(diff: EnvDiff, rules: Sequence[Rule]) -> Accepted:
    """Remove the accepted differences from a diff. Pure."""
    remaining: list[Entry] = []
    ignored: list[tuple[Entry, Rule]] = []
    for entry in diff.entries:
        left = []
        accepting: list[Rule] = []
        for status in entry.statuses:
            one = entry._replace(status=status, also=())
            rule = next((rule for rule in rules if rule.accepts(one)), None)
            if rule is None:
                left.append(status)
            elif rule not in accepting:
                accepting.append(rule)
                ignored.append((one, rule))
        if left:
            remaining.append(_only(entry, left))
    ours = (rule for rule in rules if not set(rule.statuses).isdisjoint(DIFFERENCES))
    idle = tuple(rule for rule in ours if not any(map(rule.accepts, diff.entries)))
    return Accepted(diff._replace(entries=gravest_first(remaining)), tuple(ignored), idle)


def _only(entry: Entry, statuses: Sequence[DiffStatus]) -> Entry:
    """Return an entry with fewer statuses, and without the findings of the removed ones."""
    findings = (
        f for f in entry.findings if f.kind != FindingKind.REUSED or DiffStatus.REUSED in statuses
    )
    status, *also = statuses
    return entry._replace(status=status, also=tuple(also), findings=tuple(findings))


def accept_problems(
    problems: Sequence[Problem], rules: Sequence[Rule], root: str
) -> tuple[list[Problem], list[tuple[Problem, Rule]]]:
    """Return the remaining problems, and the accepted ones with their lines. Pure.

    Args:
        problems: the problems of `envkit check`.
        rules: the lines of the ignore file.
        root: the folder that contains `profiles/`; paths of files are relative to it.
    """
    remaining: list[Problem] = []
    ignored: list[tuple[Problem, Rule]] = []
    for problem in problems:
        rule = next((rule for rule in rules if rule.accepts_problem(problem, root)), None)
        if rule is None:
            remaining.append(problem)
        else:
            ignored.append((problem, rule))
    return remaining, ignored
