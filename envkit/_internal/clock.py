"""The deadline of a command, passed to everything that waits, and the pause after failures."""

from __future__ import annotations

from time import monotonic

DEFAULT_TIMEOUT_SECONDS = 15.0  # of a command, for all stores together
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 15.0, 3600.0


class Deadline:
    """A point on the monotonic clock after which nothing waits.

    Args:
        timeout_seconds: from now on.
        repeats: whether a request that has failed is repeated until then.
    """

    __slots__ = ("_end", "repeats", "timeout_seconds")

    def __init__(self, timeout_seconds: float, *, repeats: bool = True) -> None:
        self.timeout_seconds = timeout_seconds
        self.repeats = repeats
        self._end = monotonic() + timeout_seconds

    def restart(self, at_most: float = float("inf")) -> None:
        """Restart the clock, so that the time a person needs to answer does not count.

        Args:
            at_most: seconds from now, if that is less than the timeout.
        """
        self._end = monotonic() + min(self.timeout_seconds, at_most)

    def spend(self, seconds: float) -> None:
        """Count time that has passed before."""
        self._end -= seconds

    def leave_at_least(self, seconds: float) -> None:
        """Extend the deadline for work that must be undone even after it has passed."""
        self._end = max(self._end, monotonic() + seconds)

    def remaining_seconds(self, at_most: float | None = None) -> float:
        """Return the seconds left (never below 0), or `at_most` if that is less."""
        left = max(0.0, self._end - monotonic())
        return left if at_most is None else min(left, at_most)

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return monotonic() >= self._end


def pause_seconds(
    failures: int, *, first: float = FIRST_PAUSE_SECONDS, last: float = LAST_PAUSE_SECONDS
) -> float:
    """Return the pause after so many failures in a row: twice the one before, up to a limit.

    Args:
        failures: 1 or more.
        first: the pause after one failure, in seconds.
        last: the longest pause, in seconds.
    """
    return min(first * 2.0 ** min(failures - 1, 10), last)
