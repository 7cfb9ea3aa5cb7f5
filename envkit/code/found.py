"""What a parser found in one file of code."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Read(NamedTuple):
    """One place where a program reads an environment variable.

    Attributes:
        name: the variable's; empty where it is made when the program runs.
        line: from 1.
        needed: whether the program shows no way to do without: no default, no test.
    """

    name: str
    line: int
    needed: bool = True


class Found(NamedTuple):
    """What one file has: reads, and the names of the variables that it sets itself."""

    reads: Sequence[Read] = ()
    given: Collection[str] = ()


class UnreadableError(Exception):
    """A file is not in the language that its name promises."""
