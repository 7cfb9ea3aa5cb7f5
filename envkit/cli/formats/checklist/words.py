"""The words of the checklist for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from envkit.checks.checklist.model import ItemKind, ItemState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.checks.checklist.model import Checklist

TITLES = {
    ItemKind.VARIABLES: "Variables updated",
    ItemKind.ROTATION: "Secrets rotated",
    ItemKind.BACKUP: "Backup verified",
    ItemKind.ACCESS: "Access guarded",
    ItemKind.AUDIT: "Audit chain intact",
    ItemKind.NOTIFICATIONS: "Notifications tried",
}
STATES = {
    ItemState.FAILED: "failed",
    ItemState.WARNING: "warning",
    ItemState.NOT_CONFIGURED: "not configured",
    ItemState.OK: "ok",
}


def summary(checklists: Sequence[Checklist]) -> str:
    """Return the number of items in each state, the most severe first."""
    found = Counter(item.state for one in checklists for item in one.items)
    plural = {**STATES, ItemState.WARNING: "warnings"}
    return ", ".join(
        f"{found[state]} {word if found[state] == 1 else plural[state]}"
        for state, word in STATES.items()
        if found[state]
    )
