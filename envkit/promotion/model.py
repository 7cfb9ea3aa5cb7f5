"""What is to be carried from one environment to the next, as it may be shown.

A plan holds literals, placeholders and values that the profiles do not call secret, and
has no way to any other value.
"""

from __future__ import annotations

from typing import NamedTuple

# what a change does: a line of a profile added or changed, a value set or replaced in a store
ADD, CHANGE, SET, REPLACE = "add", "change", "set", "replace"
# why something is left: it has no value, it differs, a person must name it or write it
NEEDS_VALUE, DIFFERS, TO_NAME, BY_HAND = "needs-value", "differs", "to-name", "by-hand"


class Change(NamedTuple):
    """One thing that is done to the target.

    Attributes:
        action: `add` or `change` a line of its profile, `set` or `replace` a value in a store.
        where: the profile's file, or the place in the store.
        value: the line's, or the value itself; None for a secret.
        before: what is there now, where that may be seen.
        note: what a reader should know; often empty.
    """

    name: str
    action: str
    where: str
    value: str | None
    before: str | None = None
    note: str = ""


class Left(NamedTuple):
    """Something that the target lacks or has otherwise, and that is left as it is.

    Attributes:
        kind: `needs-value`, `differs`, `to-name` or `by-hand`.
        reason: for people.
        hint: what to do about it; empty where nothing need be done.
    """

    name: str
    kind: str
    secret: bool
    reason: str
    hint: str = ""


class PromotionPlan(NamedTuple):
    """What is to be done to the target, in this order, and what is not."""

    source: str
    target: str
    changes: tuple[Change, ...]
    left: tuple[Left, ...]
