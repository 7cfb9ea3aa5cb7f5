"""The pause after failures in a row: each is twice the one before, up to a limit."""

from __future__ import annotations

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 15.0, 3600.0


def pause_seconds(
    failures: int, *, first: float = FIRST_PAUSE_SECONDS, last: float = LAST_PAUSE_SECONDS
) -> float:
    """Return the pause after so many failures in a row.

    Args:
        failures: 1 or more.
        first: the pause after one failure, in seconds.
        last: the longest pause, in seconds.
    """
    return min(first * 2.0 ** min(failures - 1, 10), last)
