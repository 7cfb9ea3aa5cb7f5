"""Hints for mistyped words. Imported only after an error."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_NAMES = 20  # in one hint


class Meant(str):
    """The hint for a mistyped word; the command line corrects what was typed with it.

    Attributes:
        wrong: the word as it was written; `right`: what was probably meant.
    """

    __slots__ = ("right", "wrong")
    wrong: str
    right: str

    def __new__(cls, wrong: str, right: str) -> Meant:
        """Return the hint."""
        hint = super().__new__(cls, f"did you mean '{right}'?")
        hint.wrong, hint.right = wrong, right
        return hint

    def __reduce__(self) -> tuple[type[Meant], tuple[str, str]]:
        """Return what a copy of it is made from."""
        return Meant, (self.wrong, self.right)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` was probably meant to be, or None."""
    from difflib import get_close_matches

    names = list(known)
    matches = get_close_matches(word, names, n=1, cutoff=0.6)
    if matches:
        return matches[0]
    folded = {name.casefold(): name for name in names}  # PROD, where there is prod
    matches = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the hint for a mistyped `word`: the closest known one, or the list of all."""
    names = sorted(known)
    match = closest(word, names)
    if match is not None:
        return Meant(word, match)
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return f"use one of: {', '.join(names[:MAX_NAMES])}{more}" if names else None
