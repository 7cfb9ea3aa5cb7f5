"""The items of a checklist: plain data without values."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class ItemState(StrEnum):
    """The state of an item, the most severe first."""

    FAILED = "failed"
    WARNING = "warning"
    NOT_CONFIGURED = "not-configured"
    OK = "ok"


class ItemKind(StrEnum):
    """What an item is about, in the order of the page."""

    VARIABLES = "variables-updated"
    ROTATION = "secrets-rotated"
    BACKUP = "backup-verified"
    ACCESS = "access-guarded"
    AUDIT = "audit-intact"
    NOTIFICATIONS = "notifications-tried"


class Item(NamedTuple):
    """One item of a checklist.

    Attributes:
        kind: what it is about.
        state: whether it is done.
        summary: why, in lower case and without a full stop.
        details: more lines, each about one variable, secret or channel.
        hint: what to do about it; empty if there is nothing to do.
    """

    kind: ItemKind
    state: ItemState
    summary: str
    details: tuple[str, ...] = ()
    hint: str = ""


class Checklist(NamedTuple):
    """The checklist of one environment."""

    environment: str
    items: tuple[Item, ...]


def exit_status(checklists: Sequence[Checklist], *, strict: bool) -> int:
    """Return 1 if an item has failed, or with `strict` is a warning; otherwise 0."""
    states = {item.state for one in checklists for item in one.items}
    failing = {ItemState.FAILED, ItemState.WARNING} if strict else {ItemState.FAILED}
    return 1 if states & failing else 0
