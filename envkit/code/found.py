"""The result of parsing one source file."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Read(NamedTuple):
    """One place where a program reads an environment variable.

    Attributes:
        name: the name of the variable; empty if it is computed at run time.
        line: from 1.
        needed: whether the program requires it: it has no default and is not tested.
    """

    name: str
    line: int
    needed: bool = True


class Found(NamedTuple):
    """The reads of one file, and the names of the variables that it sets itself."""

    reads: Sequence[Read] = ()
    given: Collection[str] = ()


class UnreadableError(Exception):
    """A file is not written in the language that its name suggests."""
