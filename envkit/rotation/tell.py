"""Who is told of what, and not more than once a day.

A success is told once, by whoever did the last step. What goes on until somebody sees to it
(a failure, a rotation that is overdue or quarantined) is told by one host, once a day: that
it was is written into the rotation's record, before it is told. Where the record cannot be
written, which may be the very thing to tell, a file of this host keeps it instead.
"""

from __future__ import annotations

import os
import socket

from envkit._internal.clock import Deadline
from envkit.errors import ConflictError, EnvkitError
from envkit.notification.channels import (
    FAILURE,
    OVERDUE,
    QUARANTINE,
    SUCCESS,
    Channel,
    Notice,
    deliver,
)
from envkit.resolution.settings import substituted
from envkit.rotation.outcome import FAILED, QUARANTINED, REFUSED, ROTATED
from envkit.rotation_state.record import GRACE, PROMOTED, RETIRING, Record
from envkit.rotation_state.schedule import due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.catalog import Rotation
    from envkit.rotation.outcome import Outcome
    from envkit.rotation_state.store import RotationStore

DAY_SECONDS = 86_400.0
SETTINGS_SECONDS = 10.0  # for the placeholders of the channels
FILE = "rotation-notices.json"
_LIMIT_BYTES = 1 << 20
_PROMOTED = (PROMOTED, GRACE, RETIRING)  # readers have the new value: no longer overdue


def events(rotation: Rotation, outcome: Outcome, now: float) -> list[str]:
    """Return what there is to tell of a rotation after a run, of `notice.KINDS`."""
    if outcome.status == ROTATED:
        return [SUCCESS]
    found = []
    if outcome.status == QUARANTINED:
        found.append(QUARANTINE)
    elif outcome.status in (FAILED, REFUSED):
        found.append(FAILURE)
    if is_overdue(rotation, outcome.record, now):
        found.append(OVERDUE)
    return found


def is_overdue(rotation: Rotation, record: Record | None, now: float) -> bool:
    """Return whether a rotation should have been done long since."""
    if record is None or record.phase in _PROMOTED:
        return False
    timing = rotation.policy.timing
    last = record.last_rotated_at
    return due(timing, rotation.full_name, last=last, now=now).overdue_at <= now


def tell(
    rotation: Rotation,
    outcome: Outcome,
    store: RotationStore | None,
    *,
    environ: Mapping[str, str],
    now: float,
) -> list[EnvkitError]:
    """Tell who wants to know what became of a rotation.

    Args:
        rotation: which.
        outcome: what became of it.
        store: of its record; None where it could not be opened.
        environ: the process environment.
        now: seconds since the epoch.

    Returns:
        why notices could not be delivered; nothing else comes of that.
    """
    policy = rotation.policy
    wanted = [kind for kind in events(rotation, outcome, now) if _channels(policy.notify, kind)]
    new = [
        kind for kind in wanted if kind == SUCCESS or _first(rotation, store, kind, environ, now)
    ]
    if not new:
        return []
    try:
        channels = _filled(rotation, environ)
    except EnvkitError as error:
        return [error]
    failures = []
    for kind in new:
        for channel in _channels(channels, kind):
            try:
                deliver(_notice(rotation, outcome, kind, now), channel)
            except EnvkitError as error:
                failures.append(error)
    return failures


def _channels(channels: tuple[Channel, ...], kind: str) -> list[Channel]:
    return [channel for channel in channels if kind in channel.on]


def _filled(rotation: Rotation, environ: Mapping[str, str]) -> tuple[Channel, ...]:
    """Return the channels with the values of their placeholders."""
    policy = rotation.policy
    texts = {
        str(index): {
            "where": channel.where if isinstance(channel.where, str) else "",
            "key": channel.key or "",
        }
        for index, channel in enumerate(policy.notify)
    }
    values = substituted(
        rotation.profile,
        f"{policy.table.title} notify",
        texts,
        policy.table.place_of("notify"),
        environ=environ,
        deadline=Deadline(SETTINGS_SECONDS),
    )
    return tuple(
        channel._replace(
            where=values[str(index)]["where"] if isinstance(channel.where, str) else channel.where,
            key=None if channel.key is None else values[str(index)]["key"],
        )
        for index, channel in enumerate(policy.notify)
    )


def _notice(rotation: Rotation, outcome: Outcome, kind: str, now: float) -> Notice:
    policy, record, error = rotation.policy, outcome.record, outcome.error
    why = error.message if error is not None and kind != SUCCESS else ""
    hint = error.hint if error is not None and kind != SUCCESS else None
    if kind == OVERDUE and not hint:
        hint = f"run 'envkit rotate {rotation.full_name}'"
    return Notice(
        kind,
        policy.profile,
        policy.name,
        rotation.location,
        policy.rotator,
        record.phase if record is not None else "",
        why,
        hint or "",
        now,
        socket.gethostname(),
    )


def _first(
    rotation: Rotation,
    store: RotationStore | None,
    kind: str,
    environ: Mapping[str, str],
    now: float,
) -> bool:
    """Return whether it is for us to tell this, and write down that it was told."""
    if store is not None:
        try:
            return _note(rotation, store, kind, now)
        except EnvkitError:
            pass
    return _note_here(rotation, kind, environ, now)


def _note(rotation: Rotation, store: RotationStore, kind: str, now: float) -> bool:
    seen = store.read()
    record = seen.record or Record(rotation.full_name)
    if _lately(record.told.get(kind), now) or (record.holder and now < record.busy_until):
        return False  # whoever is at work on it must not find it changed
    try:
        store.save(seen, record._replace(told={**record.told, kind: now}), seen.pending)
    except ConflictError:
        return False  # somebody else is at it, who will tell
    return True


def _note_here(rotation: Rotation, kind: str, environ: Mapping[str, str], now: float) -> bool:
    import json

    from envkit._internal.atomic_write import write_own
    from envkit._internal.file_lock import locked
    from envkit._internal.files import read_own
    from envkit.audit.log import state_folder

    folder = os.path.realpath(state_folder(environ))
    path = os.path.join(folder, FILE)
    key = f"{rotation.full_name} {kind}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with locked(path, timeout_seconds=5):
            try:
                told = dict(json.loads(read_own(path, _LIMIT_BYTES)[0]))
            except (FileNotFoundError, ValueError, TypeError):
                told = {}
            if _lately(told.get(key), now):
                return False
            young = {name: at for name, at in told.items() if _lately(at, now)}
            write_own(path, json.dumps({**young, key: now}).encode())
    except (OSError, EnvkitError):
        return False  # what nobody can remember is not told every minute
    return True


def _lately(at: object, now: float) -> bool:
    return isinstance(at, int | float) and abs(now - at) < DAY_SECONDS
