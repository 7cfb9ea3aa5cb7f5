"""The deadline of a command. It is passed to everything that waits."""

from __future__ import annotations

from time import monotonic


class Deadline:
    """A point on the monotonic clock after which nothing waits."""

    __slots__ = ("_end", "timeout_seconds")

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._end = monotonic() + timeout_seconds

    def restart(self) -> None:
        """Restart the clock, so that the time a person needs to answer does not count."""
        self._end = monotonic() + self.timeout_seconds

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
