"""Read the audit log, and verify that its chain is complete.

A line that was removed, changed or moved breaks the chain. A tail that was cut off, or a
log that was rewritten from some line on, does not: these are detected by an anchor, which is
the number and hash of one record, stored where those who can write the log cannot write.

The partial line of a writer that died does not break the chain if the next line has its
hash, or if it is the last one; `verify` notes it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from envkit._internal.os_errors import reason_of
from envkit.audit.file_log import (
    BEGINNING,
    MAX_FULL_FILES,
    Link,
    full_files,
    hash_of,
    hash_of_rest,
    open_shared,
    parse_link,
)
from envkit.audit.log import Entry
from envkit.errors import AuditError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_KEYS = frozenset(("time", "user", *Entry._fields))


class Line(NamedTuple):
    """One line of a log, without its newline."""

    path: str
    number: int
    content: bytes
    ended: bool  # by a newline

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


class Anchor(NamedTuple):
    """One record of a log, to know it again; `seq` is None where only the hash was kept."""

    seq: int | None
    hash: str

    def __str__(self) -> str:
        return self.hash if self.seq is None else f"{self.seq}:{self.hash}"


class Verdict(NamedTuple):
    """What `verify` found.

    Attributes:
        records: how many there are.
        first: the number of the first; 1, unless full files were removed by rotation.
        last: the anchor of the last one.
        problems: what is wrong, each with its place; empty for a log that is whole.
        notes: what is not wrong and should be known.
    """

    records: int
    first: int
    last: Anchor
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify(path: str, anchor: Anchor | None = None) -> Verdict:
    """Follow the chain of a log from its first record to its last.

    Args:
        path: absolute path of the newest file.
        anchor: of a record that the log must have.

    Raises:
        AuditError: the log cannot be read.
    """
    files = _snapshot(path)
    walk = _Walk(anchor, rotated=_is_rotated([number for number, _, _ in files]))
    for line in _lines(files):
        walk.add(line)
    return walk.verdict()


def records(path: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a log, the oldest first; what is no record is left out.

    Raises:
        AuditError: the log cannot be read.
    """
    for line in _lines(_snapshot(path)):
        if parse_link(line.content) is None:
            continue
        try:
            record = json.loads(line.content)
        except ValueError:
            continue
        if isinstance(record, dict) and record.keys() >= _KEYS:
            yield record


def parse_anchor(text: str) -> Anchor:
    """Return the anchor that is written as `SEQ:HASH` or as the hash alone.

    Raises:
        UsageError: it is neither.
    """
    number, colon, own = text.rpartition(":")
    is_hash = len(own) == len(BEGINNING) and not own.strip("0123456789abcdef")
    if not is_hash or (colon and not (number.isascii() and number.isdigit())):
        raise UsageError(
            "an anchor is the number and the hash of a record, and this is none",
            hint="keep what 'envkit audit anchor' prints",
        )
    return Anchor(int(number) if colon else None, own)


_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _File(NamedTuple):
    number: int | None  # None for the newest
    path: str
    content: bytes


def _snapshot(path: str) -> list[_File]:
    """Return all files, the oldest first, as they are when nobody adds a line."""
    try:
        if not os.path.isdir(os.path.dirname(path)):
            return []
        try:
            newest = open_shared(path)
        except FileNotFoundError:  # the last line made the file full
            return _full(path)
        with os.fdopen(newest, "rb") as file:
            return [*_full(path), _File(None, path, file.read())]
    except OSError as error:
        reason = reason_of(error)
        raise AuditError(f"cannot read the audit log {path}: {reason}") from None


def _full(path: str) -> list[_File]:
    files = []
    for number, name in full_files(path):
        with os.fdopen(os.open(name, _OPEN), "rb") as file:
            files.append(_File(number, name, file.read()))
    return files


def _lines(files: Iterable[_File]) -> Iterator[Line]:
    for file in files:
        *ended, last = file.content.split(b"\n")
        for number, content in enumerate(ended, start=1):
            yield Line(file.path, number, content, ended=True)
        if last:
            yield Line(file.path, len(ended) + 1, last, ended=False)


