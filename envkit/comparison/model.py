"""The result of a comparison: plain data that has no secret.

Programs import these types from `envkit.env_diff`, which says what fingerprints are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

FINGERPRINT_DIGITS = 8


class DiffStatus(StrEnum):
    """How a variable differs, the gravest first: what a reader must see first."""

    REUSED = "reused"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    DIFFERENT = "different"
    SAME = "same"


# those that a team may accept, and a command may fail on
DIFFERENCES = tuple(status for status in DiffStatus if status is not DiffStatus.SAME)


class CellState(StrEnum):
    """What is known of a variable in one environment.

    Attributes:
        PLACEHOLDER: where profiles alone are compared.
        ABSENT: a profile declares it and no store has it.
    """

    VALUE = "value"
    PLACEHOLDER = "placeholder"
    ABSENT = "absent"
    UNDECLARED = "undeclared"
    UNREADABLE = "unreadable"


class FindingKind(StrEnum):
    """What a finding says.

    Attributes:
        REUSED: the same secret is in all `places`.
        PART: the values differ in the part `subject` of a URL or JSON document.
        ITEM: not every list has the item `subject`.
        WHITE_SPACE: the values differ only in the white space around them.
        TYPE: one value looks like a number, another like a text.
        ORIGIN: the same value was read in different ways.
        LITERAL: read from a store in one environment, written into the profile of another.
        RULE: the profiles demand different things, `subject` being the key.
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
    """A variable in one environment: what may be shown of it.

    Attributes:
        state: whether there is a value to show, and if not, why.
        shown: the literal, or the placeholders; None where nothing may be shown.
        secret: whether it is one here or elsewhere.
        length: the class of its length in characters, `8-15`.
        fingerprint: of a secret; the same for the same value inside one diff.
        origins: where the value was read; empty for a literal.
        location: where the profile gives it, `profiles/prod.toml:12`.
        reason: why there is no value.
        code: the error's, where it is unreadable.
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
    """One of the places that hold the same secret.

    Attributes:
        environment: its label.
        name: the variable.
        part: `password` of a URL, `/db/token` of a JSON document; empty for the whole value.
    """

    environment: str
    name: str
    part: str = ""


class Finding(NamedTuple):
    """Something to know about one variable.

    Attributes:
        kind: what it says; see `FindingKind`.
        subject: which part or rule; empty where the kind says it all.
        shown: per environment what may be shown; empty where nothing may.
        places: for `reused`.
        dangerous: whether a person should act on it.
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
        status: the gravest that it has.
        cells: one for each environment.
        findings: what there is to know of it.
        also: the other statuses that it has: what two environments share, a third may lack.
    """

    name: str
    status: DiffStatus
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...] = ()
    also: tuple[DiffStatus, ...] = ()

    @property
    def statuses(self) -> tuple[DiffStatus, ...]:
        """All statuses that it has, the gravest first."""
        return (self.status, *self.also)


class EnvDiff(NamedTuple):
    """The labels of the environments, and an entry for each variable.

    The gravest entries come first, those of one status by name.
    """

    environments: tuple[str, ...]
    entries: tuple[Entry, ...]

    def with_status(self, *statuses: str) -> tuple[Entry, ...]:
        """Return the entries of which one of these is the gravest status."""
        return tuple(entry for entry in self.entries if entry.status in statuses)

    def with_any(self, *statuses: str) -> tuple[Entry, ...]:
        """Return the entries that have one of these statuses, be it the gravest or not."""
        return tuple(e for e in self.entries if not set(e.statuses).isdisjoint(statuses))

    @property
    def counts(self) -> dict[DiffStatus, int]:
        """How many entries have each as their gravest status, the gravest first."""
        return {status: len(self.with_status(status)) for status in DiffStatus}

    @property
    def identical(self) -> bool:
        """Whether every variable is the same everywhere, as it should be."""
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
