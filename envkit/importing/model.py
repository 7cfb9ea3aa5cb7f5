"""What is wanted of an import, and what is not imported.

The changes are those of a promotion: `envkit.promotion.model`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.secret import Secret


class Why(StrEnum):
    """Why something is not imported."""

    CONFLICT = "conflict"  # the environment has another value
    BY_HAND = "by-hand"  # the user must make the change
    NOT_NEEDED = "not-needed"  # nothing is lost


class NotImported(NamedTuple):
    """A variable that is not imported.

    Attributes:
        where: where it comes from: a file and line, or a place of the environment.
        reason: the reason, for people.
        hint: what to do about it; empty if there is nothing to do.
    """

    name: str
    why: Why
    where: str
    reason: str
    hint: str = ""


class Wanted(NamedTuple):
    """A variable that an environment should have.

    Attributes:
        where: where the value comes from, for people.
        setting: whether the profile may get the value as a literal if it lacks the variable.
    """

    name: str
    value: Secret
    where: str
    setting: bool = False


class Destination(NamedTuple):
    """The source that values are written to.

    Attributes:
        source: its name in the profile.
        named: whether the user named it; otherwise a value that another source has stays there.
        replace: whether to replace values that differ.
        file: of a source of several files, the one to write to, relative to the project; empty for
            the file that has the value.
    """

    source: str
    named: bool = False
    replace: bool = False
    file: str = ""
