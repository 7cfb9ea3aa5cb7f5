"""The plan of a promotion, as it may be shown.

A plan has literals, placeholders, and values that are not secret; no other value can be
recovered from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ChangeAction(StrEnum):
    """What a change does."""

    ADD = "add"  # a line to the target's profile
    CHANGE = "change"  # a line of it
    SET = "set"  # a value in a store that had none
    REPLACE = "replace"  # a value in a store


class LeftKind(StrEnum):
    """Why something is left as it is."""

    NEEDS_VALUE = "needs-value"  # the target should have its own
    DIFFERS = "differs"
    TO_NAME = "to-name"  # a person must name it
    BY_HAND = "by-hand"  # a person must write it


class Change(NamedTuple):
    """One thing that is done to the target.

    Attributes:
        action: what is done.
        where: the profile's file, or the place in the store.
        value: the line's, or the value itself; None for a secret.
        before: what is there now, where that may be seen.
        note: what a reader should know; often empty.
    """

    name: str
    action: ChangeAction
    where: str
    value: str | None
    before: str | None = None
    note: str = ""


class Left(NamedTuple):
    """Something that the target lacks or has otherwise, and that is left as it is.

    Attributes:
        kind: why.
        reason: for people.
        hint: what to do about it; empty where nothing need be done.
    """

    name: str
    kind: LeftKind
    secret: bool
    reason: str
    hint: str = ""


class PromotionPlan(NamedTuple):
    """What is to be done to the target, in this order, and what is not."""

    source: str
    target: str
    changes: tuple[Change, ...]
    left: tuple[Left, ...]
