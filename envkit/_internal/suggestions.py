"""Suggest corrections for mistyped words. Imported only after an error."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_NAMES = 20  # in one hint


class Meant(str):
    """The hint for a mistyped word; the command line uses it to correct the arguments.

    Attributes:
        wrong: the word as written; `right`: the word that was probably meant.
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
        """Return the arguments that recreate the hint in a copy."""
        return Meant, (self.wrong, self.right)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, or None."""
    from difflib import get_close_matches

    names = list(known)
    matches = get_close_matches(word, names, n=1, cutoff=0.6)
    if matches:
        return matches[0]
    folded = {name.casefold(): name for name in names}  # matches `PROD` with `prod`
    matches = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the hint for a mistyped word: the closest known word, or a list of all."""
    names = sorted(known)
    match = closest(word, names)
    if match is not None:
        return Meant(word, match)
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return f"use one of: {', '.join(names[:MAX_NAMES])}{more}" if names else None
