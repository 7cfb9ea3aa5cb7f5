"""Parse the names of the sides of a comparison.

prod               a profile, by its name or an alias
prod@v12           ... with version 12 of every secret
prod@2026-11-01    ... with the values that its stores had at the start of that day
file:.env.local    a `.env` file
env:               the environment that envkit runs in
pid:1234           the environment that a process was started with
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.comparison.point_in_time import parse_point
from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.comparison.point_in_time import Point


class SideKind(StrEnum):
    """The kind of a side; every kind but a profile is written before a colon."""

    PROFILE = "profile"
    FILE = "file"
    ENV = "env"
    PID = "pid"


class SideName(NamedTuple):
    """The meaning of a side's name.

    Attributes:
        text: the name as it was given.
        kind: the kind of the side.
        target: the profile, the path or the process.
        point: in the history of a profile; None for the current values.
    """

    text: str
    kind: SideKind
    target: str
    point: Point | None = None


def parse_names(texts: Sequence[str]) -> list[SideName]:
    """Parse the names of all sides.

    Raises:
        UsageError: a name is not valid, or there are fewer than two.
    """
    if len(texts) < 2:
        raise UsageError(
            "a comparison needs at least two environments", hint="run: envkit diff staging prod"
        )
    return [parse_name(text) for text in texts]


def parse_name(text: str) -> SideName:
    """Parse the name of a side.

    Raises:
        UsageError: the name is not valid.
    """
    name, at, point = text.partition("@")
    prefix, colon, target = text.partition(":")
    if colon and prefix in (SideKind.FILE, SideKind.ENV, SideKind.PID):
        kind = SideKind(prefix)
        _check_target(text, kind, target)
        return SideName(text, kind, target)
    if ":" in name:
        raise UsageError(
            f"'{text}' names nothing to compare",
            hint="name an environment, file:PATH, env: or pid:NUMBER",
        )
    if not at:
        return SideName(text, SideKind.PROFILE, name)
    from datetime import datetime

    return SideName(text, SideKind.PROFILE, name, parse_point(point, datetime.now().astimezone()))


def _check_target(text: str, kind: SideKind, target: str) -> None:
    if kind is SideKind.FILE and not target:
        raise UsageError("'file:' names no file", hint="name the file: file:.env.local")
    if kind is SideKind.ENV and target:
        raise UsageError(f"'{text}' is not 'env:'", hint="choose variables with --only")
    if kind is SideKind.PID and not (target.isascii() and target.isdigit()):
        raise UsageError(f"'{text}' names no process", hint="name the process: pid:1234")
