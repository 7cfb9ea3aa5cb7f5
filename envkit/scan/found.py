"""What a scan finds, and its report. It contains no value and no digest of one."""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.checks.ignore_file import Rule
    from envkit.errors import VariableFailure
    from envkit.scan.content import Occurrence
    from envkit.scan.values import Owner, Skipped


class FindingCode(StrEnum):
    """The kinds of findings, which an ignore file can name."""

    VALUE = "leaked-value"
    TOKEN = "leaked-token"  # noqa: S105 - a code


class Scope(StrEnum):
    """What is scanned."""

    TREE = "tree"
    STAGED = "staged"
    HISTORY = "history"


class Finding(NamedTuple):
    """A value or a token in a file.

    Attributes:
        code: whether it is a value of the project or a token.
        file: absolute path; empty if it is in the message of a commit or tag.
        line: from 1.
        what: the form of a value, or the kind of a token: `base64`, `a GitHub token`.
        variable: the variable whose value it is; empty for a token.
        environments: the environments in which the variable has the value.
        commit: the commit that added it; empty if git has no commit of it.
    """

    code: FindingCode
    file: str
    line: int
    what: str
    variable: str = ""
    environments: tuple[str, ...] = ()
    commit: str = ""

    def fingerprint(self, root: str) -> str:
        """Return a name of the finding that stays when lines move and values change.

        It is a digest of names only, so that it says nothing about the value.

        Args:
            root: the folder to which the path is made relative.
        """
        parts = (self.code, self.relative(root), self.variable or self.what)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def relative(self, root: str) -> str:
        """Return its path relative to a folder; empty if it has none."""
        return os.path.relpath(self.file, root) if self.file else ""


def findings_of(occurrence: Occurrence, file: str, commit: str = "") -> Iterator[Finding]:
    """Yield the findings for something in a content: one for each variable with the value."""
    line, label = occurrence
    if isinstance(label, str):
        yield Finding(FindingCode.TOKEN, file, line, label, commit=commit)
        return
    environments: dict[str, list[str]] = {}
    for environment, variable in label.owners:
        environments.setdefault(variable, []).append(environment)
    for variable, names in environments.items():
        yield Finding(
            FindingCode.VALUE, file, line, label.form, variable, tuple(names), commit=commit
        )


class Unread(NamedTuple):
    """A file or an object of git that could not be scanned, and why."""

    name: str
    reason: str


class Result(NamedTuple):
    """What one kind of scan found: see `Report`."""

    findings: Sequence[Finding] = ()
    unread: Sequence[Unread] = ()
    notes: Sequence[str] = ()
    contents: int = 0


class Report(NamedTuple):
    """The result of a scan.

    Attributes:
        scope: what was scanned.
        root: the folder that contains `profiles/`.
        findings: sorted by place.
        ignored: the findings that the ignore file accepts, each with its rule.
        searched: the variables whose values were searched for.
        skipped: the others -> why not.
        unread: what could not be scanned.
        failures: the values of the given environments that could not be read.
        notes: what was left out on purpose, in sentences.
        contents: the number of files, or of objects of git, that were scanned.
    """

    scope: Scope
    root: str
    findings: tuple[Finding, ...]
    ignored: tuple[tuple[Finding, Rule], ...]
    searched: tuple[Owner, ...]
    skipped: Mapping[Owner, Skipped]
    unread: tuple[Unread, ...]
    failures: tuple[VariableFailure, ...]
    notes: tuple[str, ...]
    contents: int

    def accepting(self, rules: Sequence[Rule]) -> Report:
        """Return the report without the findings that a rule accepts."""
        remaining = []
        ignored = []
        for finding in self.findings:
            names = [finding.variable, finding.relative(self.root), finding.fingerprint(self.root)]
            given = [name for name in names if name]
            rule = next((one for one in rules if one.accepts_any(finding.code, given)), None)
            if rule is None:
                remaining.append(finding)
            else:
                ignored.append((finding, rule))
        return self._replace(findings=tuple(remaining), ignored=tuple(ignored))

    @property
    def exit_status(self) -> int:
        """1 for findings; otherwise 4, 5 or 6 if the scan was incomplete, and 0 if it was not."""
        if self.findings:
            return 1
        statuses: Sequence[int] = [failure.error.exit_status for failure in self.failures]
        return max((*statuses, 6 if self.unread else 0))
