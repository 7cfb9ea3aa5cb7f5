"""Find any of many texts in bytes, in one pass. Pure.

A text of seven bytes or more contains four bytes that begin at a multiple of four, wherever it
stands. So each text is known by four groups of four bytes, one for each remainder, and a scan looks
up every fourth group of the data in a set. The time does not depend on the number of texts. Only
texts whose group occurs are then searched for as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Generic, NamedTuple, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHORTEST = 7  # bytes
_GROUP = 4  # bytes
_CONSIDERED = 256  # places in a text for its groups

T = TypeVar("T")


class Hit(NamedTuple, Generic[T]):
    """An occurrence of a text: its first byte, the byte after its last one, and its label."""

    start: int
    end: int
    label: T


class Searcher(Generic[T]):
    """Searches for texts.

    Args:
        texts: each text, of SHORTEST bytes or more -> its label.
    """

    __slots__ = ("_groups", "_owners", "longest")

    def __init__(self, texts: Mapping[bytes, T]) -> None:
        self.longest = max(map(len, texts), default=0)
        self._owners: defaultdict[int, list[tuple[bytes, T]]] = defaultdict(list)
        for text, label in texts.items():
            start = _rarest(text)
            for offset in range(start, start + _GROUP):
                group = memoryview(text[offset : offset + _GROUP]).cast("I")[0]
                self._owners[group].append((text, label))
        self._groups = frozenset(self._owners)

    def __repr__(self) -> str:
        return f"Searcher({len(self._groups)} groups)"

    def hits(self, data: bytes) -> Iterator[Hit[T]]:
        """Yield each occurrence of each text."""
        whole = len(data) - len(data) % _GROUP
        with memoryview(data) as view:
            found = self._groups.intersection(view[:whole].cast("I"))
        if not found:
            return
        for text, label in {
            text: label for group in found for text, label in self._owners[group]
        }.items():
            start = data.find(text)
            while start >= 0:
                yield Hit(start, start + len(text), label)
                start = data.find(text, start + 1)


def _rarest(text: bytes) -> int:
    """Return where four groups begin that seldom occur in other texts.

    Raises:
        ValueError: the text is too short.
    """
    if len(text) < SHORTEST:
        raise ValueError(f"a text has {len(text)} bytes, which is too few")
    rare = [not (byte in b" \0" or 97 <= byte <= 122) for byte in text]
    return max(
        range(min(len(text) - SHORTEST + 1, _CONSIDERED)),
        key=lambda start: sum(rare[start : start + SHORTEST]),
    )
