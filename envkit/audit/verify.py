"""Read the audit log, and verify that its chain is complete.

A line that was removed, changed or moved breaks the chain. A tail that was cut off, or a log
that was rewritten from some line on, does not break it. An anchor detects these: the number and
hash of one record, stored where those who can write the log cannot write.

The partial line of a writer that died does not break the chain if the next line has its hash,
or if it is the last line; `verify` reports it as a note.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from envkit._internal.os_errors import reason_of
from envkit.audit.file_log import (
    BEGINNING,
    MAX_FULL_FILES,
    full_files,
    hash_of,
    hash_of_rest,
    open_shared,
    parse_link,
    unlock,
)
from envkit.audit.log import Entry
from envkit.errors import AuditError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from envkit.audit.file_log import Link


_BUFFER_BYTES = 1024 * 1024
_HASH_MARK = b',"hash":"'
_END = len(BEGINNING) + len(b'"}\n')  # the length of a line after _HASH_MARK
# what each record has; the others are only in records that they apply to
_KEYS = frozenset(("time", "user", *Entry._fields)) - {"break_glass", "file_sha256", "logins"}


class Line(NamedTuple):
    """One line of a log, without its newline."""

    path: str
    number: int
    content: bytes
    ended: bool  # whether it ends with a newline

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


class Anchor(NamedTuple):
    """The identity of one record of a log; `seq` is None if only the hash was stored."""

    seq: int | None
    hash: str

    def __str__(self) -> str:
        return self.hash if self.seq is None else f"{self.seq}:{self.hash}"


class Verdict(NamedTuple):
    """What `verify` found.

    Attributes:
        records: the number of records.
        first: the number of the first record; 1, unless rotation has removed full files.
        last: the anchor of the last record.
        problems: each problem with its place; empty for a complete log.
        notes: facts that are not problems but that a reader should know.
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
        anchor: the anchor of a record that the log must contain.

    Raises:
        AuditError: the log cannot be read.
    """
    with _snapshot(path) as files:
        walk = _Walk(anchor, rotated=_is_rotated([one.number for one in files]))
        for file in files:
            for number, content in _numbered_lines(file):
                if not walk.continues(content):
                    walk.add(_line(file, number, content))
        return walk.verdict()


def records(path: str, *, containing: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the records of a log, oldest first; skip other lines.

    Args:
        path: absolute path of the newest file.
        containing: a part of their lines; the others are not parsed.

    Raises:
        AuditError: the log cannot be read.
    """
    with _snapshot(path) as files:
        for file in files:
            for _, content in _numbered_lines(file):
                if containing not in content or parse_link(content.removesuffix(b"\n")) is None:
                    continue
                try:
                    record = json.loads(content)
                except ValueError:
                    continue
                if isinstance(record, dict) and record.keys() >= _KEYS:
                    yield record


def parse_anchor(text: str) -> Anchor:
    """Return the anchor for a text of the form `SEQ:HASH` or `HASH`.

    Raises:
        UsageError: the text has another form.
    """
    number, colon, own = text.rpartition(":")
    is_hash = len(own) == len(BEGINNING) and not own.strip("0123456789abcdef")
    if not is_hash or (colon and not (number.isascii() and number.isdigit())):
        raise UsageError(
            "the anchor is not NUMBER:HASH",
            hint="pass the output of 'envkit audit anchor', or a file that contains it",
        )
    return Anchor(int(number) if colon else None, own)


_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _File(NamedTuple):
    """One open file of a log, with its length when no process was adding a line."""

    number: int | None  # None for the newest
    path: str
    stream: BinaryIO
    size: int


@contextmanager
def _snapshot(path: str) -> Iterator[list[_File]]:
    """Open all files, oldest first, at a moment when no process adds a line.

    They are read afterwards, while writers continue. That is safe: writers only append after
    the recorded size, and an open file stays readable when it is renamed or removed.
    """
    with ExitStack() as stack:
        try:
            yield _open_all(path, stack)
        except OSError as error:
            reason = reason_of(error)
            raise AuditError(f"cannot read the audit log {path}: {reason}") from None


def _open_all(path: str, stack: ExitStack) -> list[_File]:
    if not os.path.isdir(os.path.dirname(path)):
        return []
    while True:
        with ExitStack() as opened:
            try:
                newest = [_file(None, path, open_shared(path), opened)]
            except FileNotFoundError:  # the last line made the file full
                newest = []
            try:
                full = [
                    _file(number, name, os.open(name, _OPEN), opened)
                    for number, name in full_files(path)
                ]
            except FileNotFoundError:
                if newest:
                    raise
                continue  # nothing was locked, and the oldest was removed meanwhile
            if newest:
                unlock(newest[0].stream.fileno())
            elif os.path.exists(path):
                continue  # another process has started a new file
            stack.push(opened.pop_all())
            return [*full, *newest]


def _file(number: int | None, path: str, descriptor: int, stack: ExitStack) -> _File:
    stream = stack.enter_context(os.fdopen(descriptor, "rb", buffering=_BUFFER_BYTES))
    return _File(number, path, stream, os.fstat(descriptor).st_size)


