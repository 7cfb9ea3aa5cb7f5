"""Where rotations stand, as a table and as JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from envkit.cli.output import Cell, print_table
from envkit.cli.rotation_formats.moments import iso, moment, since
from envkit.rotation.overview import (
    DUE,
    FAILING,
    GRACE_PERIOD,
    IN_PROGRESS,
    OVERDUE,
    QUARANTINED,
    UNREADABLE,
    WAITING,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.rotation.overview import Standing

_STYLES = {
    UNREADABLE: "red",
    QUARANTINED: "red",
    OVERDUE: "red",
    FAILING: "red",
    DUE: "yellow",
    IN_PROGRESS: "cyan",
    GRACE_PERIOD: "cyan",
    WAITING: "green",
}
_HEADERS = ("ROTATION", "STATE", "LAST ROTATED", "NEXT", "SECRET", "WHAT")
# what `envkit rotate` would do with it
_PLANS = {
    UNREADABLE: "nothing can be done",
    QUARANTINED: "nothing, until it is named",
    OVERDUE: "rotate it as soon as its window is open",
    FAILING: "try the failed step again",
    DUE: "rotate it",
    IN_PROGRESS: "go on with it",
    GRACE_PERIOD: "retire the old value once its grace is over",
    WAITING: "nothing yet",
}


def show(found: Sequence[Standing], *, plan: bool = False) -> None:
    """Print a table; errors and hints stand below it."""
    now = time.time()
    print_table(_HEADERS, _rows(found, now, plan=plan))
    for one in found:
        if one.alarming and (one.error or one.hint):
            print(f"{one.rotation}: {one.error or one.state}")
            if one.hint:
                print(f"  {one.hint}")


def plain(found: Sequence[Standing]) -> str:
    """Return the table as text, for a file."""
    import contextlib
    import io

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        show(found)
    return text.getvalue()


def json_text(found: Sequence[Standing]) -> str:
    """Return the JSON, in ASCII."""
    document = {
        "schema": "envkit.rotations/1",
        "ok": not any(one.alarming for one in found),
        "rotations": [_document(one) for one in found],
    }
    return json.dumps(document, indent=2) + "\n"


def what(one: Standing, now: float) -> str:
    """Return in a few words what a rotation is waiting for."""
    if one.state == GRACE_PERIOD:
        return f"old value works until {moment(one.retire_at)}" if one.retire_at else "promoted"
    if one.state in (IN_PROGRESS, FAILING):
        return f"{one.phase}, begun {since(one.started_at, now)}"
    if one.state == OVERDUE:
        return f"since {moment(one.overdue_at)}"
    return ""


def next_time(one: Standing, now: float) -> str:
    """Return when the next rotation may begin."""
    if one.state == DUE:
        return "now"
    if not one.due_at or one.state in (UNREADABLE, QUARANTINED):
        return ""
    return f"{moment(one.due_at)} ({since(one.due_at, now)})"


def last_time(one: Standing, now: float) -> str:
    """Return when it was last rotated."""
    last = one.promoted_at or one.last_rotated_at
    if not last:
        return "" if one.state == UNREADABLE else "never"
    return since(last, now)


def _rows(found: Sequence[Standing], now: float, *, plan: bool) -> list[list[str | Cell]]:
    return [
        [
            Cell(one.rotation, "bold"),
            Cell(one.state, _STYLES[one.state]),
            last_time(one, now),
            next_time(one, now),
            Cell(one.location, "dim"),
            _plan(one) if plan else what(one, now),
        ]
        for one in found
    ]


def _plan(one: Standing) -> str:
    if one.state == FAILING and one.hint:  # it is not tried again, but waits for a person
        return "nothing, until a person has decided"
    return _PLANS[one.state]


def _document(one: Standing) -> dict[str, Any]:
    times = {
        key: iso(getattr(one, key))
        for key in (
            *("last_rotated_at", "started_at", "promoted_at", "retire_at"),
            *("due_at", "closes_at", "overdue_at"),
        )
    }
    return {
        "rotation": one.rotation,
        "state": one.state,
        "phase": one.phase or None,
        "secret": one.location or None,
        "rotator": one.rotator or None,
        **times,
        "error": one.error or None,
        "hint": one.hint or None,
    }
