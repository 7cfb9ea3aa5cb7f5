"""Scan the content of one file or object, however large, as a stream. Pure.

The stream is read in pieces. Each piece is scanned together with the end of the one before, so
that a text on a border is found, once. Text in UTF-16, which starts with a byte order mark, is
scanned as UTF-8.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from envkit.detection.token_search import CONTEXT, LONGEST, tokens_in
from envkit.scan.search import Hit, Searcher
from envkit.scan.values import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PIECE_BYTES = 1 << 18
_LFS = b"version https://git-lfs.github.com/spec/"
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Occurrence(NamedTuple):
    """Something that was found: its line, and what it is: a value, or a kind of token."""

    line: int
    label: Label | str


class Scanned(NamedTuple):
    """The result for one content.

    Attributes:
        occurrences: what is in it, by line; the same on one line is listed once.
        is_pointer: whether it is a pointer of Git LFS, whose content is elsewhere.
    """

    occurrences: tuple[Occurrence, ...]
    is_pointer: bool = False


class _Window(NamedTuple):
    """A part of a stream; what begins at `start` or later, and before `end`, is reported."""

    data: bytes
    start: int
    end: int


class Scanner:
    """Scans contents for values and tokens.

    Args:
        texts: each text to search for -> what it is: a value, or a kind of token.
    """

    __slots__ = ("_overlap", "_searcher")

    def __init__(self, texts: Mapping[bytes, Label | str]) -> None:
        self._searcher: Searcher[Label | str] = Searcher(texts)
        self._overlap = max(self._searcher.longest, LONGEST) + CONTEXT

    def scan(self, pieces: Iterable[bytes]) -> Scanned:
        """Return what is in a content.

        Args:
            pieces: the content, in pieces of any size.
        """
        found: dict[Occurrence, None] = {}
        is_pointer = False
        line = 1  # of the first byte of the window
        for number, window in enumerate(_windows(_decoded(pieces), self._overlap)):
            data, start, end = window
            is_pointer = is_pointer or (number == 0 and data.startswith(_LFS))
            at = 0
            current = line
            if not data.strip(b"\0"):  # the hole of a sparse file
                continue
            for hit in sorted(self._hits(data), key=lambda hit: hit[:2]):
                if start <= hit.start < end:
                    current += data.count(b"\n", at, hit.start)
                    at = hit.start
                    found[Occurrence(current, hit.label)] = None
            line += data.count(b"\n", 0, _kept(window))
        return Scanned(tuple(found), is_pointer)

    def _hits(self, data: bytes) -> list[Hit[Label | str]]:
        """Return the values in data, and the tokens that are no such value."""
        values = list(self._searcher.hits(data))
        found: list[Hit[Label | str]] = [Hit(*hit) for hit in values]
        last = -1
        for what, start, end in sorted(tokens_in(data), key=lambda token: token.start):
            known = start < last or any(hit.start < end and start < hit.end for hit in values)
            if not known:
                found.append(Hit(start, end, what))
                last = end
        return found


def _windows(pieces: Iterable[bytes], overlap: int) -> Iterator[_Window]:
    data, start = b"", 0
    for piece in pieces:
        data = data + piece if data else piece
        end = len(data) - overlap
        if end >= start + PIECE_BYTES // 2:
            window = _Window(data, start, end)
            yield window
            kept = _kept(window)
            data, start = data[kept:], end - kept
    yield _Window(data, start, len(data))


def _kept(window: _Window) -> int:
    """Return the first byte of a window that the next one repeats."""
    return max(0, window.end - CONTEXT - 1)


def _decoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces; those of a content in UTF-16 are converted to UTF-8."""
    stream = iter(pieces)
    first = b""
    while len(first) < 2 and (piece := next(stream, b"")):
        first += piece
    encoding = _UTF16.get(first[:2])
    if encoding is None:
        yield first
        yield from stream
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first[2:]).encode("utf-8", "replace")
    for piece in stream:
        yield decoder.decode(piece).encode("utf-8", "replace")
