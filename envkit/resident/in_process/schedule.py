"""When a live environment is looked at next. Pure: the caller has the clock and the dice.

What always holds: files are looked at once a second at most; stores are read once a poll at
most, and after failures less and less often.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

FILES_SECONDS = 1.0
STORES_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 300.0
JITTER = 0.1  # of an interval, in both directions: many processes do not ask at once
NEVER = float("inf")


class Schedule(NamedTuple):
    """When to look, on the clock of the caller.

    Attributes:
        files_at: when to see whether a file has changed.
        stores_at: when to read the environment, whether or not a file has changed.
        failures: how many reads in a row have failed.
    """

    files_at: float = NEVER
    stores_at: float = NEVER
    failures: int = 0

    @property
    def next_at(self) -> float:
        """When there is something to do."""
        return min(self.files_at, self.stores_at)


def claimed(schedule: Schedule, now: float) -> Schedule:
    """Return the schedule for the others, while one thread does what is due."""
    return schedule._replace(
        files_at=now + FILES_SECONDS if schedule.files_at <= now else schedule.files_at,
        stores_at=now + STORES_SECONDS if schedule.stores_at <= now else schedule.stores_at,
    )


def succeeded(now: float, chance: float, *, is_local: bool) -> Schedule:
    """Return the schedule after a read.

    Args:
        now: when it ended.
        chance: from 0 to 1.
        is_local: whether no store is behind a network: files say when they change.
    """
    stores_at = NEVER if is_local else now + _jittered(STORES_SECONDS, chance)
    return Schedule(now + FILES_SECONDS, stores_at)


def failed(schedule: Schedule, now: float, chance: float, *, is_local: bool) -> Schedule:
    """Return the schedule after a read that failed; arguments as for `succeeded`."""
    interval = FILES_SECONDS if is_local else STORES_SECONDS
    seconds = min(interval * 2.0 ** min(schedule.failures, 9), LONGEST_BACKOFF_SECONDS)
    stores_at = now + _jittered(seconds, chance)
    return Schedule(now + FILES_SECONDS, stores_at, schedule.failures + 1)


def _jittered(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)
