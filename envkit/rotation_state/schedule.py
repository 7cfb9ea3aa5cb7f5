"""When a rotation is due. Pure: a function of the profile, the last rotation and the time.

    timing = Timing(schedule="0 3 * * SUN", timezone="Europe/Berlin", window_seconds=7200)
    due(timing, "prod/db-password", last=rotated_at, now=time())

`every` counts from the last rotation, in seconds, independent of clock changes. A secret that
was never rotated is due at once, so that its author sees whether the rotation works. A `schedule`
is a cron expression in the wall-clock time of `timezone`, as in Debian's cron: a time that a
clock change skips counts at the moment after it, and a time that occurs twice counts once. A
secret that was never rotated waits for the first time.

A rotation begins in [due, due + window), or waits for its next due time. The jitter moves the
beginning within that window. It depends on the rotation's name and due time alone, so that all
hosts agree. All times are seconds since the epoch, UTC.

Nothing here reads a clock or the state of a rotation.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# how late a rotation without a window may begin before it is overdue
LATENESS_SECONDS = 3600.0
UNTIL_NEVER = inf


class Timing(NamedTuple):
    """When a secret is rotated, as the profile says.

    Attributes:
        every_seconds: since the last rotation; 0 if there is a schedule.
        schedule: a cron expression; empty if there is `every`.
        timezone: the IANA name of the schedule's time zone.
        window_seconds: how long after it is due a rotation may start; None means no limit.
        jitter_seconds: rotations start within this many seconds; less than the window.
        grace_seconds: how long the old and the new value both work.
    """

    every_seconds: float = 0.0
    schedule: str = ""
    timezone: str = "UTC"
    window_seconds: float | None = None
    jitter_seconds: float = 0.0
    grace_seconds: float = 0.0


class Due(NamedTuple):
    """The current due time: the first one whose window is still open.

    Attributes:
        at: the due time itself.
        starts: when the rotation may begin, including the jitter.
        closes: the end of the window; infinite if there is none.
        overdue_at: when the first due time since the last rotation was missed for good;
            infinite for a secret that was never rotated.
    """

    at: float
    starts: float
    closes: float
    overdue_at: float


def due(timing: Timing, name: str, *, last: float, now: float) -> Due:
    """Return when a rotation is due.

    Args:
        timing: the settings of the profile.
        name: the rotation's full name, `prod/db-password`.
        last: when the secret was last rotated; 0 means never.
        now: the current time.
    """
    window = timing.window_seconds
    if not last and not timing.schedule:
        closes = UNTIL_NEVER if window is None else now + window
        return Due(now, now, closes, UNTIL_NEVER)
    open_since = last if window is None else max(last, now - window)
    at = _first_after(timing, last, open_since)
    closes = UNTIL_NEVER if window is None else at + window
    overdue_at = UNTIL_NEVER
    if last:
        first = _first_after(timing, last, last)
        overdue_at = first + _lateness(timing) + timing.grace_seconds
    return Due(at, at + jitter(timing, name, at), closes, overdue_at)


def jitter(timing: Timing, name: str, at: float) -> float:
    """Return how many seconds after its due time a rotation begins; always the same number."""
    if not timing.jitter_seconds:
        return 0.0
    from hashlib import sha256

    digest = sha256(f"{name}\0{int(at)}".encode()).digest()
    return timing.jitter_seconds * (int.from_bytes(digest[:6], "big") / 2**48)


def due_times(timing: Timing, *, last: float, until: float) -> Iterator[float]:
    """Yield the due times after `last`, as if each rotation ran when it was due.

    Args:
        timing: the settings of the profile.
        last: when the secret was last rotated.
        until: where to stop.
    """
    at = _first_after(timing, last, last)
    while at < until:
        yield at
        at = _first_after(timing, at, at)


def shortest_pause(timing: Timing, start: float, times: int = 60) -> float:
    """Return the shortest pause between two of the next due times, in seconds."""
    if not timing.schedule:
        return timing.every_seconds
    found = _first_after(timing, start, start)
    shortest = UNTIL_NEVER
    for _ in range(times):
        following = _first_after(timing, found, found)
        shortest = min(shortest, following - found)
        found = following
    return shortest


def _lateness(timing: Timing) -> float:
    if timing.window_seconds is None:
        return timing.jitter_seconds + LATENESS_SECONDS
    return timing.window_seconds


def _first_after(timing: Timing, last: float, moment: float) -> float:
    """Return the first due time after `moment`, which is not before `last`."""
    if not timing.schedule:
        rounds = int(max(0.0, moment - last) // timing.every_seconds) + 1
        return last + rounds * timing.every_seconds
    return cron_after(timing.schedule, timing.timezone, moment)


def cron_after(expression: str, timezone: str, moment: float) -> float:
    """Return the first time after `moment` that matches a cron expression.

    Raises:
        ValueError: the expression is invalid, or matches no time of the next 50 years.
    """
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise ExtraMissingError(
            "a 'schedule' needs the package cronsim", hint=install_hint("rotate")
        ) from None

    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    start = datetime.fromtimestamp(int(moment // 1), UTC).astimezone(zone)
    try:
        # in an hour that a clock change repeats, the search may begin with times of the first pass
        for found in CronSim(expression, start):
            if found.timestamp() > moment:
                return found.timestamp()
    except CronSimError as error:
        raise ValueError(str(error)) from None
    raise ValueError("it matches no time in the next 50 years")