def _numbered_lines(file: _File) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each line, with its newline."""
    left = file.size
    for number, content in enumerate(file.stream, start=1):
        if len(content) > left:  # a writer has added lines since
            if left:
                yield number, content[:left]
            return
        left -= len(content)
        yield number, content


def _line(file: _File, number: int, content: bytes) -> Line:
    ended = content.endswith(b"\n")
    return Line(file.path, number, content[:-1] if ended else content, ended)


def _is_rotated(numbers: Sequence[int | None]) -> bool:
    """Return whether rotation has removed files, which it does only when there are too many."""
    full = [number for number in numbers if number is not None]
    return bool(full) and 1 < full[0] <= full[-1] - MAX_FULL_FILES + 1


class _Walk:
    """Follows the chain line by line, with the state that this needs."""

    def __init__(self, anchor: Anchor | None, *, rotated: bool) -> None:
        self.rotated = rotated
        self.anchor = anchor
        self.anchored = anchor is None or anchor == Anchor(0, BEGINNING)
        self.count = 0
        self.first = 0
        self.anchor_seq = None if anchor is None else anchor.seq
        self.anchor_hash = b"" if anchor is None else anchor.hash.encode()
        self.seq, self.hash = 0, BEGINNING.encode()  # of the last record
        self.rest: list[Line] = []  # lines that are not records, since the last record
        self.problems: list[str] = []
        self.notes: list[str] = []

    def continues(self, content: bytes) -> bool:
        """Accept a line, with its newline, if it is the next record; return whether it is.

        This is the fast path: a log of 1 GiB has about three million lines. `add` takes all others.
        """
        seq = self.seq + 1
        link = b',"seq":%d,"previous":"%b","hash":"' % (seq, self.hash)
        own = content[-_END:-3]
        if (
            not self.count
            or self.rest
            or content[-_END - len(link) : -_END] != link
            or not content.endswith(b'"}\n')
            or sha256(content[: -_END - len(_HASH_MARK)]).hexdigest().encode() != own
            or (not self.anchored and (own == self.anchor_hash or seq == self.anchor_seq))
        ):
            return False
        self.count += 1
        self.seq, self.hash = seq, own
        return True

    def add(self, line: Line) -> None:
        link = parse_link(line.content)
        if link is None:
            self.rest.append(line)
            return
        if hash_of(line.content) != link.hash:
            self.problems.append(f"{line}: record {link.seq} was changed")
        self.judge_rest(line)
        if not self.count:
            self.begin(line, link)
        elif link.seq > self.seq + 1:
            self.problems.append(f"{line}: {_missing(self.seq + 1, link.seq - 1)}")
        elif link.seq <= self.seq:
            self.problems.append(f"{line}: record {link.seq} appears after record {self.seq}")
        elif link.previous.encode() != self.hash:
            self.problems.append(
                f"{line}: record {link.seq} does not follow record {self.seq}, which was changed "
                "or replaced"
            )
        self.compare_with_anchor(line, link)
        self.count += 1
        self.seq, self.hash = link.seq, link.hash.encode()

    def begin(self, line: Line, link: Link) -> None:
        self.first = link.seq
        if link.seq > 1 and not self.rotated:
            self.problems.append(f"{line}: {_missing(1, link.seq - 1)}")
        elif link.seq > 1:
            self.notes.append(f"records before {link.seq} were removed by log rotation")
        elif link.previous != BEGINNING:
            self.problems.append(f"{line}: record 1 continues another log")

    def judge_rest(self, line: Line) -> None:
        """Decide what the lines between the last record and this one mean."""
        if not self.rest:
            return
        recorded = hash_of_rest(b"\n".join(one.content for one in self.rest))
        if f',"interrupted":"{recorded}","seq":'.encode() in line.content:
            self.notes.append(f"{self.rest[0]}: a write was interrupted here")
        else:
            self.problems.append(f"{self.rest[0]}: this is not a record")
        self.rest = []

    def compare_with_anchor(self, line: Line, link: Link) -> None:
        if self.anchor is None:
            return
        if link.hash == self.anchor.hash and self.anchor.seq in (None, link.seq):
            self.anchored = True
        elif link.seq == self.anchor.seq:
            self.anchored = True  # the record was found, although it has another hash
            self.problems.append(f"{line}: record {link.seq} does not match the anchor")

    def verdict(self) -> Verdict:
        if self.rest and not self.rest[-1].ended:
            self.notes.append(f"{self.rest[0]}: the last write was interrupted")
        elif self.rest:
            self.problems.append(f"{self.rest[0]}: this is not a record")
        if not self.anchored and self.anchor is not None:
            self.problems.append(self.without_anchor(self.anchor))
        return Verdict(
            self.count,
            self.first,
            Anchor(self.seq, self.hash.decode()),
            tuple(self.problems),
            tuple(self.notes),
        )

    def without_anchor(self, anchor: Anchor) -> str:
        if anchor.seq is None:
            return "no record has the anchor's hash: the end of the log was cut off or rewritten"
        if anchor.seq < self.first:
            return (
                f"the anchor's record {anchor.seq} was removed by log rotation: use a newer anchor"
            )
        return (
            f"the log ends at record {self.seq}, before the anchor's record {anchor.seq}: "
            "the end was cut off"
        )


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"record {first} is missing"
    return f"records {first} to {last} are missing"
