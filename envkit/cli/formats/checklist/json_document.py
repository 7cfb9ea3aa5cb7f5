"""The checklist as JSON, for programs; docs/reference/json.md describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.checks.checklist.model import Checklist, Item

SCHEMA = "envkit.checklist/1"


def render(checklists: Sequence[Checklist]) -> str:
    """Return the JSON text."""
    document = {
        "schema": SCHEMA,
        "checklists": [
            {"environment": one.environment, "items": [_item(item) for item in one.items]}
            for one in checklists
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _item(item: Item) -> dict[str, Any]:
    return {
        "item": item.kind,
        "state": item.state,
        "summary": item.summary,
        "details": list(item.details),
        "hint": item.hint,
    }
