"""Lay out styled texts in lines of a given width, measured in terminal columns."""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ELLIPSIS = "…"
# a line may break after a separator or before a field or query, but not within `https://`
_PARTS = re.compile(r"(?s)[#?]?(?:[^/,&@#?]*://)?[^/,&@#?]*(?:[/,&@]+|(?=[#?])|$)")


class Span(NamedTuple):
    """A text and the name of its style in `rich`."""

    text: str
    style: str = ""


def columns(text: str) -> int:
    """Return the width of a printable text in columns."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """Return a text cut to at most `width` columns; an ellipsis marks the cut."""
    if columns(text) <= width:
        return text
    shown, used = [], len(ELLIPSIS)
    for char in text:
        used += _columns(char)
        if used > width:
            break
        shown.append(char)
    return "".join(shown) + ELLIPSIS


def padded(text: str, width: int) -> str:
    """Return a text cut or padded to `width` columns."""
    short = cut(text, width)
    return short + " " * (width - columns(short))


def wrapped(spans: Sequence[Span], width: int, indent: int = 0) -> list[list[Span]]:
    """Break a line between words; break a word only if it is wider than a line.

    Args:
        spans: the line; a word may consist of several spans.
        width: the width of the resulting lines.
        indent: the indentation of all lines but the first.
    """
    lines: list[list[Span]] = [[]]
    used = 0
    for word in _words(spans):
        fits = used + sum(columns(span.text) for span in word) <= width
        if word[0].text.isspace() and (not fits or (len(lines) > 1 and used == indent)):
            used = used if fits else width
            continue
        if not fits and used > indent:
            lines.append([Span(" " * indent)])
            used = indent
        for text, style in word:
            rest = text
            while rest:
                if used > indent and used + _columns(rest[0]) > width:
                    lines.append([Span(" " * indent)])
                    used = indent
                head = _head(rest, width - used)
                _append(lines[-1], Span(head, style))
                used += columns(head)
                rest = rest[len(head) :]
                if rest:
                    lines.append([Span(" " * indent)])
                    used = indent
    return lines


def _append(line: list[Span], span: Span) -> None:
    if line and line[-1].style == span.style:
        span = Span(line.pop().text + span.text, span.style)
    line.append(span)


def _words(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Yield words and the blanks between them, each as a list of spans."""
    word: list[Span] = []
    for text, style in spans:
        for piece in re.findall(r"\s+|\S+", text):
            if word and (piece.isspace() or word[0].text.isspace()):
                yield word
                word = []
            word.append(Span(piece, style))
    if word:
        yield word


def _head(text: str, width: int) -> str:
    """Return the longest prefix that fits, at least one character.

    A URL or reference is broken between its parts, if that is possible in the second half.
    """
    end = 1
    while end < len(text) and columns(text[: end + 1]) <= width:
        end += 1
    if end == len(text):
        return text
    ends = [at for at in accumulate(map(len, parts_of(text))) if end // 2 < at <= end]
    return text[: ends[-1] if ends else end]


def parts_of(text: str) -> list[str]:
    """Return the parts of a URL, path, reference or list between which a line may break."""
    return [part for part in _PARTS.findall(text) if part]
