"""The result of a comparison: plain data without secrets.

Programs import these types from `envkit.env_diff`, which says what fingerprints are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

FINGERPRINT_DIGITS = 8


class DiffStatus(StrEnum):
    """How a variable differs, the most severe first."""

    REUSED = "reused"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    DIFFERENT = "different"
    SAME = "same"


# statuses that a team may accept, and that may make a command fail
DIFFERENCES = tuple(status for status in DiffStatus if status is not DiffStatus.SAME)


class CellState(StrEnum):
    """What is known about a variable in one environment.

    Attributes:
        PLACEHOLDER: used if profiles are compared without their values.
        ABSENT: a profile declares it and no store has it.
    """

    VALUE = "value"
    PLACEHOLDER = "placeholder"
    ABSENT = "absent"
    UNDECLARED = "undeclared"
    UNREADABLE = "unreadable"


class FindingKind(StrEnum):
    """The subject of a finding.

    Attributes:
        REUSED: the same secret is in all `places`.
        PART: the values differ in the part `subject` of a URL or JSON document.
        ITEM: not every list has the item `subject`.
        WHITE_SPACE: the values differ only in leading or trailing whitespace.
        TYPE: one value looks like a number, another like text.
        ORIGIN: the same value was read in different ways.
        LITERAL: read from a store in one environment, written into the profile of another.
        RULE: the profiles have different rules; `subject` is the key of the rule.
    """

    REUSED = "reused"
    PART = "part"
    ITEM = "item"
    WHITE_SPACE = "white-space"
    TYPE = "type"
    ORIGIN = "origin"
    LITERAL = "literal"
    RULE = "rule"


class Cell(NamedTuple):
    """One variable in one environment, as far as it may be shown.

    Attributes:
        state: whether there is a value to show, and if not, why.
        shown: the literal, or the placeholders; None if nothing may be shown.
        secret: whether the variable is secret, here or in another environment.
        length: the class of its length in characters, `8-15`.
        fingerprint: for a secret; equal values have equal fingerprints within one diff.
        origins: where the value was read; empty for a literal.
        location: the line of the profile that sets it, `profiles/prod.toml:12`.
        reason: why there is no value.
        code: the code of the error, if the variable is unreadable.
    """

    state: CellState
    shown: str | None = None
    secret: bool = False
    length: str = ""
    fingerprint: str = ""
    origins: tuple[str, ...] = ()
    location: str = ""
    reason: str = ""
    code: str = ""


class Place(NamedTuple):
    """One of the places that contain the same secret.

    Attributes:
        environment: its label.
        name: the variable.
        part: `password` of a URL, `/db/token` of a JSON document; empty for the whole value.
    """

    environment: str
    name: str
    part: str = ""


class Finding(NamedTuple):
    """A remark about one variable.

    Attributes:
        kind: the subject of the finding; see `FindingKind`.
        subject: which part or rule; empty if the kind says it all.
        shown: per environment, the text that may be shown; empty if none may be shown.
        places: for `reused`.
        dangerous: whether the user should act on it.
    """

    kind: FindingKind
    subject: str = ""
    shown: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    dangerous: bool = False


class Entry(NamedTuple):
    """One variable across all environments.

    Attributes:
        name: the variable.
        status: the most severe of its statuses.
        cells: one for each environment.
        findings: remarks about it.
        also: its other statuses: a value that two environments share may be missing in a third.
    """

    name: str
    status: DiffStatus
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...] = ()
    also: tuple[DiffStatus, ...] = ()

    @property
    def statuses(self) -> tuple[DiffStatus, ...]:
        """All its statuses, the most severe first."""
        return (self.status, *self.also)


class EnvDiff(NamedTuple):
    """The labels of the environments, and an entry for each variable.

    The most severe entries come first; entries with the same status are sorted by name.
    """

    environments: tuple[str, ...]
    entries: tuple[Entry, ...]

    def with_status(self, *statuses: str) -> tuple[Entry, ...]:
        """Return the entries whose most severe status is one of these."""
        return tuple(entry for entry in self.entries if entry.status in statuses)

    def with_any(self, *statuses: str) -> tuple[Entry, ...]:
        """Return the entries that have one of these statuses, the most severe or not."""
        return tuple(e for e in self.entries if not set(e.statuses).isdisjoint(statuses))

    @property
    def counts(self) -> dict[DiffStatus, int]:
        """The number of entries per most severe status, the most severe first."""
        return {status: len(self.with_status(status)) for status in DiffStatus}

    @property
    def identical(self) -> bool:
        """Whether every variable is the same in all environments."""
        return all(entry.status is DiffStatus.SAME for entry in self.entries)


def gravest_first(entries: list[Entry]) -> tuple[Entry, ...]:
    """Return entries in the order of a diff."""
    gravity = list(DiffStatus)
    return tuple(sorted(entries, key=lambda e: (gravity.index(e.status), e.name)))


def length_class(characters: int) -> str:
    """Return the class of a length: `empty`, `1-7`, `8-15`, `16-31`, `32-63`, `64+`."""
    for low, high in ((0, 0), (1, 7), (8, 15), (16, 31), (32, 63)):
        if characters <= high:
            return "empty" if high == 0 else f"{low}-{high}"
    return "64+"
