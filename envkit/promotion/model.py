"""The plan of a promotion, as it may be shown.

A plan contains literals, placeholders, and values that are not secret. No other value can be
recovered from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ChangeAction(StrEnum):
    """The effect of a change."""

    ADD = "add"  # adds a line to the target's profile
    CHANGE = "change"  # changes a line of the target's profile
    SET = "set"  # writes a value to a place in a store that had none
    REPLACE = "replace"  # replaces a value in a store


class LeftKind(StrEnum):
    """Why something is not changed."""

    NEEDS_VALUE = "needs-value"  # the target should have its own value
    DIFFERS = "differs"
    TO_NAME = "to-name"  # the user must name the variable
    BY_HAND = "by-hand"  # the user must make the change


class Change(NamedTuple):
    """One change of the target.

    Attributes:
        action: the effect of the change.
        where: the profile's file, or the place in the store.
        value: the value of the line or of the store; None for a secret.
        before: the current value, if it may be shown.
        note: a remark for the reader; usually empty.
    """

    name: str
    action: ChangeAction
    where: str
    value: str | None
    before: str | None = None
    note: str = ""


class Left(NamedTuple):
    """Something that the target lacks or has with another value, and that is not changed.

    Attributes:
        kind: why it is not changed.
        reason: the reason, for people.
        hint: what to do about it; empty if there is nothing to do.
    """

    name: str
    kind: LeftKind
    secret: bool
    reason: str
    hint: str = ""


class PromotionPlan(NamedTuple):
    """The changes of the target in the order in which they are made, and what is not changed."""

    source: str
    target: str
    changes: tuple[Change, ...]
    left: tuple[Left, ...]
