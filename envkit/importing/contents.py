"""What the readers return: the variables of a file, and what they left out."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.secret import Secret


class Entry(NamedTuple):
    """One variable of a file.

    Attributes:
        where: the file and line, or the file and path, for people.
    """

    name: str
    value: Secret
    where: str


class LeftOut(NamedTuple):
    """Something in a file that is not imported.

    Attributes:
        name: the variable; or what it is called in the file, if that is no valid name.
        reason: the reason, for people.
        needed: whether something is lost if the file is deleted.
    """

    name: str
    where: str
    reason: str
    needed: bool = True


class FileContents(NamedTuple):
    """The variables of one file.

    Attributes:
        path: the file as the user named it.
        format: what it was read as, for people.
        notes: remarks for the user.
    """

    path: str
    format: str
    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
