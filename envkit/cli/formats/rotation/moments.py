"""Times and durations for people: `2026-11-29 03:00 UTC`, `in 4 days`, `2 hours ago`."""

from __future__ import annotations

from datetime import UTC, datetime

_MAX_SECONDS = 253_402_300_800.0  # the year 10,000, which `datetime` does not support
_UNITS = ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"))


def moment(seconds: float) -> str:
    """Return a time to the minute; empty for never."""
    if not _is_shown(seconds):
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def before(seconds: float, now: float) -> str:
    """Return a time to the minute, without the date if it is today: `10:47 UTC`."""
    text, today = moment(seconds), moment(now)[:10]
    return text.removeprefix(f"{today} ")


def iso(seconds: float) -> str | None:
    """Return a time for programs in RFC 3339; None for never."""
    if not _is_shown(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for size, name in _UNITS:
        if seconds >= size:
            number = int(seconds / size)
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute"


def since(at: float, now: float) -> str:
    """Return the distance of a time from now: `in 4 days`, `2 hours ago`, `now`."""
    distance = at - now
    if abs(distance) < 60:
        return "now"
    return f"in {span(distance)}" if distance > 0 else f"{span(-distance)} ago"


def _is_shown(seconds: float) -> bool:
    # also false for NaN and infinity
    return 0 < seconds < _MAX_SECONDS