def _is_rotated(numbers: Sequence[int | None]) -> bool:
    """Return whether rotation has removed files: it does when there are too many, and only so."""
    full = [number for number in numbers if number is not None]
    return bool(full) and 1 < full[0] <= full[-1] - MAX_FULL_FILES + 1


class _Walk:
    """Goes from line to line and remembers what it must."""

    def __init__(self, anchor: Anchor | None, *, rotated: bool) -> None:
        self.rotated = rotated
        self.anchor = anchor
        self.anchored = anchor is None or anchor == Anchor(0, BEGINNING)
        self.count = 0
        self.first = 0
        self.last = Link(0, "", BEGINNING)
        self.rest: list[Line] = []  # lines that are no records, since the last one
        self.problems: list[str] = []
        self.notes: list[str] = []

    def add(self, line: Line) -> None:
        link = parse_link(line.content)
        if link is None:
            self.rest.append(line)
            return
        if hash_of(line.content) != link.hash:
            self.problems.append(f"{line}: record {link.seq} was changed")
        self.look_at_rest(line)
        if not self.count:
            self.begin(line, link)
        elif link.seq > self.last.seq + 1:
            self.problems.append(f"{line}: {_missing(self.last.seq + 1, link.seq - 1)}")
        elif link.seq <= self.last.seq:
            self.problems.append(f"{line}: record {link.seq} stands behind record {self.last.seq}")
        elif link.previous != self.last.hash:
            self.problems.append(
                f"{line}: record {link.seq} does not continue record {self.last.seq}, "
                "which was changed or put in the place of another"
            )
        self.look_at_anchor(line, link)
        self.count += 1
        self.last = link

    def begin(self, line: Line, link: Link) -> None:
        self.first = link.seq
        if link.seq > 1 and not self.rotated:
            self.problems.append(f"{line}: {_missing(1, link.seq - 1)}")
        elif link.seq > 1:
            self.notes.append(f"records before {link.seq} were removed by rotation")
        elif link.previous != BEGINNING:
            self.problems.append(f"{line}: record 1 continues another log")

    def look_at_rest(self, line: Line) -> None:
        """Decide on the lines before this one that are no records."""
        if not self.rest:
            return
        vouched = hash_of_rest(b"\n".join(one.content for one in self.rest))
        if f',"interrupted":"{vouched}","seq":'.encode() in line.content:
            self.notes.append(f"{self.rest[0]}: a write was interrupted here")
        else:
            self.problems.append(f"{self.rest[0]}: this is no record")
        self.rest = []

    def look_at_anchor(self, line: Line, link: Link) -> None:
        if self.anchor is None:
            return
        if link.hash == self.anchor.hash and self.anchor.seq in (None, link.seq):
            self.anchored = True
        elif link.seq == self.anchor.seq:
            self.anchored = True  # as much as it can be
            self.problems.append(
                f"{line}: record {link.seq} is not the one that the anchor was taken of"
            )

    def verdict(self) -> Verdict:
        if self.rest and not self.rest[-1].ended:
            self.notes.append(f"{self.rest[0]}: the last write was interrupted")
        elif self.rest:
            self.problems.append(f"{self.rest[0]}: this is no record")
        if not self.anchored and self.anchor is not None:
            self.problems.append(self.without_anchor(self.anchor))
        return Verdict(
            self.count,
            self.first,
            Anchor(self.last.seq, self.last.hash),
            tuple(self.problems),
            tuple(self.notes),
        )

    def without_anchor(self, anchor: Anchor) -> str:
        if anchor.seq is None:
            return "no record has the anchor's hash: the end of the log was cut off or rewritten"
        if anchor.seq < self.first:
            return f"the anchor's record {anchor.seq} was removed by rotation: take a newer anchor"
        return (
            f"the log ends at record {self.last.seq}, and the anchor is of record {anchor.seq}: "
            "the end was cut off"
        )


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"record {first} is missing"
    return f"records {first} to {last} are missing"
