"""Send the notices for the outcome of a rotation, each once.

The run that did the last step sends a success, once. A state that lasts until a person acts (a
failure, a rotation that is overdue or quarantined) is sent by one host, once a day: the rotation
record saves this before the notice is sent. If the record cannot be written, a file on this host
is used instead. The same applies to a run whose target hangs and which still owns the record.
"""

from __future__ import annotations

import socket

from envkit._internal.paths import state_folder
from envkit.errors import ConflictError, EnvkitError, RotationError
from envkit.notification.channels import EventKind, Notice
from envkit.notification.delivery import deliver_all
from envkit.notification.placeholders import substitute_placeholders
from envkit.notification.sent_notices import first_today, is_recent
from envkit.rotation.outcome import OutcomeStatus, blocked_hint
from envkit.rotation_state.due import is_overdue
from envkit.rotation_state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.outcome import Outcome
    from envkit.rotation_state.store import RotationStore

_EVENTS = {
    OutcomeStatus.QUARANTINED: EventKind.QUARANTINE,
    OutcomeStatus.FAILED: EventKind.FAILURE,
    OutcomeStatus.REFUSED: EventKind.FAILURE,
    OutcomeStatus.BLOCKED: EventKind.BLOCKED,
}


def events(rotation: Rotation, outcome: Outcome, now: float) -> list[EventKind]:
    """Return the events that result from a run of a rotation."""
    if outcome.status == OutcomeStatus.ROTATED:
        return [EventKind.SUCCESS]
    found = [_EVENTS[outcome.status]] if outcome.status in _EVENTS else []
    if outcome.status == OutcomeStatus.IN_USE and outcome.record is not None:
        evidence = outcome.record.evidence
        if evidence.in_use or evidence.error:  # else it is only not yet unused for long enough
            found.append(EventKind.BLOCKED)
    if is_overdue(rotation.policy, outcome.record, now):
        found.append(EventKind.OVERDUE)
    return found


def notify(
    rotation: Rotation,
    outcome: Outcome,
    store: RotationStore | None,
    *,
    environ: Mapping[str, str],
    now: float,
) -> list[EnvkitError]:
    """Send the notices of a run to the channels that subscribe to them.

    Args:
        rotation: the rotation.
        outcome: the outcome of the run.
        store: the store of its record; None if it could not be opened.
        environ: the process environment.
        now: seconds since the epoch.

    Returns:
        The errors of notices that could not be delivered.
    """
    policy = rotation.policy
    new = [
        kind
        for kind in events(rotation, outcome, now)
        if any(kind in channel.on for channel in policy.notify)
        and (
            kind == EventKind.SUCCESS or _first_today(rotation, outcome, store, kind, environ, now)
        )
    ]
    if not new:
        return []
    try:
        channels = substitute_placeholders(
            policy.notify,
            rotation.profile,
            f"{policy.table.title} notify",
            policy.table.place_of("notify"),
            environ=environ,
        )
    except EnvkitError as error:
        return [error]
    return [
        failure
        for kind in new
        for failure in deliver_all(
            _notice(rotation, outcome, kind, now),
            [channel for channel in channels if kind in channel.on],
        )
    ]


def _notice(rotation: Rotation, outcome: Outcome, kind: EventKind, now: float) -> Notice:
    policy, record = rotation.policy, outcome.record
    error = outcome.error if kind != EventKind.SUCCESS else None
    if outcome.status == OutcomeStatus.IN_USE:
        error = RotationError(outcome.reason, hint=blocked_hint(rotation.full_name, record))
    hint = error.hint if error is not None else None
    if kind == EventKind.OVERDUE and not hint:
        hint = f"run: envkit rotate {rotation.full_name}"
    return Notice(
        kind,
        policy.profile,
        policy.name,
        rotation.location,
        policy.rotator,
        record.phase if record is not None else "",
        error.message if error is not None else "",
        hint or "",
        now,
        socket.gethostname(),
    )


def _first_today(
    rotation: Rotation,
    outcome: Outcome,
    store: RotationStore | None,
    kind: EventKind,
    environ: Mapping[str, str],
    now: float,
) -> bool:
    """Return whether this run sends a notice, and save that it is sent."""
    if store is not None:
        try:
            saved = _save_notified(rotation, outcome, store, kind, now)
        except EnvkitError:
            saved = None
        if saved is not None:
            return saved
    return first_today(state_folder(environ), f"{rotation.full_name} {kind}", now)


def _save_notified(
    rotation: Rotation, outcome: Outcome, store: RotationStore, kind: EventKind, now: float
) -> bool | None:
    """Save that a notice is sent; None if this run's own step may still be running."""
    seen = store.read()
    record = seen.record or Record(rotation.full_name)
    if is_recent(record.notified.get(kind), now):
        return False
    if record.owner and now < record.busy_until:
        # the record must not change during a step. If the step is a late one of this run, no
        # other host knows that it hangs: the caller then uses the file on this host
        ours = outcome.record is not None and outcome.record.owner == record.owner
        return None if ours and outcome.status == OutcomeStatus.FAILED else False
    notified = record._replace(notified={**record.notified, str(kind): now})
    try:
        store.save(seen, notified, seen.pending)
    except ConflictError:
        return False  # another host works on the rotation and sends the notice
    return True
