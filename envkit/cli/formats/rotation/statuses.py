"""The status of rotations, as a table and as JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from envkit.cli.formats.rotation.moments import before, iso, moment, since
from envkit.cli.output import Cell, print_table
from envkit.rotation.status import RotationState, unknown_passwords
from envkit.rotation_state.evidence import describe
from envkit.rotation_state.retirement import RetireWhen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.rotation.status import RotationStatus
    from envkit.rotation_state.evidence import Evidence

_STYLES = {
    RotationState.UNREADABLE: "red",
    RotationState.QUARANTINED: "red",
    RotationState.OVERDUE: "red",
    RotationState.FAILING: "red",
    RotationState.BLOCKED: "red",
    RotationState.ORPHANED: "red",
    RotationState.DUE: "yellow",
    RotationState.IN_PROGRESS: "cyan",
    RotationState.GRACE_PERIOD: "cyan",
    RotationState.WAITING: "green",
}
_HEADERS = ("ROTATION", "STATE", "LAST ROTATED", "NEXT", "SECRET", "WHAT")
# plans with the same text whether or not the rotation is named
_PLANS = {
    RotationState.UNREADABLE: "nothing: it cannot be read",
    RotationState.FAILING: "retry the failed step",
    RotationState.ORPHANED: "nothing: no profile names it",
    RotationState.BLOCKED: "nothing while the old value is in use",
}


def show(
    found: Sequence[RotationStatus], describe: Callable[[RotationStatus, float], str] | None = None
) -> None:
    """Print a table, followed by the errors and their hints.

    Args:
        found: the status of each rotation.
        describe: returns the text of the last column, given a status and the time; default:
            `what`.
    """
    now = time.time()
    print_table(_HEADERS, _rows(found, now, describe or what))
    for one in found:
        if one.needs_attention and (one.error or one.hint):
            print(f"{one.rotation}: {one.error or one.state}")
            if one.hint:
                print(f"  {one.hint}")
        elif one.extra_passwords:
            print(f"{one.rotation}: {unknown_passwords(one.extra_passwords)}")
            print("  find out who set them at the target, and remove them there")


def plain(found: Sequence[RotationStatus]) -> str:
    """Return the table as plain text for a file."""
    import contextlib
    import io

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        show(found)
    return text.getvalue()


def json_text(found: Sequence[RotationStatus]) -> str:
    """Return the JSON, in ASCII."""
    document = {
        "schema": "envkit.rotations/1",
        "ok": not any(one.needs_attention for one in found),
        "rotations": [_document(one) for one in found],
    }
    return json.dumps(document, indent=2) + "\n"


def what(one: RotationStatus, now: float) -> str:
    """Return the details of a state in a few words."""
    if one.blocked and one.state != RotationState.FAILING:
        why = f"kept since {moment(one.retire_at)}" if one.error else one.blocked
        return why + _last_seen(one, now)
    if one.state == RotationState.GRACE_PERIOD:
        return _in_grace(one, now)
    begun = (RotationState.IN_PROGRESS, RotationState.FAILING)
    if one.state == RotationState.ORPHANED or (one.started_at and one.state in begun):
        return f"{one.phase}, started {since(one.started_at, now)}"
    if one.state == RotationState.FAILING and one.tries:
        return f"failed to start, {one.tries} time{'' if one.tries == 1 else 's'} in a row"
    if one.state == RotationState.OVERDUE:
        return f"since {moment(one.overdue_at)}"
    return unknown_passwords(one.extra_passwords) if one.extra_passwords else ""


def _in_grace(one: RotationStatus, now: float) -> str:
    """Return until when an old value works, and who uses it as far as a look has shown."""
    if not one.retire_at:
        return "promoted"
    users = ""
    if one.evidence.looked_at:
        users = f"; {describe(one.evidence) or 'no session seen'}" + _last_seen(one, now)
    return f"old value works until {moment(one.retire_at)}{users}"


def _last_seen(one: RotationStatus, now: float) -> str:
    seen_at = one.evidence.seen_at
    return f", last seen {before(seen_at, now)}" if seen_at else ""


def next_time(one: RotationStatus, now: float) -> str:
    """Return when the next rotation may begin; for a failing one, that it will be retried."""
    if one.state == RotationState.DUE:
        return "now"
    if one.blocked and one.due_at <= now:
        return "once the old value is retired"
    if one.state == RotationState.FAILING:
        return "" if one.stopped else "retrying"
    if not one.due_at or one.state in (RotationState.UNREADABLE, RotationState.QUARANTINED):
        return ""
    return f"{moment(one.due_at)} ({since(one.due_at, now)})"


def last_time(one: RotationStatus, now: float) -> str:
    """Return when the store last got a new value from a rotation."""
    last = one.promoted_at or one.last_rotated_at
    if not last:
        return "" if one.state == RotationState.UNREADABLE else "never"
    return since(last, now)


def planned(one: RotationStatus, now: float, *, asked: bool) -> str:
    """Return what `envkit rotate` would do with a rotation.

    Args:
        one: the status of the rotation.
        now: seconds since the epoch.
        asked: whether the rotation is named or `--all` is given, so that it need not be due.
    """
    if one.stopped or one.state in _PLANS:
        return "nothing: it needs your decision" if one.stopped else _PLANS[one.state]
    if one.state == RotationState.QUARANTINED and not asked:
        return "nothing, unless you name it"
    if one.state == RotationState.GRACE_PERIOD:
        when = "" if one.retire_at <= now else " once the grace period is over"
        at_once = one.retire_when == RetireWhen.LIMIT and one.limit_at <= now
        if one.retire_when not in ("", RetireWhen.GRACE) and not at_once:
            when += " if it is not in use" if when else ", if it is not in use"
        return f"retire the old value{when}"
    if one.started_at:
        return "resume it"
    if asked or one.due_at <= now:
        return "rotate it"
    return (
        "rotate it when its window opens" if one.state == RotationState.OVERDUE else "nothing yet"
    )


def _rows(
    found: Sequence[RotationStatus], now: float, describe: Callable[[RotationStatus, float], str]
) -> list[list[str | Cell]]:
    return [
        [
            Cell(one.rotation, "bold"),
            Cell(one.state, _STYLES[one.state]),
            last_time(one, now),
            next_time(one, now),
            Cell(one.location, "dim"),
            describe(one, now),
        ]
        for one in found
    ]


def _document(one: RotationStatus) -> dict[str, Any]:
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
        "tries": one.tries,
        "extra_passwords": one.extra_passwords,
        "retire_when": one.retire_when or None,
        "limit_at": iso(one.limit_at),
        "blocked": bool(one.blocked),
        "in_use": _evidence(one.evidence),
        "error": one.error or None,
        "hint": one.hint or None,
    }


def _evidence(found: Evidence) -> dict[str, Any] | None:
    """Return who uses an old value, for programs; None if no run has looked."""
    if not found.tried_at:
        return None
    return {
        "last_seen_at": iso(found.seen_at),
        "last_looked_at": iso(found.looked_at),
        "sessions": found.sessions,
        "readers": [
            {
                "user": one.user,
                "address": one.address or None,
                "application": one.application or None,
                "sessions": one.sessions,
                "since": iso(one.since),
                "last_seen_at": iso(one.seen_at),
            }
            for one in found.readers
        ],
        "unlisted": found.unlisted,
        "not_visible": found.not_visible or None,
        "error": found.error or None,
    }
